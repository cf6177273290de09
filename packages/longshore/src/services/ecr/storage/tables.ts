import type { Kysely, Migration } from 'kysely';
import { sql } from 'kysely';
import type { Migrations } from '../../../state/store.ts';

/** What clean-up adds to `ecr_blob`. Times are milliseconds since the epoch. */
export interface BlobLease {
  /** Since when no repository holds it; null while one does. */
  condemned_at: number | null;
  /** Its bytes are being removed: nobody may count on them any more. */
  removing_at: number | null;
}

const leases: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('ecr_blob').addColumn('condemned_at', 'bigint').execute();
    await db.schema.alterTable('ecr_blob').addColumn('removing_at', 'bigint').execute();
    await db.schema.createIndex('ecr_blob_condemned').on('ecr_blob').column('condemned_at').execute();
    await db.schema
      .alterTable('ecr_repository_blob')
      .addColumn('leased_at', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update ecr_repository_blob set leased_at = linked_at`.execute(db);
  },
};

export const ecrStorageMigrations: Migrations = { 'ecr-002-leases': leases };
