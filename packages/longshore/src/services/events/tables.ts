import type { Kysely } from 'kysely';
import type { Migrations } from '../../state/store.ts';

export interface BusRow {
  readonly arn: string;
  readonly name: string;
  readonly description: string | null;
  readonly created_at: number;
  readonly modified_at: number;
}

export interface RuleRow {
  readonly arn: string;
  readonly bus: string;
  readonly name: string;
  readonly pattern: string | null;
  readonly schedule: string | null;
  readonly state: string;
  readonly description: string | null;
  readonly role_arn: string | null;
  readonly created_by: string;
  readonly created_at: number;
  /** When its schedule runs next; null where it has none, is disabled, or never runs again. */
  readonly next_at: number | null;
}

export interface TargetRow {
  readonly rule_arn: string;
  readonly id: string;
  readonly arn: string;
  /** JSON of the whole target as PutTargets got it. */
  readonly document: string;
}

export interface TagRow {
  readonly arn: string;
  readonly key: string;
  readonly value: string;
}

/** What happened lately: what rules are asked about, and what `longshore events` shows. */
export interface EventRow {
  /** Order of arrival; grows, never reused. */
  readonly sequence: number;
  readonly id: string;
  readonly bus: string;
  /** Of whom alone it is the run: an event of a schedule concerns no other rule. Null for all others. */
  readonly rule_arn: string | null;
  readonly source: string;
  readonly detail_type: string;
  readonly time: number;
  readonly ingested_at: number;
  /** JSON of the event as targets get it. */
  readonly body: string;
}

/** An event that a target is still to get. */
export interface DeliveryRow {
  readonly id: string;
  readonly rule_arn: string;
  readonly target_id: string;
  readonly event_id: string;
  readonly event_time: number;
  /** What the target gets, after its input settings. */
  readonly payload: string;
  readonly attempts: number;
  readonly created_at: number;
  /** Not before this. */
  readonly next_at: number;
}

/** How far events have been held against the rules. */
export interface CursorRow {
  readonly name: string;
  readonly sequence: number;
}

export interface EventsTables {
  events_bus: BusRow;
  events_rule: RuleRow;
  events_target: TargetRow;
  events_tag: TagRow;
  events_event: EventRow;
  events_delivery: DeliveryRow;
  events_cursor: CursorRow;
}

export const eventsMigrations: Migrations = {
  'events-001-buses': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('events_bus')
        .addColumn('arn', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('description', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('modified_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('events_rule')
        .addColumn('arn', 'text', (c) => c.primaryKey())
        .addColumn('bus', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('pattern', 'text')
        .addColumn('schedule', 'text')
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('description', 'text')
        .addColumn('role_arn', 'text')
        .addColumn('created_by', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('next_at', 'bigint')
        .addUniqueConstraint('events_rule_name', ['bus', 'name'])
        .execute();
      await db.schema.createIndex('events_rule_next').on('events_rule').column('next_at').execute();
      await db.schema
        .createTable('events_target')
        .addColumn('rule_arn', 'text', (c) => c.notNull())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('arn', 'text', (c) => c.notNull())
        .addColumn('document', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('events_target_pk', ['rule_arn', 'id'])
        .execute();
      await db.schema.createIndex('events_target_arn').on('events_target').column('arn').execute();
      await db.schema
        .createTable('events_tag')
        .addColumn('arn', 'text', (c) => c.notNull())
        .addColumn('key', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('events_tag_pk', ['arn', 'key'])
        .execute();
      await db.schema
        .createTable('events_event')
        .addColumn('sequence', 'integer', (c) => c.primaryKey())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('bus', 'text', (c) => c.notNull())
        .addColumn('rule_arn', 'text')
        .addColumn('source', 'text', (c) => c.notNull())
        .addColumn('detail_type', 'text', (c) => c.notNull())
        .addColumn('time', 'bigint', (c) => c.notNull())
        .addColumn('ingested_at', 'bigint', (c) => c.notNull())
        .addColumn('body', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('events_delivery')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('rule_arn', 'text', (c) => c.notNull())
        .addColumn('target_id', 'text', (c) => c.notNull())
        .addColumn('event_id', 'text', (c) => c.notNull())
        .addColumn('event_time', 'bigint', (c) => c.notNull())
        .addColumn('payload', 'text', (c) => c.notNull())
        .addColumn('attempts', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('next_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('events_delivery_lane')
        .on('events_delivery')
        .columns(['rule_arn', 'target_id', 'next_at'])
        .execute();
      await db.schema
        .createTable('events_cursor')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('sequence', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
};
