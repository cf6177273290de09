import type {
  CreateRoleRequest,
  CreateRoleResponse,
  DeleteRoleRequest,
  GetRoleRequest,
  GetRoleResponse,
  ListRolesRequest,
  ListRolesResponse,
  UpdateAssumeRolePolicyRequest,
  UpdateRoleDescriptionRequest,
  UpdateRoleDescriptionResponse,
  UpdateRoleRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { documentSize, parseTrust } from '../documents.ts';
import { fault } from '../faults.ts';
import { requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import { listAccess, newAccess, principalAccess } from './access.ts';
import { page } from './paging.ts';
import { checkModifiable, checkNoPolicies, insertPrincipal, listPrincipals, removePrincipal } from './principals.ts';
import { fullRoleShape, roleShape } from './shapes.ts';
import { putTags, tagContext } from './tagging.ts';

const mostTrustCharacters = 2048;

/** Roles and who may assume them. */
export function roleOperations(state: IamState) {
  const CreateRole: Operation<CreateRoleRequest, CreateRoleResponse> = {
    access: ({ RoleName, Path, Tags, PermissionsBoundary }) =>
      newAccess(state, 'role', Path, RoleName!, {
        ...tagContext(Tags),
        ...(PermissionsBoundary ? { 'iam:PermissionsBoundary': PermissionsBoundary } : {}),
      }),
    handle: (input) =>
      state.write(input.RoleName!, async ({ db }) => {
        if (input.Path?.startsWith('/aws-service-role/')) {
          throw fault('InvalidInput', 'The path /aws-service-role/ is reserved for service-linked roles.');
        }
        await parseTrust(state, db, input.AssumeRolePolicyDocument!);
        checkTrustSize(input.AssumeRolePolicyDocument!);
        const row = await insertPrincipal(state, db, {
          type: 'role',
          name: input.RoleName!,
          path: input.Path,
          boundary_arn: input.PermissionsBoundary ?? null,
          trust_policy: input.AssumeRolePolicyDocument!,
          description: input.Description ?? null,
          max_session_seconds: input.MaxSessionDuration ?? 3600,
        });
        await putTags(db, row.id, input.Tags);
        const { RoleLastUsed: _, ...Role } = await fullRoleShape(state, db, row);
        return { Role };
      }),
  };

  const GetRole: Operation<GetRoleRequest, GetRoleResponse> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    async handle({ RoleName }) {
      const row = await requirePrincipal(state.db, 'role', RoleName!);
      return { Role: await fullRoleShape(state, state.db, row) };
    },
  };

  const ListRoles: Operation<ListRolesRequest, ListRolesResponse> = {
    access: ({ PathPrefix }) => listAccess(state, 'role', PathPrefix),
    async handle(input) {
      const { items, tail } = page(await listPrincipals(state.db, 'role', input.PathPrefix), input, (row) => row.name);
      return { Roles: items.map((row) => roleShape(state, row)), ...tail };
    },
  };

  const UpdateRole: Operation<UpdateRoleRequest, object> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName, Description, MaxSessionDuration }) =>
      state.write(RoleName!, async ({ db }) => {
        const row = await requirePrincipal(db, 'role', RoleName!);
        checkModifiable(row);
        await db
          .updateTable('iam_principal')
          .set({
            description: Description ?? row.description,
            max_session_seconds: MaxSessionDuration ?? row.max_session_seconds,
          })
          .where('id', '=', row.id)
          .execute();
        return {};
      }),
  };

  const UpdateRoleDescription: Operation<UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName, Description }) =>
      state.write(RoleName!, async ({ db }) => {
        const row = await requirePrincipal(db, 'role', RoleName!);
        await db.updateTable('iam_principal').set({ description: Description! }).where('id', '=', row.id).execute();
        return { Role: await fullRoleShape(state, db, { ...row, description: Description! }) };
      }),
  };

  const UpdateAssumeRolePolicy: Operation<UpdateAssumeRolePolicyRequest, object> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName, PolicyDocument }) =>
      state.write(RoleName!, async ({ db }) => {
        const row = await requirePrincipal(db, 'role', RoleName!);
        checkModifiable(row);
        await parseTrust(state, db, PolicyDocument!);
        checkTrustSize(PolicyDocument!);
        await db.updateTable('iam_principal').set({ trust_policy: PolicyDocument! }).where('id', '=', row.id).execute();
        return {};
      }),
  };

  const DeleteRole: Operation<DeleteRoleRequest, object> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName }) =>
      state.write(RoleName!, async ({ db }) => {
        const row = await requirePrincipal(db, 'role', RoleName!);
        checkModifiable(row);
        const profile = await db
          .selectFrom('iam_instance_profile')
          .select('id')
          .where('role_id', '=', row.id)
          .executeTakeFirst();
        if (profile) {
          throw fault('DeleteConflict', 'Cannot delete entity, must remove roles from instance profile first.');
        }
        await checkNoPolicies(db, row.id);
        await removePrincipal(db, row.id);
        return {};
      }),
  };

  return {
    ...{ CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole },
  };
}

function checkTrustSize(document: string): void {
  if (documentSize(document) > mostTrustCharacters) {
    throw fault('LimitExceeded', `Cannot exceed quota for ACLSizePerRole: ${mostTrustCharacters}`);
  }
}
