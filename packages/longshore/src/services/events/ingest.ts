import { sql } from 'kysely';
import type { Tx } from '../../state/store.ts';
import { defaultBus, type EventsState, topics } from './state.ts';
import type { EventsTables } from './tables.ts';

/** An event before it has its place and id. */
export interface NewEvent {
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  /** JSON text, put into the event as it is: numbers keep all their digits. */
  readonly detail: string;
  /** Milliseconds since the epoch; now where absent. */
  readonly time?: number | undefined;
  readonly bus?: string;
  readonly ruleArn?: string;
}

export interface Ingested {
  readonly id: string;
  readonly body: string;
  readonly time: number;
}

/** Puts an event on its bus by one insert. EventBridge's times are whole seconds. */
export async function ingest(state: EventsState, tx: Tx<EventsTables>, event: NewEvent): Promise<Ingested> {
  const { accountId, region } = state.settings;
  const now = state.clock.now();
  const time = event.time ?? now;
  const id = state.random.uuid();
  const bus = event.bus ?? defaultBus;
  const head = JSON.stringify({
    version: '0',
    id,
    'detail-type': event.detailType,
    source: event.source,
    account: accountId,
    time: `${new Date(time).toISOString().slice(0, 19)}Z`,
    region,
    resources: event.resources,
  });
  const body = `${head.slice(0, -1)},"detail":${event.detail}}`;
  await tx.db
    .insertInto('events_event')
    .values({
      // The newest event is never swept, so numbers only grow.
      sequence: sql<number>`(select coalesce(max(${sql.ref('sequence')}), 0) + 1 from ${sql.table('events_event')})`,
      id,
      bus,
      rule_arn: event.ruleArn ?? null,
      source: event.source,
      detail_type: event.detailType,
      time,
      ingested_at: now,
      body,
    })
    .execute();
  tx.changed(topics.event, bus);
  return { id, body, time };
}
