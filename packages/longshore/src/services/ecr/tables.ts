import type { Generated, Kysely, Migration } from 'kysely';
import type { Migrations } from '../../state/store.ts';
import { type EcrGovernanceTables, ecrGovernanceMigrations } from './governance-tables.ts';
import { type EcrScanningTables, ecrScanningMigrations } from './scanning/tables.ts';
import { type BlobLease, ecrStorageMigrations } from './storage/tables.ts';

/** Times are milliseconds since the epoch, sizes bytes, flags 0 or 1, documents JSON text. */
export interface EcrTables extends EcrGovernanceTables, EcrScanningTables {
  ecr_repository: {
    name: string;
    created_at: number;
    tag_mutability: string;
    /** JSON: ECR's ImageTagMutabilityExclusionFilter[]. */
    exclusion_filters: string;
    scan_on_push: number;
    /** JSON: ECR's Tag[]. */
    tags: string;
    /** The repository policy, as it was set. */
    policy: Generated<string | null>;
  };
  /** A file under `blobs/`; one row whatever the number of repositories that hold it. */
  ecr_blob: { digest: string; size: number; created_at: number } & BlobLease;
  /** A repository holds a blob: pushed to it or mounted into it. */
  ecr_repository_blob: {
    repository: string;
    digest: string;
    linked_at: number;
    /** When a push last counted on it: by an upload, a mount, or asking whether it is there. */
    leased_at: number;
  };
  ecr_manifest: {
    repository: string;
    digest: string;
    media_type: string;
    /** Its own artifactType, else its config's media type: what the referrers API filters by. */
    artifact_type: string | null;
    subject: string | null;
    /** Length of `content` in bytes. */
    size: number;
    /** What ECR calls imageSizeInBytes: config and layers; for an index the largest child. */
    image_size: number;
    pushed_at: number;
    pulled_at: number | null;
    /** The bytes that were pushed; they are valid UTF-8, checked at the push. */
    content: string;
    /** An archived image is kept but can't be pulled. */
    image_status: Generated<'ACTIVE' | 'ARCHIVED'>;
    archived_at: Generated<number | null>;
    activated_at: Generated<number | null>;
  };
  /** What a manifest needs: its config, layers or children. */
  ecr_manifest_ref: {
    repository: string;
    digest: string;
    position: number;
    kind: 'config' | 'layer' | 'manifest';
    target: string;
  };
  ecr_tag: { repository: string; tag: string; digest: string; tagged_at: number };
  /** A manifest whose `subject` is another, which may not be there (yet). */
  ecr_referrer: {
    repository: string;
    subject: string;
    digest: string;
    media_type: string;
    artifact_type: string | null;
    size: number;
    /** JSON object or null. */
    annotations: string | null;
  };
  /** An upload under way: a file under `uploads/`, whose length is the truth about how far it is. */
  ecr_upload: {
    id: string;
    repository: string;
    algorithm: string;
    started_at: number;
    /** Where the first part below ECR's least size ended: no part may follow it. */
    short_part_end: number | null;
  };
  /** Keys made once. */
  ecr_secret: { name: string; value: string };
}

const first: Migration = {
  async up(db: Kysely<unknown>) {
    const { schema } = db;
    await schema
      .createTable('ecr_repository')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('tag_mutability', 'text', (column) => column.notNull())
      .addColumn('exclusion_filters', 'text', (column) => column.notNull())
      .addColumn('scan_on_push', 'integer', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_blob')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('ecr_repository_blob')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('linked_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_repository_blob_key', ['repository', 'digest'])
      .execute();
    await schema.createIndex('ecr_repository_blob_digest').on('ecr_repository_blob').column('digest').execute();
    await schema
      .createTable('ecr_manifest')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('media_type', 'text', (column) => column.notNull())
      .addColumn('artifact_type', 'text')
      .addColumn('subject', 'text')
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('image_size', 'bigint', (column) => column.notNull())
      .addColumn('pushed_at', 'bigint', (column) => column.notNull())
      .addColumn('pulled_at', 'bigint')
      .addColumn('content', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_manifest_key', ['repository', 'digest'])
      .execute();
    await schema
      .createTable('ecr_manifest_ref')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_manifest_ref_key', ['repository', 'digest', 'position'])
      .execute();
    await schema
      .createIndex('ecr_manifest_ref_target')
      .on('ecr_manifest_ref')
      .columns(['repository', 'target'])
      .execute();
    await schema
      .createTable('ecr_tag')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('tag', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('tagged_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('ecr_tag_key', ['repository', 'tag'])
      .execute();
    await schema.createIndex('ecr_tag_digest').on('ecr_tag').columns(['repository', 'digest']).execute();
    await schema
      .createTable('ecr_referrer')
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('media_type', 'text', (column) => column.notNull())
      .addColumn('artifact_type', 'text')
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('annotations', 'text')
      .addPrimaryKeyConstraint('ecr_referrer_key', ['repository', 'subject', 'digest'])
      .execute();
    await schema
      .createTable('ecr_upload')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('repository', 'text', (column) => column.notNull())
      .addColumn('algorithm', 'text', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('short_part_end', 'bigint')
      .execute();
    await schema
      .createTable('ecr_secret')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute();
  },
};

export const ecrMigrations: Migrations = {
  'ecr-001-registry': first,
  ...ecrStorageMigrations,
  ...ecrGovernanceMigrations,
  ...ecrScanningMigrations,
};
