import type { Policy, PolicyRequest, Verdict } from './policy.ts';

/** All policies that bear on what an identity may do. */
export interface PolicySet {
  /** Of the user and its groups, or of the role. */
  readonly identity: readonly Policy[];
  readonly boundary?: Policy | undefined;
  /** Given when the session was made: they only narrow. */
  readonly session?: readonly Policy[] | undefined;
}

export type PolicyKind = 'identity-based policy' | 'resource-based policy' | 'permissions boundary' | 'session policy';

export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly explicit: boolean; readonly kind: PolicyKind };

/**
 * Within one account: an explicit deny anywhere wins, and every kind of policy that is there must allow
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
 * `excused`: kinds whose silence does not refuse, because a resource's own policy grants already.
 */
export function decide(policies: PolicySet, request: PolicyRequest, excused: readonly PolicyKind[] = []): Decision {
  const kinds: readonly (readonly [PolicyKind, readonly Policy[] | undefined])[] = [
    ['identity-based policy', policies.identity],
    ['permissions boundary', policies.boundary && [policies.boundary]],
    ['session policy', policies.session],
  ];
  let refused: PolicyKind | undefined;
  for (const [kind, list] of kinds) {
    if (!list) continue;
    const verdict = combine(list, request);
    if (verdict === 'deny') return { allowed: false, explicit: true, kind };
    if (verdict !== 'allow' && !excused.includes(kind)) refused ??= kind;
  }
  return refused ? { allowed: false, explicit: false, kind: refused } : { allowed: true };
}

/** What several policies of one kind say together. */
export function combine(policies: readonly Policy[], request: PolicyRequest): Verdict {
  let verdict: Verdict = 'silent';
  for (const policy of policies) {
    const said = policy.evaluate(request);
    if (said === 'deny') return 'deny';
    if (said === 'allow' || (said === 'account' && verdict === 'silent')) verdict = said;
  }
  return verdict;
}

/** The message of AccessDenied as AWS words it (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html). */
export function refusal(who: string, action: string, resource: string, decision: Decision): string {
  const said = `User: ${who} is not authorized to perform: ${action} on resource: ${resource}`;
  if (decision.allowed) return said;
  const article = decision.kind === 'identity-based policy' ? 'an' : 'a';
  if (decision.explicit) return `${said} with an explicit deny in ${article} ${decision.kind}`;
  return `${said} because no ${decision.kind} allows the ${action} action`;
}
