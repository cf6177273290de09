import type {
  AddRoleToInstanceProfileRequest,
  CreateInstanceProfileRequest,
  CreateInstanceProfileResponse,
  DeleteInstanceProfileRequest,
  GetInstanceProfileRequest,
  GetInstanceProfileResponse,
  ListInstanceProfilesForRoleRequest,
  ListInstanceProfilesForRoleResponse,
  ListInstanceProfilesRequest,
  ListInstanceProfilesResponse,
  RemoveRoleFromInstanceProfileRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault, notFound } from '../faults.ts';
import { newId } from '../ids.ts';
import { requirePrincipal, requireProfile } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { InstanceProfileRow } from '../tables.ts';
import { listAccess, newAccess, principalAccess, profileAccess } from './access.ts';
import { page } from './paging.ts';
import { profileShape } from './shapes.ts';
import { putTags, tagContext } from './tagging.ts';

/** What hands a role to an EC2 instance. */
export function instanceProfileOperations(state: IamState) {
  const shapes = (rows: readonly InstanceProfileRow[]) =>
    Promise.all(rows.map((row) => profileShape(state, state.db, row)));

  const CreateInstanceProfile: Operation<CreateInstanceProfileRequest, CreateInstanceProfileResponse> = {
    access: ({ InstanceProfileName, Path, Tags }) =>
      newAccess(state, 'instance-profile', Path, InstanceProfileName!, tagContext(Tags)),
    handle: ({ InstanceProfileName: name, Path, Tags }) =>
      state.write(name!, async ({ db }) => {
        const there = await requireProfile(db, name!).catch(() => undefined);
        if (there) throw fault('EntityAlreadyExists', `Instance Profile ${name} already exists.`);
        const row: InstanceProfileRow = {
          id: newId(state.random, 'AIPA'),
          name: name!,
          path: Path ?? '/',
          created_at: state.clock.now(),
          role_id: null,
        };
        await db.insertInto('iam_instance_profile').values(row).execute();
        await putTags(db, row.id, Tags);
        return { InstanceProfile: await profileShape(state, db, row) };
      }),
  };

  const GetInstanceProfile: Operation<GetInstanceProfileRequest, GetInstanceProfileResponse> = {
    access: ({ InstanceProfileName }) => profileAccess(state, InstanceProfileName!),
    async handle({ InstanceProfileName }) {
      const row = await requireProfile(state.db, InstanceProfileName!);
      return { InstanceProfile: await profileShape(state, state.db, row) };
    },
  };

  const ListInstanceProfiles: Operation<ListInstanceProfilesRequest, ListInstanceProfilesResponse> = {
    access: ({ PathPrefix }) => listAccess(state, 'instance-profile', PathPrefix),
    async handle(input) {
      const rows = await state.db.selectFrom('iam_instance_profile').selectAll().execute();
      const chosen = rows.filter((row) => row.path.startsWith(input.PathPrefix ?? '/'));
      const { items, tail } = page(chosen, input, (row) => row.name);
      return { InstanceProfiles: await shapes(items), ...tail };
    },
  };

  const ListInstanceProfilesForRole: Operation<
    ListInstanceProfilesForRoleRequest,
    ListInstanceProfilesForRoleResponse
  > = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    async handle(input) {
      const role = await requirePrincipal(state.db, 'role', input.RoleName!);
      const rows = await state.db
        .selectFrom('iam_instance_profile')
        .selectAll()
        .where('role_id', '=', role.id)
        .execute();
      const { items, tail } = page(rows, input, (row) => row.name);
      return { InstanceProfiles: await shapes(items), ...tail };
    },
  };

  const AddRoleToInstanceProfile: Operation<AddRoleToInstanceProfileRequest, object> = {
    access: ({ InstanceProfileName }) => profileAccess(state, InstanceProfileName!),
    async handle({ InstanceProfileName, RoleName }, context) {
      const role = await requirePrincipal(state.db, 'role', RoleName!);
      await context.authorize({
        action: 'iam:PassRole',
        resource: state.arn(`role${role.path}${role.name}`),
        context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
      });
      return state.write(InstanceProfileName!, async ({ db }) => {
        const profile = await requireProfile(db, InstanceProfileName!);
        if (profile.role_id !== null) {
          throw fault('LimitExceeded', 'Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1');
        }
        await db.updateTable('iam_instance_profile').set({ role_id: role.id }).where('id', '=', profile.id).execute();
        return {};
      });
    },
  };

  const RemoveRoleFromInstanceProfile: Operation<RemoveRoleFromInstanceProfileRequest, object> = {
    access: ({ InstanceProfileName }) => profileAccess(state, InstanceProfileName!),
    handle: ({ InstanceProfileName, RoleName }) =>
      state.write(InstanceProfileName!, async ({ db }) => {
        const profile = await requireProfile(db, InstanceProfileName!);
        const role = await requirePrincipal(db, 'role', RoleName!);
        if (profile.role_id !== role.id) throw notFound('role', RoleName!);
        await db.updateTable('iam_instance_profile').set({ role_id: null }).where('id', '=', profile.id).execute();
        return {};
      }),
  };

  const DeleteInstanceProfile: Operation<DeleteInstanceProfileRequest, object> = {
    access: ({ InstanceProfileName }) => profileAccess(state, InstanceProfileName!),
    handle: ({ InstanceProfileName }) =>
      state.write(InstanceProfileName!, async ({ db }) => {
        const profile = await requireProfile(db, InstanceProfileName!);
        if (profile.role_id !== null) {
          throw fault('DeleteConflict', 'Cannot delete entity, must remove roles from instance profile first.');
        }
        await db.deleteFrom('iam_tag').where('owner', '=', profile.id).execute();
        await db.deleteFrom('iam_instance_profile').where('id', '=', profile.id).execute();
        return {};
      }),
  };

  return {
    ...{ CreateInstanceProfile, GetInstanceProfile, ListInstanceProfiles, ListInstanceProfilesForRole },
    ...{ AddRoleToInstanceProfile, RemoveRoleFromInstanceProfile, DeleteInstanceProfile },
  };
}
