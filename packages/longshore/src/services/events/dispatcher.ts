import type { Controller } from '../../base/controller.ts';
import type { Watch } from '../../state/store.ts';
import { deliveriesFor, enqueue, laneOf } from './deliveries.ts';
import { concerns, type RuleInForce, rulesInForce } from './rules-in-force.ts';
import { type EventsState, topics } from './state.ts';
import type { DeliveryRow } from './tables.ts';

/** Events that are held against the rules at a time. */
const batch = 100;
/** How far events were looked at is written down this often at most, or with the deliveries that came of them. */
const noteEveryMs = 5_000;
const cursor = 'dispatched';

/** Asks the rules about every event that comes in, and makes the deliveries that follow. `wake` is told the lanes that got some. */
export function dispatcher(state: EventsState, wake: (lanes: readonly string[]) => void): Controller {
  const { store, db, clock } = state;
  let rules: readonly RuleInForce[] | undefined;
  let reached = 0;
  let noted = 0;
  let watch: Watch | undefined;
  let cancelNote: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();

  async function newest(): Promise<number> {
    const row = await db
      .selectFrom('events_event')
      .select((eb) => eb.fn.max('sequence').as('last'))
      .executeTakeFirst();
    return Number(row?.last ?? 0);
  }

  const writeCursor = async (tx: Parameters<typeof enqueue>[1], sequence: number) => {
    await tx.db
      .insertInto('events_cursor')
      .values({ name: cursor, sequence })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ sequence }))
      .execute();
    noted = sequence;
  };

  async function note(): Promise<void> {
    if (noted === reached) return;
    const sequence = reached;
    await store.transaction((tx) => writeCursor(tx, sequence));
  }

  function noteLater(): void {
    cancelNote ??= clock.after(noteEveryMs, () => {
      cancelNote = undefined;
      running = running
        .then(note)
        .catch((error: unknown) => state.log.error({ err: error }, 'how far events were looked at could not be noted'));
    });
  }

  async function dispatch(): Promise<void> {
    rules ??= await rulesInForce(state);
    const asked = rules.filter((rule) => rule.matches);
    if (asked.length === 0) {
      reached = Math.max(reached, await newest());
      return noteLater();
    }
    for (;;) {
      const events = await db
        .selectFrom('events_event')
        .selectAll()
        .where('sequence', '>', reached)
        .orderBy('sequence')
        .limit(batch)
        .execute();
      const last = events.at(-1);
      if (!last) return;
      const made: DeliveryRow[] = [];
      for (const event of events) {
        const candidates = asked.filter((rule) => concerns(rule, event));
        if (candidates.length === 0) continue;
        const body = JSON.parse(event.body) as object;
        for (const { row, matches, targets } of candidates) {
          if (matches?.(body)) made.push(...deliveriesFor(state, row, targets, event));
        }
      }
      if (made.length > 0) {
        await store.transaction(async (tx) => {
          await enqueue(state, tx, made);
          await writeCursor(tx, last.sequence);
        });
        wake([...new Set(made.map(laneOf))]);
      } else noteLater();
      reached = last.sequence;
    }
  }

  return {
    name: 'events.dispatcher',
    async start() {
      rules = undefined;
      const row = await db.selectFrom('events_cursor').select('sequence').where('name', '=', cursor).executeTakeFirst();
      noted = Number(row?.sequence ?? 0);
      reached = row ? noted : await newest();
      watch = store.watch([topics.event, topics.rule], (changes) => {
        if (changes.some((change) => change.topic === topics.rule)) rules = undefined;
        running = running.catch(() => undefined).then(dispatch);
        return running;
      });
      running = dispatch();
      await running;
    },
    async stop() {
      await watch?.stop();
      watch = undefined;
      cancelNote?.();
      cancelNote = undefined;
      await running.catch(() => undefined);
      await note();
    },
  };
}
