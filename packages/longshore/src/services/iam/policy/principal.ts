/** Who asks, as the Principal element of a trust policy sees them. */
export type Asker =
  | { readonly kind: 'service'; readonly service: string }
  | {
      readonly kind: 'aws';
      readonly accountId: string;
      readonly arn: string;
      /** The role behind an assumed-role session. */
      readonly roleArn?: string | undefined;
    };

/** Principal of a statement: everyone, or names by their kind. */
export type PrincipalElement = '*' | Readonly<Record<string, readonly string[]>>;

/**
 * How a Principal element names the asker: `direct` grants by itself, `account` only lets the account's own policies grant
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
 */
export function matchPrincipal(element: PrincipalElement, asker: Asker): 'direct' | 'account' | undefined {
  if (element === '*') return 'direct';
  if (asker.kind === 'service') {
    return element.Service?.some((name) => name === '*' || name === asker.service) ? 'direct' : undefined;
  }
  const root = `arn:aws:iam::${asker.accountId}:root`;
  let found: 'direct' | 'account' | undefined;
  for (const name of element.AWS ?? []) {
    if (name === '*' || (name === asker.arn && name !== root) || name === asker.roleArn) return 'direct';
    if (name === asker.accountId || name === root) found = asker.arn === root ? 'direct' : 'account';
  }
  return found;
}
