import type { Kysely } from 'kysely';
import { fault } from '../faults.ts';
import { newId } from '../ids.ts';
import { findPrincipal, requirePolicy } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { IamTables, PrincipalRow } from '../tables.ts';

type Db = Kysely<IamTables>;

const idPrefix = { user: 'AIDA', group: 'AGPA', role: 'AROA' } as const;
const kindName = { user: 'User', group: 'Group', role: 'Role' } as const;

type NewPrincipal = Pick<PrincipalRow, 'type' | 'name'> & { readonly path: string | undefined } & Partial<
    Pick<PrincipalRow, 'boundary_arn' | 'trust_policy' | 'description' | 'max_session_seconds'>
  >;

/** Throws EntityAlreadyExists; names differ by more than case. */
export async function insertPrincipal(state: IamState, db: Db, given: NewPrincipal): Promise<PrincipalRow> {
  await checkNameFree(db, given.type, given.name);
  if (given.boundary_arn) await requirePolicy(db, given.boundary_arn);
  const row: PrincipalRow = {
    id: newId(state.random, idPrefix[given.type]),
    type: given.type,
    name: given.name,
    path: given.path ?? '/',
    created_at: state.clock.now(),
    boundary_arn: given.boundary_arn ?? null,
    trust_policy: given.trust_policy ?? null,
    description: given.description ?? null,
    max_session_seconds: given.max_session_seconds ?? null,
    linked_service: null,
  };
  await db.insertInto('iam_principal').values(row).execute();
  return row;
}

/** Throws EntityAlreadyExists. */
export async function checkNameFree(db: Db, type: PrincipalRow['type'], name: string): Promise<void> {
  if (await findPrincipal(db, type, name)) {
    throw fault('EntityAlreadyExists', `${kindName[type]} with name ${name} already exists.`);
  }
}

/** All of a kind whose path starts with `pathPrefix`. */
export async function listPrincipals(
  db: Db,
  type: PrincipalRow['type'],
  pathPrefix: string | undefined,
): Promise<PrincipalRow[]> {
  const rows = await db.selectFrom('iam_principal').selectAll().where('type', '=', type).execute();
  return pathPrefix === undefined ? rows : rows.filter((row) => row.path.startsWith(pathPrefix));
}

/** Gives a user or group another name or path. Throws EntityAlreadyExists. */
export async function renamePrincipal(
  db: Db,
  row: PrincipalRow,
  name: string | undefined,
  path: string | undefined,
): Promise<void> {
  if (name !== undefined && name.toLowerCase() !== row.name.toLowerCase()) await checkNameFree(db, row.type, name);
  await db
    .updateTable('iam_principal')
    .set({ name: name ?? row.name, path: path ?? row.path })
    .where('id', '=', row.id)
    .execute();
}

/** Throws DeleteConflict while policies hang on it, in AWS's order. */
export async function checkNoPolicies(db: Db, principalId: string): Promise<void> {
  const attached = await db
    .selectFrom('iam_attachment')
    .select('policy_arn')
    .where('principal_id', '=', principalId)
    .executeTakeFirst();
  if (attached) throw fault('DeleteConflict', 'Cannot delete entity, must detach all policies first.');
  const inline = await db
    .selectFrom('iam_inline_policy')
    .select('name')
    .where('principal_id', '=', principalId)
    .executeTakeFirst();
  if (inline) throw fault('DeleteConflict', 'Cannot delete entity, must delete policies first.');
}

/** Takes the row and its tags away. */
export async function removePrincipal(db: Db, principalId: string): Promise<void> {
  await db.deleteFrom('iam_tag').where('owner', '=', principalId).execute();
  await db.deleteFrom('iam_session').where('principal_id', '=', principalId).execute();
  await db.deleteFrom('iam_principal').where('id', '=', principalId).execute();
}

/** Throws UnmodifiableEntity for roles that belong to a service. */
export function checkModifiable(role: PrincipalRow): void {
  if (role.linked_service === null) return;
  throw fault(
    'UnmodifiableEntity',
    `Cannot perform the operation on the protected role '${role.name}' - this role is only modifiable by AWS`,
  );
}
