import type { Caller } from '../../../wire/service.ts';
import type { ContextValues } from './condition.ts';
import { combine, type PolicyKind } from './decision.ts';
import type { Policy, Verdict } from './policy.ts';
import type { Asker } from './principal.ts';

/** What the policies that a thing carries say of a caller. */
export interface ResourceVerdict {
  readonly said: Verdict;
  /** Policies of the caller whose silence does not refuse any more, because the thing's own policy grants. */
  readonly excused: readonly PolicyKind[];
}

const everyKind: readonly PolicyKind[] = ['identity-based policy', 'permissions boundary', 'session policy'];

/**
 * Asks resource-based policies. A grant to a user or to one session stands alone; a grant to a role, or to everyone, stands beside
 * what the role's own policies say, but its boundary and the session's policies still narrow it
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-resource.html).
 */
export function askResourcePolicies(
  policies: readonly Policy[],
  caller: Caller,
  request: { readonly action: string; readonly resource: string; readonly context: ContextValues },
): ResourceVerdict {
  const ask = (asker: Asker) => combine(policies, { ...request, asker });
  const { accountId, arn, roleArn } = caller;
  const said = ask({ kind: 'aws', accountId, arn, roleArn });
  if (said !== 'allow') return { said, excused: [] };
  if (caller.type !== 'assumed-role') return { said, excused: everyKind };
  const toTheSession = ask({ kind: 'aws', accountId, arn }) === 'allow';
  const toEveryone = ask({ kind: 'aws', accountId, arn: `${arn}:nobody` }) === 'allow';
  return { said, excused: toTheSession && !toEveryone ? everyKind : ['identity-based policy'] };
}
