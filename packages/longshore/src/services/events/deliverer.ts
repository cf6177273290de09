import type { Target } from '@aws-sdk/client-eventbridge';
import type { Controller } from '../../base/controller.ts';
import type { Tx } from '../../state/store.ts';
import { Fault } from '../../wire/fault.ts';
import type { IamContract } from '../iam/contract.ts';
import type { LogsContract } from '../logs/contract.ts';
import { laneOf } from './deliveries.ts';
import type { EventsState } from './state.ts';
import type { DeliveryRow, EventsTables, RuleRow } from './tables.ts';
import { done, type Outcome, pauseAfter, retryLimits } from './targets/attempt.ts';
import { type RunTask, startTasks } from './targets/ecs.ts';
import { type Destination, destinationOf } from './targets/kinds.ts';
import { callWebhook } from './targets/webhook.ts';

export interface DelivererParts {
  readonly logs: LogsContract;
  readonly iam: Pick<IamContract, 'sessionFor'>;
  readonly runTask?: RunTask | undefined;
}

export interface Deliverer {
  readonly controller: Controller;
  /** Looks at these lanes now. */
  wake(lanes: readonly string[]): void;
}

interface Goal {
  readonly rule: RuleRow;
  readonly target: Target;
  readonly destination: Destination;
}

/** Deliveries of one lane that are attempted side by side; log groups take more at once, by one transaction. */
const sideBySide = 4;
const mostLogged = 50;
/** Attempts under way over all lanes. */
const mostAttempts = 32;

/**
 * Delivers what waits, each target on its own, so that one that is slow or away holds up no other. At least once: what was attempted
 * is noted afterwards. Failures are tried again, ever less often, for as long as the target's retry policy says.
 */
