import type {
  CreateServiceLinkedRoleRequest,
  CreateServiceLinkedRoleResponse,
  DeleteServiceLinkedRoleRequest,
  DeleteServiceLinkedRoleResponse,
  GetServiceLinkedRoleDeletionStatusRequest,
  GetServiceLinkedRoleDeletionStatusResponse,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { createLinkedRole, requireTemplate } from '../linked-roles.ts';
import { requirePrincipal } from '../lookups.ts';
import { serviceLinkedRole } from '../service-linked.ts';
import type { IamState } from '../state.ts';
import { principalAccess } from './access.ts';
import { removePrincipal } from './principals.ts';
import { roleShape } from './shapes.ts';

/** Roles that belong to a service, which alone may use them. */
export function serviceLinkedRoleOperations(state: IamState) {
  const nameOf = ({ AWSServiceName, CustomSuffix }: CreateServiceLinkedRoleRequest) => {
    const { name } = requireTemplate(AWSServiceName!);
    return CustomSuffix ? `${name}_${CustomSuffix}` : name;
  };

  const CreateServiceLinkedRole: Operation<CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse> = {
    access: (input) => {
      const name = serviceLinkedRole(input.AWSServiceName!) ? nameOf(input) : '*';
      return [
        {
          resource: state.arn(`role/aws-service-role/${input.AWSServiceName}/${name}`),
          context: { 'iam:AWSServiceName': input.AWSServiceName! },
        },
      ];
    },
    async handle(input) {
      const template = requireTemplate(input.AWSServiceName!);
      if (input.CustomSuffix) {
        throw fault('InvalidInput', `Custom suffix is not allowed for ${input.AWSServiceName}`);
      }
      const description = input.Description ?? template.description;
      const row = await createLinkedRole(state, template, nameOf(input), description, 'refuse');
      return { Role: roleShape(state, row) };
    },
  };

  const DeleteServiceLinkedRole: Operation<DeleteServiceLinkedRoleRequest, DeleteServiceLinkedRoleResponse> = {
    access: ({ RoleName }) => principalAccess(state, 'role', RoleName!),
    handle: ({ RoleName }) =>
      state.write(RoleName!, async ({ db }) => {
        const row = await requirePrincipal(db, 'role', RoleName!);
        if (row.linked_service === null) {
          throw fault('InvalidInput', `Role ${row.name} is not a service-linked role.`);
        }
        await db.deleteFrom('iam_attachment').where('principal_id', '=', row.id).execute();
        await removePrincipal(db, row.id);
        return { DeletionTaskId: `task${row.path}${row.name}/${state.random.uuid()}` };
      }),
  };

  const GetServiceLinkedRoleDeletionStatus: Operation<
    GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse
  > = {
    access: () => [{ resource: '*' }],
    async handle({ DeletionTaskId }) {
      if (!/^task\/aws-service-role\/[^/]+\/[^/]+\/[0-9a-f-]{36}$/.test(DeletionTaskId!))
        throw fault('NoSuchEntity', `The deletion task ${DeletionTaskId} cannot be found.`);
      // The deletion was over when its id was answered.
      return { Status: 'SUCCEEDED' };
    },
  };

  return { CreateServiceLinkedRole, DeleteServiceLinkedRole, GetServiceLinkedRoleDeletionStatus };
}
