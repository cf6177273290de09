import type { AnyOperation } from '../../../wire/service.ts';
import type { IamState } from '../state.ts';
import { accessKeyOperations } from './access-keys.ts';
import { accountOperations } from './account.ts';
import { attachmentOperations } from './attachments.ts';
import { authorizationDetails } from './authorization-details.ts';
import { boundaryOperations } from './boundaries.ts';
import { groupOperations } from './groups.ts';
import { inlinePolicyOperations } from './inline-policies.ts';
import { instanceProfileOperations } from './instance-profiles.ts';
import { policyOperations } from './policies.ts';
import { policyVersionOperations } from './policy-versions.ts';
import { roleOperations } from './roles.ts';
import { serviceLinkedRoleOperations } from './service-linked-roles.ts';
import { simulateOperations } from './simulate.ts';
import { tagOperations } from './tags.ts';
import { userOperations } from './users.ts';

/** Every operation of IAM that is answered. */
export function iamOperations(state: IamState): Readonly<Record<string, AnyOperation>> {
  return {
    ...userOperations(state),
    ...groupOperations(state),
    ...roleOperations(state),
    ...accessKeyOperations(state),
    ...policyOperations(state),
    ...policyVersionOperations(state),
    ...attachmentOperations(state),
    ...inlinePolicyOperations(state),
    ...boundaryOperations(state),
    ...instanceProfileOperations(state),
    ...serviceLinkedRoleOperations(state),
    ...tagOperations(state),
    ...accountOperations(state),
    GetAccountAuthorizationDetails: authorizationDetails(state),
    ...simulateOperations(state),
  };
}
