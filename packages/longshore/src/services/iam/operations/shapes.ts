import type { Kysely } from 'kysely';
import { encodeDocument } from '../documents.ts';
import { principalArn, profileArn } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { IamTables, InstanceProfileRow, PrincipalRow } from '../tables.ts';
import { readTags, tagsMember } from './tagging.ts';

type Db = Kysely<IamTables>;

const boundary = (row: PrincipalRow) =>
  row.boundary_arn
    ? {
        PermissionsBoundary: {
          PermissionsBoundaryType: 'Policy' as never,
          PermissionsBoundaryArn: row.boundary_arn,
        },
      }
    : {};

export const userShape = (state: IamState, row: PrincipalRow) => ({
  Path: row.path,
  UserName: row.name,
  UserId: row.id,
  Arn: principalArn(state, row),
  CreateDate: new Date(row.created_at),
});

/** With tags and boundary, which lists leave out. */
export const fullUserShape = async (state: IamState, db: Db, row: PrincipalRow) => ({
  ...userShape(state, row),
  ...boundary(row),
  ...tagsMember(await readTags(db, row.id)),
});

export const groupShape = (state: IamState, row: PrincipalRow) => ({
  Path: row.path,
  GroupName: row.name,
  GroupId: row.id,
  Arn: principalArn(state, row),
  CreateDate: new Date(row.created_at),
});

export const roleShape = (state: IamState, row: PrincipalRow) => ({
  Path: row.path,
  RoleName: row.name,
  RoleId: row.id,
  Arn: principalArn(state, row),
  CreateDate: new Date(row.created_at),
  AssumeRolePolicyDocument: encodeDocument(row.trust_policy ?? ''),
  ...(row.description === null ? {} : { Description: row.description }),
  MaxSessionDuration: row.max_session_seconds ?? 3600,
});

/** With tags, boundary and last use, which lists leave out. */
export const fullRoleShape = async (state: IamState, db: Db, row: PrincipalRow) => ({
  ...roleShape(state, row),
  ...boundary(row),
  ...tagsMember(await readTags(db, row.id)),
  RoleLastUsed: {},
});

/** With its role and its tags. */
export async function profileShape(state: IamState, db: Db, row: InstanceProfileRow) {
  const role = row.role_id
    ? await db.selectFrom('iam_principal').selectAll().where('id', '=', row.role_id).executeTakeFirst()
    : undefined;
  return {
    Path: row.path,
    InstanceProfileName: row.name,
    InstanceProfileId: row.id,
    Arn: profileArn(state, row),
    CreateDate: new Date(row.created_at),
    Roles: role ? [roleShape(state, role)] : [],
    ...tagsMember(await readTags(db, row.id)),
  };
}
