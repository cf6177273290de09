import documents from './documents.json' with { type: 'json' };

/** A policy that AWS keeps: the same in every account, read-only. */
export interface AwsManagedPolicy {
  readonly arn: string;
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly versionId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** JSON text. */
  readonly document: string;
}

/**
 * The policies of https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html that containers, their
 * network and their logs need, by ARN. AWS's ids for them are not published; ours are made from the name and never change.
 */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(
  documents.map((policy) => {
    const arn = `arn:aws:iam::aws:policy${policy.path}${policy.name}`;
    return [
      arn,
      {
        arn,
        id: stableId(policy.name),
        name: policy.name,
        path: policy.path,
        versionId: policy.versionId,
        createdAt: new Date(policy.createdAt),
        updatedAt: new Date(policy.updatedAt),
        document: JSON.stringify(policy.document, null, 2),
      },
    ];
  }),
);

/** `ANPA` and 17 letters and digits that depend on the name alone (FNV-1a, spread by a linear congruential generator). */
function stableId(name: string): string {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  let id = 'ANPA';
  while (id.length < 21) {
    hash = (Math.imul(hash, 1664525) + 1013904223) >>> 0;
    id += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[hash >>> 27];
  }
  return id;
}
