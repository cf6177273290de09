import type {
  AttachGroupPolicyRequest,
  AttachRolePolicyRequest,
  AttachUserPolicyRequest,
  DetachGroupPolicyRequest,
  DetachRolePolicyRequest,
  DetachUserPolicyRequest,
  ListAttachedGroupPoliciesRequest,
  ListAttachedRolePoliciesRequest,
  ListAttachedRolePoliciesResponse,
  ListAttachedUserPoliciesRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault, policyNotFound } from '../faults.ts';
import { findPolicy, requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { PrincipalRow } from '../tables.ts';
import { principalAccess } from './access.ts';
import { page } from './paging.ts';
import { checkModifiable } from './principals.ts';

const mostPolicies = 10;
const quota = { user: 'PoliciesPerUser', group: 'PoliciesPerGroup', role: 'PoliciesPerRole' } as const;

/** Managed policies on users, groups and roles. */
export function attachmentOperations(state: IamState) {
  const user = family<AttachUserPolicyRequest & DetachUserPolicyRequest, ListAttachedUserPoliciesRequest>(
    state,
    'user',
    ({ UserName }) => UserName!,
  );
  const group = family<AttachGroupPolicyRequest & DetachGroupPolicyRequest, ListAttachedGroupPoliciesRequest>(
    state,
    'group',
    ({ GroupName }) => GroupName!,
  );
  const role = family<AttachRolePolicyRequest & DetachRolePolicyRequest, ListAttachedRolePoliciesRequest>(
    state,
    'role',
    ({ RoleName }) => RoleName!,
  );
  return {
    ...{ AttachUserPolicy: user.attach, DetachUserPolicy: user.detach, ListAttachedUserPolicies: user.list },
    ...{ AttachGroupPolicy: group.attach, DetachGroupPolicy: group.detach, ListAttachedGroupPolicies: group.list },
    ...{ AttachRolePolicy: role.attach, DetachRolePolicy: role.detach, ListAttachedRolePolicies: role.list },
  };
}

interface Named {
  readonly PolicyArn: string | undefined;
}

interface Listed {
  readonly PathPrefix?: string | undefined;
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

function family<Change extends Named, List extends Listed>(
  state: IamState,
  type: PrincipalRow['type'],
  nameOf: (input: Change | List) => string,
) {
  const access = (input: Change) =>
    principalAccess(state, type, nameOf(input), { 'iam:PolicyARN': input.PolicyArn ?? '' });

  const attach: Operation<Change, object> = {
    access,
    handle: (input) =>
      state.write(nameOf(input), async ({ db }) => {
        const row = await requirePrincipal(db, type, nameOf(input));
        checkModifiable(row);
        const arn = input.PolicyArn!;
        const policy = await findPolicy(db, arn);
        if (!policy) throw fault('NoSuchEntity', `Policy ${arn} does not exist or is not attachable.`);
        if (policy.kind === 'aws' && policy.policy.path.startsWith('/aws-service-role/')) {
          throw fault('PolicyNotAttachable', `Cannot attach a Service Role Policy to a Customer ${nouns[type]}.`);
        }
        const attached = await db
          .selectFrom('iam_attachment')
          .select('policy_arn')
          .where('principal_id', '=', row.id)
          .execute();
        if (attached.some((attachment) => attachment.policy_arn === arn)) return {};
        if (attached.length >= mostPolicies) {
          throw fault('LimitExceeded', `Cannot exceed quota for ${quota[type]}: ${mostPolicies}`);
        }
        await db.insertInto('iam_attachment').values({ principal_id: row.id, policy_arn: arn }).execute();
        return {};
      }),
  };

  const detach: Operation<Change, object> = {
    access,
    handle: (input) =>
      state.write(nameOf(input), async ({ db }) => {
        const row = await requirePrincipal(db, type, nameOf(input));
        checkModifiable(row);
        const { numDeletedRows } = await db
          .deleteFrom('iam_attachment')
          .where('principal_id', '=', row.id)
          .where('policy_arn', '=', input.PolicyArn!)
          .executeTakeFirst();
        if (numDeletedRows === 0n) throw policyNotFound(input.PolicyArn!);
        return {};
      }),
  };

  const list: Operation<List, ListAttachedRolePoliciesResponse> = {
    access: (input) => principalAccess(state, type, nameOf(input)),
    async handle(input) {
      const row = await requirePrincipal(state.db, type, nameOf(input));
      const attached = await state.db
        .selectFrom('iam_attachment')
        .select('policy_arn')
        .where('principal_id', '=', row.id)
        .execute();
      const policies = attached
        .map(({ policy_arn }) => ({
          PolicyName: policy_arn.slice(policy_arn.lastIndexOf('/') + 1),
          PolicyArn: policy_arn,
          path: policy_arn.slice(policy_arn.indexOf('/'), policy_arn.lastIndexOf('/') + 1),
        }))
        .filter(({ path }) => input.PathPrefix === undefined || path.startsWith(input.PathPrefix));
      const { items, tail } = page(policies, input, (policy) => policy.PolicyArn);
      return { AttachedPolicies: items.map(({ path: _, ...policy }) => policy), ...tail };
    },
  };

  return { attach, detach, list };
}

const nouns = { user: 'User', group: 'Group', role: 'Role' } as const;
