import type { Kysely } from 'kysely';
import type { Migrations } from '../../../state/store.ts';

/** Times are milliseconds since the epoch, documents JSON text. */
export interface EcrScanningTables {
  /** Where advisories come from. Its rows elsewhere count only under this generation: an import takes effect all at once. */
  ecr_advisory_source: {
    name: string;
    format: string;
    generation: string;
    imported_at: number;
    /** The latest change that its data names, or the time of the import. */
    updated_at: number;
    advisories: number;
    overlays: number;
    /** JSON: string[]. */
    ecosystems: string;
  };
  ecr_advisory: {
    source: string;
    generation: string;
    sequence: number;
    ecosystem: string;
    name: string;
    /** JSON: Advisory. */
    document: string;
  };
  ecr_advisory_overlay: {
    source: string;
    generation: string;
    sequence: number;
    /** A CVE. */
    id: string;
    /** JSON: Overlay. */
    document: string;
  };
  ecr_image_scan: {
    repository: string;
    digest: string;
    /** PENDING, IN_PROGRESS, COMPLETE, FAILED or UNSUPPORTED_IMAGE. */
    status: string;
    description: string | null;
    requested_at: number;
    completed_at: number | null;
    /** When the newest of the advisories that it went by was changed. */
    advisories_at: number | null;
    /** JSON: counts by severity. */
    counts: string | null;
    /** Which findings are this scan's; those of another run don't count. */
    run: string | null;
    attempts: number;
  };
  ecr_image_finding: {
    repository: string;
    digest: string;
    run: string;
    position: number;
    /** JSON: Finding. */
    document: string;
  };
  /** What is in an image, found once: images never change. */
  ecr_image_inventory: {
    digest: string;
    /** Of the reader that made it; another's is made anew. */
    reader: number;
    found_at: number;
    /** JSON: Inventory. */
    document: string;
  };
  /** SBOMs that scans stored as referrers. */
  ecr_image_sbom: { repository: string; subject: string; digest: string };
}

export const ecrScanningMigrations: Migrations = {
  'ecr-scanning-001': {
    async up(db: Kysely<unknown>) {
      const { schema } = db;
      await schema
        .createTable('ecr_advisory_source')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('format', 'text', (column) => column.notNull())
        .addColumn('generation', 'text', (column) => column.notNull())
        .addColumn('imported_at', 'bigint', (column) => column.notNull())
        .addColumn('updated_at', 'bigint', (column) => column.notNull())
        .addColumn('advisories', 'integer', (column) => column.notNull())
        .addColumn('overlays', 'integer', (column) => column.notNull())
        .addColumn('ecosystems', 'text', (column) => column.notNull())
        .execute();
      await schema
        .createTable('ecr_advisory')
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('generation', 'text', (column) => column.notNull())
        .addColumn('sequence', 'integer', (column) => column.notNull())
        .addColumn('ecosystem', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('ecr_advisory_key', ['source', 'generation', 'sequence'])
        .execute();
      await schema.createIndex('ecr_advisory_package').on('ecr_advisory').columns(['ecosystem', 'name']).execute();
      await schema
        .createTable('ecr_advisory_overlay')
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('generation', 'text', (column) => column.notNull())
        .addColumn('sequence', 'integer', (column) => column.notNull())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('ecr_advisory_overlay_key', ['source', 'generation', 'sequence'])
        .execute();
      await schema.createIndex('ecr_advisory_overlay_id').on('ecr_advisory_overlay').column('id').execute();
      await schema
        .createTable('ecr_image_scan')
        .addColumn('repository', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('status', 'text', (column) => column.notNull())
        .addColumn('description', 'text')
        .addColumn('requested_at', 'bigint', (column) => column.notNull())
        .addColumn('completed_at', 'bigint')
        .addColumn('advisories_at', 'bigint')
        .addColumn('counts', 'text')
        .addColumn('run', 'text')
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('ecr_image_scan_key', ['repository', 'digest'])
        .execute();
      await schema.createIndex('ecr_image_scan_status').on('ecr_image_scan').column('status').execute();
      await schema
        .createTable('ecr_image_finding')
        .addColumn('repository', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('run', 'text', (column) => column.notNull())
        .addColumn('position', 'integer', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('ecr_image_finding_key', ['repository', 'digest', 'run', 'position'])
        .execute();
      await schema
        .createTable('ecr_image_inventory')
        .addColumn('digest', 'text', (column) => column.primaryKey())
        .addColumn('reader', 'integer', (column) => column.notNull())
        .addColumn('found_at', 'bigint', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .execute();
      await schema
        .createTable('ecr_image_sbom')
        .addColumn('repository', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('ecr_image_sbom_key', ['repository', 'digest'])
        .execute();
      await schema
        .createIndex('ecr_image_sbom_subject')
        .on('ecr_image_sbom')
        .columns(['repository', 'subject'])
        .execute();
    },
  },
};
