import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migrations } from '../../state/store.ts';

/** A user, group or role. */
export interface PrincipalRow {
  /** AIDA…, AGPA…, AROA… */
  readonly id: string;
  readonly type: 'user' | 'group' | 'role';
  readonly name: string;
  readonly path: string;
  readonly created_at: number;
  readonly boundary_arn: string | null;
  /** Of roles from here on. */
  readonly trust_policy: string | null;
  readonly description: string | null;
  readonly max_session_seconds: number | null;
  /** The service that a service-linked role belongs to. */
  readonly linked_service: string | null;
}

export interface MembershipRow {
  readonly group_id: string;
  readonly user_id: string;
}

/** A long-term key. */
export interface AccessKeyRow {
  readonly id: string;
  /** A user's id, or `root` or `node`. */
  readonly principal_id: string;
  readonly secret: string;
  readonly status: 'Active' | 'Inactive';
  readonly created_at: number;
  readonly last_used_at: number | null;
  readonly last_used_service: string | null;
  readonly last_used_region: string | null;
}

/** Temporary credentials. */
export interface SessionRow {
  readonly access_key_id: string;
  readonly secret: string;
  readonly token: string;
  /** A role's or a user's id, or `root`. */
  readonly principal_id: string;
  /** Of a role's session. */
  readonly session_name: string | null;
  /** Documents that narrow the session, as a JSON list; null where nothing does. */
  readonly policies: string | null;
  /** JSON object. */
  readonly tags: string;
  readonly source_identity: string | null;
  readonly created_at: number;
  readonly expires_at: number;
}

export interface PolicyRow {
  readonly arn: string;
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly description: string | null;
  readonly default_version_id: string;
  /** Number of the version that comes next. */
  readonly next_version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export interface PolicyVersionRow {
  readonly policy_arn: string;
  readonly version_id: string;
  readonly document: string;
  readonly created_at: number;
}

export interface InlinePolicyRow {
  readonly principal_id: string;
  readonly name: string;
  readonly document: string;
}

export interface AttachmentRow {
  readonly principal_id: string;
  readonly policy_arn: string;
}

export interface InstanceProfileRow {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly created_at: number;
  readonly role_id: string | null;
}

export interface TagRow {
  /** A principal's or instance profile's id, or a policy's ARN. */
  readonly owner: string;
  readonly key: string;
  readonly value: string;
}

export interface AliasRow {
  readonly alias: string;
}

export interface IamTables {
  iam_principal: PrincipalRow;
  iam_membership: MembershipRow;
  iam_access_key: AccessKeyRow;
  iam_session: SessionRow;
  iam_policy: PolicyRow;
  iam_policy_version: PolicyVersionRow;
  iam_inline_policy: InlinePolicyRow;
  iam_attachment: AttachmentRow;
  iam_instance_profile: InstanceProfileRow;
  iam_tag: TagRow;
  iam_alias: AliasRow;
}

export const iamMigrations: Migrations = {
  'iam-001-identities': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('iam_principal')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('type', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('path', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('boundary_arn', 'text')
        .addColumn('trust_policy', 'text')
        .addColumn('description', 'text')
        .addColumn('max_session_seconds', 'integer')
        .addColumn('linked_service', 'text')
        .execute();
      // Names differ by more than case (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
      await sql`create unique index iam_principal_name on iam_principal (type, lower(name))`.execute(db);
      await db.schema
        .createTable('iam_membership')
        .addColumn('group_id', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('iam_membership_pk', ['group_id', 'user_id'])
        .execute();
      await db.schema
        .createTable('iam_access_key')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('principal_id', 'text', (c) => c.notNull())
        .addColumn('secret', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint')
        .addColumn('last_used_service', 'text')
        .addColumn('last_used_region', 'text')
        .execute();
      await db.schema
        .createTable('iam_session')
        .addColumn('access_key_id', 'text', (c) => c.primaryKey())
        .addColumn('secret', 'text', (c) => c.notNull())
        .addColumn('token', 'text', (c) => c.notNull())
        .addColumn('principal_id', 'text', (c) => c.notNull())
        .addColumn('session_name', 'text')
        .addColumn('policies', 'text')
        .addColumn('tags', 'text', (c) => c.notNull())
        .addColumn('source_identity', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('expires_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('iam_session_expiry').on('iam_session').column('expires_at').execute();
    },
  },
  'iam-002-policies': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('iam_policy')
        .addColumn('arn', 'text', (c) => c.primaryKey())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('path', 'text', (c) => c.notNull())
        .addColumn('description', 'text')
        .addColumn('default_version_id', 'text', (c) => c.notNull())
        .addColumn('next_version', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('updated_at', 'bigint', (c) => c.notNull())
        .execute();
      await sql`create unique index iam_policy_name on iam_policy (lower(name))`.execute(db);
      await db.schema
        .createTable('iam_policy_version')
        .addColumn('policy_arn', 'text', (c) => c.notNull())
        .addColumn('version_id', 'text', (c) => c.notNull())
        .addColumn('document', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('iam_policy_version_pk', ['policy_arn', 'version_id'])
        .execute();
      await db.schema
        .createTable('iam_inline_policy')
        .addColumn('principal_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('document', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('iam_inline_policy_pk', ['principal_id', 'name'])
        .execute();
      await db.schema
        .createTable('iam_attachment')
        .addColumn('principal_id', 'text', (c) => c.notNull())
        .addColumn('policy_arn', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('iam_attachment_pk', ['principal_id', 'policy_arn'])
        .execute();
      await db.schema
        .createTable('iam_instance_profile')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('path', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('role_id', 'text')
        .execute();
      await sql`create unique index iam_instance_profile_name on iam_instance_profile (lower(name))`.execute(db);
      await db.schema
        .createTable('iam_tag')
        .addColumn('owner', 'text', (c) => c.notNull())
        .addColumn('key', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('iam_tag_pk', ['owner', 'key'])
        .execute();
      await db.schema
        .createTable('iam_alias')
        .addColumn('alias', 'text', (c) => c.primaryKey())
        .execute();
    },
  },
};
