import type { Kysely } from 'kysely';
import { fault, notFound, policyNotFound } from './faults.ts';
import { type AwsManagedPolicy, awsManagedPolicies } from './managed/aws-managed.ts';
import type { IamState } from './state.ts';
import type { IamTables, InstanceProfileRow, PolicyRow, PrincipalRow } from './tables.ts';

type Db = Kysely<IamTables>;

/** The user, group or role of that name, whose case does not count; undefined where there is none. */
export async function findPrincipal(
  db: Db,
  type: PrincipalRow['type'],
  name: string,
): Promise<PrincipalRow | undefined> {
  return db
    .selectFrom('iam_principal')
    .selectAll()
    .where('type', '=', type)
    .where((eb) => eb(eb.fn<string>('lower', ['name']), '=', name.toLowerCase()))
    .executeTakeFirst();
}

/** The user, group or role of that name. Throws NoSuchEntity. */
export async function requirePrincipal(db: Db, type: PrincipalRow['type'], name: string): Promise<PrincipalRow> {
  const row = await findPrincipal(db, type, name);
  if (!row) throw notFound(type, name);
  return row;
}

/** Throws NoSuchEntity. */
export async function requireProfile(db: Db, name: string): Promise<InstanceProfileRow> {
  const row = await db
    .selectFrom('iam_instance_profile')
    .selectAll()
    .where((eb) => eb(eb.fn<string>('lower', ['name']), '=', name.toLowerCase()))
    .executeTakeFirst();
  if (!row) throw fault('NoSuchEntity', `Instance Profile ${name} cannot be found.`);
  return row;
}

export const principalArn = (state: Pick<IamState, 'arn'>, row: Pick<PrincipalRow, 'type' | 'path' | 'name'>): string =>
  state.arn(`${row.type}${row.path}${row.name}`);

export const profileArn = (state: Pick<IamState, 'arn'>, row: Pick<InstanceProfileRow, 'path' | 'name'>): string =>
  state.arn(`instance-profile${row.path}${row.name}`);

/** The role whose ARN this is, path and all; undefined where there is none. */
export async function findRoleByArn(state: IamState, arn: string): Promise<PrincipalRow | undefined> {
  const prefix = state.arn('role/');
  if (!arn.startsWith(prefix)) return undefined;
  const row = await findPrincipal(state.db, 'role', arn.slice(arn.lastIndexOf('/') + 1));
  return row && principalArn(state, row) === arn ? row : undefined;
}

/** A managed policy of the account or of AWS. */
export type ManagedPolicy =
  | { readonly kind: 'customer'; readonly row: PolicyRow }
  | { readonly kind: 'aws'; readonly policy: AwsManagedPolicy };

/** The managed policy of that ARN; undefined where there is none. */
export async function findPolicy(db: Db, arn: string): Promise<ManagedPolicy | undefined> {
  const policy = awsManagedPolicies.get(arn);
  if (policy) return { kind: 'aws', policy };
  const row = await db.selectFrom('iam_policy').selectAll().where('arn', '=', arn).executeTakeFirst();
  return row && { kind: 'customer', row };
}

/** Throws NoSuchEntity. */
export async function requirePolicy(db: Db, arn: string): Promise<ManagedPolicy> {
  const found = await findPolicy(db, arn);
  if (!found) throw policyNotFound(arn);
  return found;
}

/** The document that is in force, as JSON text; undefined where there is no such policy. */
export async function defaultDocument(db: Db, arn: string): Promise<string | undefined> {
  const aws = awsManagedPolicies.get(arn);
  if (aws) return aws.document;
  const row = await db
    .selectFrom('iam_policy as p')
    .innerJoin('iam_policy_version as v', (join) =>
      join.onRef('v.policy_arn', '=', 'p.arn').onRef('v.version_id', '=', 'p.default_version_id'),
    )
    .select('v.document')
    .where('p.arn', '=', arn)
    .executeTakeFirst();
  return row?.document;
}
