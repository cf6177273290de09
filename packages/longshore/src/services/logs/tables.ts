import type { Kysely } from 'kysely';
import type { Migrations } from '../../state/store.ts';

export interface GroupRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  /** Null: kept for ever. */
  readonly retention_days: number | null;
  readonly class: string;
  readonly kms_key_id: string | null;
  readonly deletion_protection: number;
  /** Bytes of all its events as they are billed: UTF-8 and 26 each. */
  readonly stored_bytes: number;
}

export interface StreamRow {
  readonly id: string;
  readonly group_id: string;
  readonly name: string;
  readonly created_at: number;
  readonly first_event_at: number | null;
  readonly last_event_at: number | null;
  readonly last_ingested_at: number | null;
  /** What the next event's `sequence` will be. */
  readonly next_sequence: number;
}

export interface EventRow {
  readonly stream_id: string;
  readonly group_id: string;
  /** Milliseconds since the epoch, from the sender. */
  readonly timestamp: number;
  /** Order of arrival within the stream. */
  readonly sequence: number;
  readonly ingested_at: number;
  readonly bytes: number;
  readonly message: string;
}

export interface TagRow {
  readonly group_id: string;
  readonly key: string;
  readonly value: string;
}

/** Streams that are gone and whose events are still to be deleted. */
export interface GarbageRow {
  readonly stream_id: string;
}

export interface LogsTables {
  logs_group: GroupRow;
  logs_stream: StreamRow;
  logs_event: EventRow;
  logs_tag: TagRow;
  logs_garbage: GarbageRow;
}

export const logsMigrations: Migrations = {
  'logs-001-groups': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('logs_group')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('retention_days', 'integer')
        .addColumn('class', 'text', (c) => c.notNull())
        .addColumn('kms_key_id', 'text')
        .addColumn('deletion_protection', 'integer', (c) => c.notNull())
        .addColumn('stored_bytes', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('logs_stream')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('group_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('first_event_at', 'bigint')
        .addColumn('last_event_at', 'bigint')
        .addColumn('last_ingested_at', 'bigint')
        .addColumn('next_sequence', 'bigint', (c) => c.notNull())
        .addUniqueConstraint('logs_stream_name', ['group_id', 'name'])
        .execute();
      await db.schema
        .createTable('logs_event')
        .addColumn('stream_id', 'text', (c) => c.notNull())
        .addColumn('group_id', 'text', (c) => c.notNull())
        .addColumn('timestamp', 'bigint', (c) => c.notNull())
        .addColumn('sequence', 'bigint', (c) => c.notNull())
        .addColumn('ingested_at', 'bigint', (c) => c.notNull())
        .addColumn('bytes', 'integer', (c) => c.notNull())
        .addColumn('message', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('logs_event_pk', ['stream_id', 'timestamp', 'sequence'])
        .execute();
      await db.schema
        .createIndex('logs_event_group')
        .on('logs_event')
        .columns(['group_id', 'timestamp', 'stream_id', 'sequence'])
        .execute();
      await db.schema
        .createTable('logs_tag')
        .addColumn('group_id', 'text', (c) => c.notNull())
        .addColumn('key', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('logs_tag_pk', ['group_id', 'key'])
        .execute();
      await db.schema
        .createTable('logs_garbage')
        .addColumn('stream_id', 'text', (c) => c.primaryKey())
        .execute();
    },
  },
};
