import type {
  CreateUserRequest,
  CreateUserResponse,
  DeleteUserRequest,
  GetUserRequest,
  GetUserResponse,
  ListUsersRequest,
  ListUsersResponse,
  UpdateUserRequest,
} from '@aws-sdk/client-iam';
import type { Operation, RequestContext } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import { listAccess, newAccess, principalAccess } from './access.ts';
import { page } from './paging.ts';
import { checkNoPolicies, insertPrincipal, listPrincipals, removePrincipal, renamePrincipal } from './principals.ts';
import { fullUserShape, userShape } from './shapes.ts';
import { putTags, tagContext } from './tagging.ts';

/** The user that an operation means: the one named, or the caller. Throws ValidationError where the caller is no user. */
export function userNameOf(name: string | undefined, { caller }: Pick<RequestContext, 'caller'>): string {
  if (name !== undefined) return name;
  if (caller.type === 'user') return caller.arn.slice(caller.arn.lastIndexOf('/') + 1);
  throw fault('ValidationError', 'Must specify userName when calling with non-User credentials');
}

/** Users. */
export function userOperations(state: IamState) {
  const CreateUser: Operation<CreateUserRequest, CreateUserResponse> = {
    access: ({ UserName, Path, Tags, PermissionsBoundary }) =>
      newAccess(state, 'user', Path, UserName!, {
        ...tagContext(Tags),
        ...(PermissionsBoundary ? { 'iam:PermissionsBoundary': PermissionsBoundary } : {}),
      }),
    handle: (input) =>
      state.write(input.UserName!, async ({ db }) => {
        const row = await insertPrincipal(state, db, {
          type: 'user',
          name: input.UserName!,
          path: input.Path,
          boundary_arn: input.PermissionsBoundary ?? null,
        });
        await putTags(db, row.id, input.Tags);
        return { User: await fullUserShape(state, db, row) };
      }),
  };

  const GetUser: Operation<GetUserRequest, GetUserResponse> = {
    access: ({ UserName }, context) =>
      UserName === undefined && context.caller.type === 'root'
        ? [{ resource: context.caller.arn }]
        : principalAccess(state, 'user', userNameOf(UserName, context)),
    async handle({ UserName }, context) {
      const { caller } = context;
      if (UserName === undefined && caller.type === 'root') {
        const key = await state.db
          .selectFrom('iam_access_key')
          .select('created_at')
          .where('principal_id', '=', 'root')
          .orderBy('created_at')
          .executeTakeFirst();
        // Root has no name and no path (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html).
        const User = { UserId: caller.accountId, Arn: caller.arn, CreateDate: new Date(key?.created_at ?? 0) };
        return { User: User as NonNullable<GetUserResponse['User']> };
      }
      const row = await requirePrincipal(state.db, 'user', userNameOf(UserName, context));
      return { User: await fullUserShape(state, state.db, row) };
    },
  };

  const ListUsers: Operation<ListUsersRequest, ListUsersResponse> = {
    access: ({ PathPrefix }) => listAccess(state, 'user', PathPrefix),
    async handle(input) {
      const { items, tail } = page(await listPrincipals(state.db, 'user', input.PathPrefix), input, (row) => row.name);
      return { Users: items.map((row) => userShape(state, row)), ...tail };
    },
  };

  const UpdateUser: Operation<UpdateUserRequest, object> = {
    access: ({ UserName }) => principalAccess(state, 'user', UserName!),
    handle: ({ UserName, NewUserName, NewPath }) =>
      state.write(UserName!, async ({ db }) => {
        await renamePrincipal(db, await requirePrincipal(db, 'user', UserName!), NewUserName, NewPath);
        return {};
      }),
  };

  const DeleteUser: Operation<DeleteUserRequest, object> = {
    access: ({ UserName }) => principalAccess(state, 'user', UserName!),
    handle: ({ UserName }) =>
      state.write(UserName!, async ({ db }) => {
        const { id } = await requirePrincipal(db, 'user', UserName!);
        const key = await db
          .selectFrom('iam_access_key')
          .select('id')
          .where('principal_id', '=', id)
          .executeTakeFirst();
        if (key) throw fault('DeleteConflict', 'Cannot delete entity, must delete access keys first.');
        await checkNoPolicies(db, id);
        const group = await db
          .selectFrom('iam_membership')
          .select('group_id')
          .where('user_id', '=', id)
          .executeTakeFirst();
        if (group) throw fault('DeleteConflict', 'Cannot delete entity, must remove users from group first.');
        await removePrincipal(db, id);
        return {};
      }),
  };

  return { CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser };
}
