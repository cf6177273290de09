import type { Target } from '@aws-sdk/client-eventbridge';
import type { Controller } from '../../base/controller.ts';
import type { Watch } from '../../state/store.ts';
import { deliveriesFor, enqueue, laneOf } from './deliveries.ts';
import { ingest } from './ingest.ts';
import { nextRun, parseSchedule } from './schedule/schedule.ts';
import { type EventsState, topics } from './state.ts';
import type { RuleRow } from './tables.ts';

/** How late a run may come; what is later was missed, and is not made up. */
const lateMs = 60_000;
/** A look at least this often: clocks are set, machines sleep. */
const lookEveryMs = 30_000;

/**
 * Runs rules by their schedules. A run and the time of the next are written by one transaction, so that no run comes twice, whatever
 * ends in between. `wake` is told the lanes that got deliveries.
 */
export function scheduler(state: EventsState, wake: (lanes: readonly string[]) => void): Controller {
  const { store, db, clock, log } = state;
  let cancel: (() => void) | undefined;
  let watch: Watch | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = true;

  async function look(late: number): Promise<void> {
    cancel?.();
    const now = clock.now();
    const due = await db.selectFrom('events_rule').selectAll().where('next_at', '<=', now).execute();
    for (const rule of due) await run(rule, now, late);
    const next = await db
      .selectFrom('events_rule')
      .select((eb) => eb.fn.min('next_at').as('at'))
      .executeTakeFirst();
    if (stopped) return;
    const wait = next?.at == null ? lookEveryMs : Math.min(lookEveryMs, Number(next.at) - clock.now());
    cancel = clock.after(Math.max(1, wait), () => void again(lateMs));
  }

  function again(late: number): Promise<void> {
    running = running
      .then(() => look(late))
      .catch((error: unknown) => {
        log.error({ err: error }, 'schedules could not be run: it is tried again');
        if (!stopped) cancel = clock.after(5_000, () => void again(lateMs));
      });
    return running;
  }

  async function run(due: RuleRow, now: number, late: number): Promise<void> {
    const lanes = await store.transaction(async (tx) => {
      const rule = await tx.db.selectFrom('events_rule').selectAll().where('arn', '=', due.arn).executeTakeFirst();
      const schedule = rule?.schedule == null ? undefined : parseSchedule(rule.schedule);
      if (!rule || !schedule || rule.next_at === null || Number(rule.next_at) > now) return [];
      const at = Number(rule.next_at);
      await tx.db
        .updateTable('events_rule')
        .set({ next_at: nextRun(schedule, now, at) ?? null })
        .where('arn', '=', rule.arn)
        .execute();
      if (now - at > late) {
        log.warn(
          { rule: rule.arn, at: new Date(at).toISOString() },
          'a run of a schedule was missed and is not made up',
        );
        return [];
      }
      const event = await ingest(state, tx, {
        source: 'aws.events',
        detailType: 'Scheduled Event',
        resources: [rule.arn],
        detail: '{}',
        time: at,
        bus: rule.bus,
        ruleArn: rule.arn,
      });
      const rows = await tx.db
        .selectFrom('events_target')
        .select('document')
        .where('rule_arn', '=', rule.arn)
        .execute();
      const targets = rows.map((row) => JSON.parse(row.document) as Target);
      const made = deliveriesFor(state, rule, targets, { ...event, ingested_at: now });
      await enqueue(state, tx, made);
      return made.map(laneOf);
    });
    wake(lanes);
  }

  return {
    name: 'events.scheduler',
    async start() {
      stopped = false;
      watch = store.watch([topics.rule], () => again(lateMs));
      // What came due while nothing ran was missed.
      await again(0);
    },
    async stop() {
      stopped = true;
      await watch?.stop();
      watch = undefined;
      await running;
      cancel?.();
    },
  };
}