export function createDeliverer(state: EventsState, parts: DelivererParts): Deliverer {
  const { store, db, clock, random, log } = state;
  const lanes = new Map<string, { again: boolean; done: Promise<void> }>();
  const timers = new Map<string, () => void>();
  const waiting: (() => void)[] = [];
  let free = mostAttempts;
  let stopped = true;

  function wake(keys: readonly string[]): void {
    for (const key of keys) if (!stopped) look(key);
  }

  function look(key: string): void {
    timers.get(key)?.();
    timers.delete(key);
    const running = lanes.get(key);
    if (running) {
      running.again = true;
      return;
    }
    const lane = { again: true, done: Promise.resolve() };
    lanes.set(key, lane);
    lane.done = (async () => {
      while (lane.again && !stopped) {
        lane.again = false;
        await work(key).catch((error: unknown) => {
          log.error({ err: error, lane: key }, 'events could not be delivered: it is tried again');
          later(key, 5_000);
        });
      }
      lanes.delete(key);
    })();
  }

  function later(key: string, ms: number): void {
    timers.get(key)?.();
    timers.set(
      key,
      clock.after(Math.max(1, ms), () => {
        timers.delete(key);
        wake([key]);
      }),
    );
  }

  /** Delivers what is due in a lane, until nothing is. */
  async function work(key: string): Promise<void> {
    const [ruleArn = '', targetId = ''] = key.split('\n');
    for (;;) {
      const goal = await goalOf(ruleArn, targetId);
      const rows = await db
        .selectFrom('events_delivery')
        .selectAll()
        .where('rule_arn', '=', ruleArn)
        .where('target_id', '=', targetId)
        .orderBy('next_at')
        .limit(!goal || goal.destination.kind === 'log-group' ? mostLogged : sideBySide)
        .execute();
      const due = rows.filter((row) => Number(row.next_at) <= clock.now());
      const next = rows[0];
      if (stopped || !next) return;
      if (due.length === 0) return later(key, Number(next.next_at) - clock.now());
      await deliver(goal, due);
    }
  }

  /** Where a lane's deliveries go; undefined where its rule or target is gone. */
  async function goalOf(ruleArn: string, targetId: string): Promise<Goal | undefined> {
    const rule = await db.selectFrom('events_rule').selectAll().where('arn', '=', ruleArn).executeTakeFirst();
    const found = await db
      .selectFrom('events_target')
      .select('document')
      .where('rule_arn', '=', ruleArn)
      .where('id', '=', targetId)
      .executeTakeFirst();
    const target = found && (JSON.parse(found.document) as Target);
    const destination = target && destinationOf(target);
    return rule && destination ? { rule, target, destination } : undefined;
  }

  async function deliver(goal: Goal | undefined, due: readonly DeliveryRow[]): Promise<void> {
    if (!goal) {
      const outcome: Outcome = { kind: 'never', reason: 'its rule or target is gone' };
      return settle(
        due.map((row) => [row, outcome]),
        undefined,
      );
    }
    const { rule, target, destination } = goal;
    if (destination.kind === 'log-group') return toLogGroup(rule, target, destination.group, due);
    const outcomes = await Promise.all(
      due.map((row) =>
        limited(() =>
          destination.kind === 'webhook'
            ? callWebhook(destination.url, row, target.HttpParameters)
            : toEcs(rule, target, destination.clusterArn, row),
        ),
      ),
    );
    await settle(
      due.map((row, index) => [row, outcomes[index] as Outcome]),
      target,
    );
  }

  /** Runs `attempt` once fewer than the most are under way. */
  async function limited(attempt: () => Promise<Outcome>): Promise<Outcome> {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free--;
    try {
      return await attempt();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  }

  function toEcs(rule: RuleRow, target: Target, clusterArn: string, row: DeliveryRow): Promise<Outcome> {
    const { runTask, iam } = parts;
    if (!runTask || !target.EcsParameters || !target.RoleArn) {
      return Promise.resolve({ kind: 'never', reason: 'its target can run no tasks' });
    }
    return startTasks(
      { iam, runTask },
      {
        clusterArn,
        roleArn: target.RoleArn,
        ruleName: rule.name,
        parameters: target.EcsParameters,
        delivery: row,
      },
    );
  }

  /** Written and noted by one transaction: exactly once. */
  async function toLogGroup(rule: RuleRow, target: Target, group: string, due: readonly DeliveryRow[]): Promise<void> {
    try {
      await store.transaction(async (tx) => {
        const events = due.map((row) => logEvent(row));
        await parts.logs.write(tx as unknown as Tx<unknown>, { group, stream: rule.name }, events);
        await remove(tx, due);
      });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      await settle(
        due.map((row) => [row, { kind: 'again', reason: error.message }]),
        target,
      );
    }
  }

  const remove = (tx: Tx<EventsTables>, rows: readonly DeliveryRow[]) =>
    tx.db
      .deleteFrom('events_delivery')
      .where(
        'id',
        'in',
        rows.map((row) => row.id),
      )
      .execute();

  /** Notes how attempts went. */
  async function settle(
    outcomes: readonly (readonly [DeliveryRow, Outcome])[],
    target: Target | undefined,
  ): Promise<void> {
    const now = clock.now();
    const most = target?.RetryPolicy?.MaximumRetryAttempts ?? retryLimits.attempts;
    const ageMs = (target?.RetryPolicy?.MaximumEventAgeInSeconds ?? retryLimits.ageMs / 1000) * 1000;
    const over: DeliveryRow[] = [];
    const again: { readonly row: DeliveryRow; readonly next_at: number }[] = [];
    for (const [row, outcome] of outcomes) {
      if (outcome === done || outcome.kind === 'done') {
        over.push(row);
        continue;
      }
      const attempts = row.attempts + 1;
      const next_at =
        now + Math.max(pauseAfter(attempts, random.fraction()), ('afterMs' in outcome && outcome.afterMs) || 0);
      const fields = {
        rule: row.rule_arn,
        target: row.target_id,
        event: row.event_id,
        attempts,
        reason: outcome.reason,
      };
      if (outcome.kind === 'never' || attempts > most || next_at - Number(row.created_at) > ageMs) {
        log.warn(fields, 'an event could not be delivered and is dropped');
        over.push(row);
      } else {
        if (attempts === 1) log.info(fields, 'an event could not be delivered: it is tried again');
        again.push({ row, next_at });
      }
    }
    await store.transaction(async (tx) => {
      if (over.length > 0) await remove(tx, over);
      for (const { row, next_at } of again) {
        await tx.db
          .updateTable('events_delivery')
          .set({ attempts: row.attempts + 1, next_at })
          .where('id', '=', row.id)
          .execute();
      }
    });
  }

  return {
    wake,
    controller: {
      name: 'events.deliverer',
      async start() {
        stopped = false;
        const rows = await db.selectFrom('events_delivery').select(['rule_arn', 'target_id']).distinct().execute();
        wake(rows.map(laneOf));
      },
      async stop() {
        stopped = true;
        for (const cancel of timers.values()) cancel();
        timers.clear();
        await Promise.all([...lanes.values()].map((lane) => lane.done));
      },
    },
  };
}

/** A log event of a delivery. An input transformer may give its time and message, as AWS's log targets have it. */
function logEvent({ payload, event_time }: DeliveryRow): { readonly timestamp: number; readonly message: string } {
  const whole = { timestamp: Number(event_time), message: payload };
  try {
    const given = JSON.parse(payload) as { timestamp?: unknown; message?: unknown } | null;
    if (typeof given !== 'object' || given === null || !Object.hasOwn(given, 'message')) return whole;
    const time =
      typeof given.timestamp === 'number' ? given.timestamp : Date.parse(String(given.timestamp ?? Number.NaN));
    const message = typeof given.message === 'string' ? given.message : JSON.stringify(given.message);
    const isEnvelope = Object.hasOwn(given, 'detail-type');
    return isEnvelope ? whole : { timestamp: Number.isNaN(time) ? whole.timestamp : time, message };
  } catch {
    return whole;
  }
}
