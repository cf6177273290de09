import type { Controller } from '../../base/controller.ts';
import { rounds } from '../../base/rounds.ts';
import type { EventsState } from './state.ts';

/** What `longshore events` can show: a day, and so many at most. */
export const kept = { ms: 86_400_000, events: 100_000 } as const;

const everyMs = 60_000;
/** Rows that one transaction deletes, and transactions of one sweep: writers never wait long. */
const batch = 1_000;
const mostBatches = 100;

/** Deletes events that are old or too many. The newest stays, whatever its age: it holds the numbering. */
export function sweeper(state: EventsState): Controller & { sweep(): Promise<void> } {
  const { store, db, clock, log } = state;
  /** The first event that stays. */
  async function keepFrom(): Promise<number> {
    const newest = await db
      .selectFrom('events_event')
      .select((eb) => eb.fn.max('sequence').as('last'))
      .executeTakeFirst();
    const last = Number(newest?.last ?? 0);
    const young = await db
      .selectFrom('events_event')
      .select('sequence')
      .where('ingested_at', '>=', clock.now() - kept.ms)
      .orderBy('sequence')
      .limit(1)
      .executeTakeFirst();
    return Math.max(young?.sequence ?? last, last - kept.events + 1);
  }

  async function sweep(signal?: AbortSignal): Promise<void> {
    const from = await keepFrom();
    for (let left = mostBatches; left > 0 && !signal?.aborted; left--) {
      const rows = await db
        .selectFrom('events_event')
        .select('sequence')
        .where('sequence', '<', from)
        .orderBy('sequence')
        .limit(batch)
        .execute();
      const last = rows.at(-1);
      if (!last) return;
      await store.transaction(async (tx) => {
        await tx.db.deleteFrom('events_event').where('sequence', '<=', last.sequence).execute();
      });
    }
  }

  const failed = 'old events could not be deleted; trying again later';
  return { ...rounds({ name: 'events.sweeper', clock, log, everyMs, failed }, sweep), sweep };
}
