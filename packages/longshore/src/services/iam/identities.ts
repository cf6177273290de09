import { defaultDocument } from './lookups.ts';
import { awsManagedPolicies } from './managed/aws-managed.ts';
import type { PolicySet } from './policy/decision.ts';
import { parsePolicy } from './policy/grammar.ts';
import { compilePolicy, type Policy } from './policy/policy.ts';
import type { IamState } from './state.ts';
import type { PrincipalRow } from './tables.ts';

/** Finds and compiles the policies that bear on users and roles. */
export interface Identities {
  policiesOf(principal: PrincipalRow): Promise<PolicySet>;
  /** The policy of that ARN, compiled; undefined where there is none. */
  managed(arn: string): Promise<Policy | undefined>;
}

/** Reads the policies of principals, and keeps AWS's own compiled. */
export function createIdentities(state: IamState): Identities {
  const { db } = state;
  // AWS's own never change, and most principals share them.
  const aws = new Map<string, Policy>();

  const managed = async (arn: string): Promise<Policy | undefined> => {
    const known = aws.get(arn);
    if (known) return known;
    const document = await defaultDocument(db, arn);
    if (document === undefined) return undefined;
    const policy = compile(document);
    if (awsManagedPolicies.has(arn)) aws.set(arn, policy);
    return policy;
  };

  return {
    managed,
    async policiesOf(principal) {
      const owners = [principal.id];
      if (principal.type === 'user') {
        const groups = await db
          .selectFrom('iam_membership')
          .select('group_id')
          .where('user_id', '=', principal.id)
          .execute();
        owners.push(...groups.map((group) => group.group_id));
      }
      const inline = await db
        .selectFrom('iam_inline_policy')
        .select('document')
        .where('principal_id', 'in', owners)
        .execute();
      const attached = await db
        .selectFrom('iam_attachment')
        .select('policy_arn')
        .distinct()
        .where('principal_id', 'in', owners)
        .execute();
      const found = await Promise.all(attached.map((attachment) => managed(attachment.policy_arn)));
      return {
        identity: [
          ...inline.map((policy) => compile(policy.document)),
          ...found.filter((policy) => policy !== undefined),
        ],
        // A boundary that is gone allows nothing, as at AWS.
        boundary: principal.boundary_arn ? ((await managed(principal.boundary_arn)) ?? nothing) : undefined,
      };
    },
  };
}

export const compile = (document: string): Policy => compilePolicy(parsePolicy(document, 'identity'));

const nothing: Policy = { evaluate: () => 'silent' };
