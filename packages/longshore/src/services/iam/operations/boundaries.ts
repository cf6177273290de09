import type {
  DeleteRolePermissionsBoundaryRequest,
  DeleteUserPermissionsBoundaryRequest,
  PutRolePermissionsBoundaryRequest,
  PutUserPermissionsBoundaryRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { requirePolicy, requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import { principalAccess } from './access.ts';
import { checkModifiable } from './principals.ts';

/** Permissions boundaries: the most that a user or role may ever do. */
export function boundaryOperations(state: IamState) {
  const set = (type: 'user' | 'role', name: string, arn: string | null) =>
    state.write(name, async ({ db }) => {
      const row = await requirePrincipal(db, type, name);
      checkModifiable(row);
      if (arn !== null) await requirePolicy(db, arn);
      else if (row.boundary_arn === null) {
        throw fault('NoSuchEntity', `The ${type} with name ${row.name} does not have a permissions boundary.`);
      }
      await db.updateTable('iam_principal').set({ boundary_arn: arn }).where('id', '=', row.id).execute();
      return {};
    });
  const context = (arn: string | undefined) => (arn === undefined ? {} : { 'iam:PermissionsBoundary': arn });

  const PutUserPermissionsBoundary: Operation<PutUserPermissionsBoundaryRequest, object> = {
    access: ({ UserName, PermissionsBoundary }) =>
      principalAccess(state, 'user', UserName!, context(PermissionsBoundary)),
    handle: ({ UserName, PermissionsBoundary }) => set('user', UserName!, PermissionsBoundary!),
  };
  const PutRolePermissionsBoundary: Operation<PutRolePermissionsBoundaryRequest, object> = {
    access: ({ RoleName, PermissionsBoundary }) =>
      principalAccess(state, 'role', RoleName!, context(PermissionsBoundary)),
    handle: ({ RoleName, PermissionsBoundary }) => set('role', RoleName!, PermissionsBoundary!),
  };
  const DeleteUserPermissionsBoundary: Operation<DeleteUserPermissionsBoundaryRequest, object> = {
    access: ({ UserName }) => principalAccess(state, 'user', UserName!),
    handle: ({ UserName }) => set('user', UserName!, null),
  };
  const DeleteRolePermissionsBoundary: Operation<DeleteRolePermissionsBoundaryRequest, object> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName }) => set('role', RoleName!, null),
  };
  return {
    ...{ PutUserPermissionsBoundary, PutRolePermissionsBoundary },
    ...{ DeleteUserPermissionsBoundary, DeleteRolePermissionsBoundary },
  };
}
