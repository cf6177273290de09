import type {
  AddUserToGroupRequest,
  CreateGroupRequest,
  CreateGroupResponse,
  DeleteGroupRequest,
  GetGroupRequest,
  GetGroupResponse,
  ListGroupsForUserRequest,
  ListGroupsForUserResponse,
  ListGroupsRequest,
  ListGroupsResponse,
  RemoveUserFromGroupRequest,
  UpdateGroupRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import { listAccess, newAccess, principalAccess } from './access.ts';
import { page } from './paging.ts';
import { checkNoPolicies, insertPrincipal, listPrincipals, removePrincipal, renamePrincipal } from './principals.ts';
import { groupShape, userShape } from './shapes.ts';

const mostGroupsOfUser = 10;

/** Groups and who is in them. */
export function groupOperations(state: IamState) {
  const CreateGroup: Operation<CreateGroupRequest, CreateGroupResponse> = {
    access: ({ GroupName, Path }) => newAccess(state, 'group', Path, GroupName!),
    handle: ({ GroupName, Path }) =>
      state.write(GroupName!, async ({ db }) => {
        const row = await insertPrincipal(state, db, { type: 'group', name: GroupName!, path: Path });
        return { Group: groupShape(state, row) };
      }),
  };

  const GetGroup: Operation<GetGroupRequest, GetGroupResponse> = {
    access: ({ GroupName }) => principalAccess(state, 'group', GroupName!),
    async handle(input) {
      const group = await requirePrincipal(state.db, 'group', input.GroupName!);
      const members = await state.db
        .selectFrom('iam_membership as m')
        .innerJoin('iam_principal as p', 'p.id', 'm.user_id')
        .selectAll('p')
        .where('m.group_id', '=', group.id)
        .execute();
      const { items, tail } = page(members, input, (row) => row.name);
      return { Group: groupShape(state, group), Users: items.map((row) => userShape(state, row)), ...tail };
    },
  };

  const ListGroups: Operation<ListGroupsRequest, ListGroupsResponse> = {
    access: ({ PathPrefix }) => listAccess(state, 'group', PathPrefix),
    async handle(input) {
      const { items, tail } = page(await listPrincipals(state.db, 'group', input.PathPrefix), input, (row) => row.name);
      return { Groups: items.map((row) => groupShape(state, row)), ...tail };
    },
  };

  const ListGroupsForUser: Operation<ListGroupsForUserRequest, ListGroupsForUserResponse> = {
    access: ({ UserName }) => principalAccess(state, 'user', UserName!),
    async handle(input) {
      const user = await requirePrincipal(state.db, 'user', input.UserName!);
      const groups = await state.db
        .selectFrom('iam_membership as m')
        .innerJoin('iam_principal as p', 'p.id', 'm.group_id')
        .selectAll('p')
        .where('m.user_id', '=', user.id)
        .execute();
      const { items, tail } = page(groups, input, (row) => row.name);
      return { Groups: items.map((row) => groupShape(state, row)), ...tail };
    },
  };

  const AddUserToGroup: Operation<AddUserToGroupRequest, object> = {
    access: ({ GroupName }) => principalAccess(state, 'group', GroupName!),
    handle: ({ GroupName, UserName }) =>
      state.write(UserName!, async ({ db }) => {
        const group = await requirePrincipal(db, 'group', GroupName!);
        const user = await requirePrincipal(db, 'user', UserName!);
        const groups = await db
          .selectFrom('iam_membership')
          .select('group_id')
          .where('user_id', '=', user.id)
          .execute();
        if (groups.some((row) => row.group_id === group.id)) return {};
        if (groups.length >= mostGroupsOfUser) {
          throw fault('LimitExceeded', `Cannot exceed quota for GroupsPerUser: ${mostGroupsOfUser}`);
        }
        await db.insertInto('iam_membership').values({ group_id: group.id, user_id: user.id }).execute();
        return {};
      }),
  };

  const RemoveUserFromGroup: Operation<RemoveUserFromGroupRequest, object> = {
    access: ({ GroupName }) => principalAccess(state, 'group', GroupName!),
    handle: ({ GroupName, UserName }) =>
      state.write(UserName!, async ({ db }) => {
        const group = await requirePrincipal(db, 'group', GroupName!);
        const user = await requirePrincipal(db, 'user', UserName!);
        await db.deleteFrom('iam_membership').where('group_id', '=', group.id).where('user_id', '=', user.id).execute();
        return {};
      }),
  };

  const UpdateGroup: Operation<UpdateGroupRequest, object> = {
    access: ({ GroupName }) => principalAccess(state, 'group', GroupName!),
    handle: ({ GroupName, NewGroupName, NewPath }) =>
      state.write(GroupName!, async ({ db }) => {
        await renamePrincipal(db, await requirePrincipal(db, 'group', GroupName!), NewGroupName, NewPath);
        return {};
      }),
  };

  const DeleteGroup: Operation<DeleteGroupRequest, object> = {
    access: ({ GroupName }) => principalAccess(state, 'group', GroupName!),
    handle: ({ GroupName }) =>
      state.write(GroupName!, async ({ db }) => {
        const { id } = await requirePrincipal(db, 'group', GroupName!);
        const member = await db
          .selectFrom('iam_membership')
          .select('user_id')
          .where('group_id', '=', id)
          .executeTakeFirst();
        if (member) throw fault('DeleteConflict', 'Cannot delete entity, must remove users from group first.');
        await checkNoPolicies(db, id);
        await removePrincipal(db, id);
        return {};
      }),
  };

  return {
    ...{ CreateGroup, GetGroup, ListGroups, ListGroupsForUser, AddUserToGroup, RemoveUserFromGroup },
    ...{ UpdateGroup, DeleteGroup },
  };
}
