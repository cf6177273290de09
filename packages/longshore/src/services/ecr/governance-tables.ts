import type { Kysely, Migration } from 'kysely';
import type { Migrations } from '../../state/store.ts';

/** Policies, rules and templates of the registry, and what comes of them. Units and types as in `tables.ts`. */
export interface EcrGovernanceTables {
  /** JSON documents of the registry as a whole: `policy`, `replication`, `signing`, and settings as `setting:NAME`. */
  ecr_registry_document: { name: string; document: string };
  ecr_lifecycle_policy: { repository: string; document: string; evaluated_at: number | null };
  ecr_lifecycle_preview: {
    repository: string;
    document: string;
    status: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED';
    started_at: number;
    /** JSON: PreviewResult[]. */
    results: string;
  };
  ecr_creation_template: {
    prefix: string;
    /** JSON: TemplateDocument. */
    document: string;
    created_at: number;
    updated_at: number;
  };
  ecr_pull_through_rule: {
    prefix: string;
    upstream_url: string;
    upstream_registry: string | null;
    upstream_prefix: string;
    credential_arn: string | null;
    custom_role_arn: string | null;
    created_at: number;
    updated_at: number;
  };
  /** When a tag of a pull-through repository was last compared with its upstream's. */
  ecr_upstream_tag: { repository: string; tag: string; digest: string; checked_at: number };
  /** Manifests handed through whose blobs are still on their way into the repository. */
  ecr_upstream_manifest: {
    repository: string;
    digest: string;
    media_type: string;
    content: string;
    fetched_at: number;
  };
  ecr_replication: {
    repository: string;
    digest: string;
    /** Empty where the image was pushed by digest. */
    tag: string;
    region: string;
    registry_id: string;
    status: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED';
    failure_code: string | null;
    attempts: number;
    /** When it is tried next. */
    due_at: number;
  };
  ecr_pull_time_exclusion: { principal_arn: string; created_at: number };
}

const governance: Migration = {
  async up(db: Kysely<unknown>) {
    const { schema } = db;
    await schema.alterTable('ecr_repository').addColumn('policy', 'text').execute();
    await schema
      .alterTable('ecr_manifest')
      .addColumn('image_status', 'text', (column) => column.notNull().defaultTo('ACTIVE'))
      .execute();
    await schema.alterTable('ecr_manifest').addColumn('archived_at', 'bigint').execute();
    await schema.alterTable('ecr_manifest').addColumn('activated_at', 'bigint').execute();
    await schema
      .createTable('ecr_registry_document')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('document', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_lifecycle_policy')
      .addColumn('repository', 'text', (column) => column.primaryKey())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('evaluated_at', 'bigint')
      .execute();
    await schema
      .createTable('ecr_lifecycle_preview')
      .addColumn('repository', 'text', (column) => column.primaryKey())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('results', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_creation_template')
      .addColumn('prefix', 'text', (column) => column.primaryKey())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_pull_through_rule')
      .addColumn('prefix', 'text', (column) => column.primaryKey())
      .addColumn('upstream_url', 'text', (column) => column.notNull())
      .addColumn('upstream_registry', 'text')
      .addColumn('upstream_prefix', 'text', (column) => column.notNull())
      .addColumn('credential_arn', 'text')
      .addColumn('custom_role_arn', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_upstream_tag')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('tag', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('checked_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_upstream_tag_key', ['repository', 'tag'])
      .execute();
    await schema
      .createTable('ecr_upstream_manifest')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('media_type', 'text', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull())
      .addColumn('fetched_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_upstream_manifest_key', ['repository', 'digest'])
      .execute();
    await schema
      .createTable('ecr_replication')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('tag', 'text', (column) => column.notNull())
      .addColumn('region', 'text', (column) => column.notNull())
      .addColumn('registry_id', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('failure_code', 'text')
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_replication_key', ['repository', 'digest', 'tag', 'region', 'registry_id'])
      .execute();
    await schema.createIndex('ecr_replication_due').on('ecr_replication').columns(['status', 'due_at']).execute();
    await schema
      .createTable('ecr_pull_time_exclusion')
      .addColumn('principal_arn', 'text', (column) => column.primaryKey())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};

export const ecrGovernanceMigrations: Migrations = { 'ecr-002-governance': governance };
