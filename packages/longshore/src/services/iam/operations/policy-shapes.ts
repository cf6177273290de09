import type { Policy } from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import { fault } from '../faults.ts';
import { type ManagedPolicy, requirePolicy } from '../lookups.ts';
import type { IamTables, PolicyRow } from '../tables.ts';

type Db = Kysely<IamTables>;

export interface Counts {
  readonly attachments: number;
  readonly boundaries: number;
}

/** How often each policy is attached and is a boundary, by ARN. */
export async function counts(db: Db): Promise<ReadonlyMap<string, Counts>> {
  const attached = await db.selectFrom('iam_attachment').select('policy_arn').execute();
  const boundaries = await db
    .selectFrom('iam_principal')
    .select('boundary_arn')
    .where('boundary_arn', 'is not', null)
    .execute();
  const found = new Map<string, { attachments: number; boundaries: number }>();
  const of = (arn: string) => {
    const there = found.get(arn) ?? { attachments: 0, boundaries: 0 };
    found.set(arn, there);
    return there;
  };
  for (const { policy_arn } of attached) of(policy_arn).attachments++;
  for (const { boundary_arn } of boundaries) of(boundary_arn!).boundaries++;
  return found;
}

export const policyArn = (policy: ManagedPolicy): string =>
  policy.kind === 'aws' ? policy.policy.arn : policy.row.arn;

/** A managed policy as answers show it. */
export function policyShape(policy: ManagedPolicy, used: Counts | undefined): Policy {
  const common = {
    AttachmentCount: used?.attachments ?? 0,
    PermissionsBoundaryUsageCount: used?.boundaries ?? 0,
    IsAttachable: true,
  };
  if (policy.kind === 'aws') {
    const { name, id, arn, path, versionId, createdAt, updatedAt } = policy.policy;
    return {
      ...{ PolicyName: name, PolicyId: id, Arn: arn, Path: path, DefaultVersionId: versionId, ...common },
      ...{ CreateDate: createdAt, UpdateDate: updatedAt },
    };
  }
  const { row } = policy;
  return {
    PolicyName: row.name,
    PolicyId: row.id,
    Arn: row.arn,
    Path: row.path,
    DefaultVersionId: row.default_version_id,
    ...common,
    ...(row.description === null ? {} : { Description: row.description }),
    CreateDate: new Date(row.created_at),
    UpdateDate: new Date(row.updated_at),
  };
}

/** A policy that the account may change. Throws NoSuchEntity, and AccessDenied for AWS's own. */
export async function requireCustomerPolicy(db: Db, arn: string): Promise<PolicyRow> {
  const policy = await requirePolicy(db, arn);
  if (policy.kind === 'aws') throw fault('AccessDenied', `Cannot modify the AWS managed policy ${arn}.`);
  return policy.row;
}
