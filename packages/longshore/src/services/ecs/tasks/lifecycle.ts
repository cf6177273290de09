import type { Controller } from '../../../base/controller.ts';
import type { Watch } from '../../../state/store.ts';
import { Fault } from '../../../wire/fault.ts';
import type { AgentGateway } from '../agents/gateway.ts';
import { taskChanged } from '../announce.ts';
import { lastPart } from '../names.ts';
import { type EcsParts, type EcsTx, foreign } from '../parts.ts';
import { addEvents } from '../services/events.ts';
import type { TaskRow } from '../tables.ts';
import { taskDocument } from './document.ts';
import { type Transitions, targetsOf } from './transitions.ts';

/** Stopped tasks stay describable for an hour, as at AWS. */
const keptMs = 3_600_000;
const sweepEveryMs = 300_000;
/** Beyond the deregistration delay: what a node that is away or slow may take to say that a target has drained. */
const drainMarginMs = 10_000;
/** How often draining is looked at where nothing announces its end. */
const drainCheckMs = 5_000;

/**
 * Takes tasks on where no agent does: registers those that run with their target groups, drains those that are to stop
 * before their agent hears of it, frees what stopped tasks held, and forgets them after an hour.
 */
export function taskLifecycle(parts: EcsParts, gateway: AgentGateway, moves: Transitions): Controller {
  const { store, clock, elbv2 } = parts;
  const log = parts.log.child({ part: 'tasks' });
  const watches: Watch[] = [];
  /** Looks at tasks that are due, one for each task, and the sweep. */
  const timers = new Map<string, () => void>();
  let stopped = false;

  const read = (arn: string) => store.db.selectFrom('ecs_tasks').selectAll().where('arn', '=', arn).executeTakeFirst();
  /** Its targets are the task's own affair: a caller sees that something changed only with its status. */
  async function update(tx: EcsTx, row: TaskRow, change: Partial<TaskRow>): Promise<void> {
    const seen = change.lastStatus !== undefined;
    const next = await tx.db
      .updateTable('ecs_tasks')
      .set((eb) => ({ ...change, version: seen ? eb('version', '+', 1) : eb.ref('version') }))
      .where('arn', '=', row.arn)
      .returningAll()
      .executeTakeFirst();
    tx.changed('ecs.task', row.arn);
    if (seen && next) await taskChanged(parts, tx, next);
  }

  /** Does to a task what comes next. A target group that is gone counts as left. */
  async function step(arn: string): Promise<void> {
    const row = await read(arn);
    if (!row) return;
    if (row.lastStatus === 'DEPROVISIONING') return moves.deprovision(arn);
    if (row.lastStatus === 'STOPPED') return;
    if (row.desiredStatus === 'RUNNING') {
      if (row.lastStatus === 'RUNNING' && row.targets === 'waiting') await register(row);
      return;
    }
    if (row.targets === 'registered') return drain(row);
    if (row.targets === 'draining' && !(await hasDrained(row))) return;
    if (row.lastStatus === 'STOPPING') return;
    await stop(row);
  }

  async function register(row: TaskRow): Promise<void> {
    const targets = targetsOf(row, taskDocument(row));
    await store.transaction(async (tx) => {
      const now = await tx.db
        .selectFrom('ecs_tasks')
        .select(['targets', 'desiredStatus', 'lastStatus'])
        .where('arn', '=', row.arn)
        .executeTakeFirst();
      if (now?.targets !== 'waiting' || now.desiredStatus !== 'RUNNING' || now.lastStatus !== 'RUNNING') return;
      const registered: string[] = [];
      for (const target of targets) {
        const done = await elbv2.registerTargets(foreign(tx), target.targetGroupArn, [target]).then(
          () => true,
          (error: unknown) => {
            if (!(error instanceof Fault)) throw error;
            log.warn({ err: error, task: row.arn }, 'a task could not be registered with its target group');
            return false;
          },
        );
        if (done) registered.push(target.targetGroupArn);
      }
      await update(tx, row, { targets: 'registered' });
      if (row.serviceArn)
        await addEvents(
          parts,
          tx,
          row.serviceArn,
          registered.map(
            (group) => `(service ${lastPart(row.serviceArn ?? '')}) registered 1 targets in (target-group ${group})`,
          ),
        );
    });
  }

  async function drain(row: TaskRow): Promise<void> {
    const targets = targetsOf(row, taskDocument(row));
    await store.transaction(async (tx) => {
      const now = await tx.db.selectFrom('ecs_tasks').select('targets').where('arn', '=', row.arn).executeTakeFirst();
      if (now?.targets !== 'registered') return;
      for (const target of targets)
        await elbv2.deregisterTargets(foreign(tx), target.targetGroupArn, [target]).catch((error: unknown) => {
          if (!(error instanceof Fault)) throw error;
        });
      await update(tx, row, {
        targets: 'draining',
        drainingSince: clock.now(),
        ...(row.lastStatus === 'RUNNING' && { lastStatus: 'DEACTIVATING' as const }),
      });
      if (row.serviceArn) {
        const who = `(service ${lastPart(row.serviceArn)})`;
        await addEvents(parts, tx, row.serviceArn, [
          ...targets.map((target) => `${who} deregistered 1 targets in (target-group ${target.targetGroupArn})`),
          `${who} has begun draining connections on 1 tasks.`,
        ]);
      }
    });
    later(row.arn, drainCheckMs);
  }

  /** Whether no target group knows the task any more, or none may keep it waiting longer. */
  async function hasDrained(row: TaskRow): Promise<boolean> {
    for (const target of targetsOf(row, taskDocument(row))) {
      const group = await elbv2.targetGroup(target.targetGroupArn);
      if (!group) continue;
      const end = Number(row.drainingSince ?? 0) + group.deregistrationDelaySeconds * 1000 + drainMarginMs;
      if (clock.now() >= end) continue;
      const health = await elbv2.health(target.targetGroupArn).catch((error: unknown) => {
        if (error instanceof Fault) return [];
        throw error;
      });
      if (!health.some((one) => one.id === target.id && one.port === target.port)) continue;
      later(row.arn, Math.min(drainCheckMs, end - clock.now()));
      return false;
    }
    return true;
  }

  async function stop(row: TaskRow): Promise<void> {
    if (row.targets === 'draining') await store.transaction((tx) => update(tx, row, { targets: 'gone' }));
    // The order goes out first, and the state follows: a report of the agent's that overtakes it is the newer truth.
    await gateway.dispatch([row.arn]);
    await store.transaction(async (tx) => {
      const now = await tx.db
        .selectFrom('ecs_tasks')
        .select('lastStatus')
        .where('arn', '=', row.arn)
        .executeTakeFirst();
      if (now && ['PENDING', 'ACTIVATING', 'RUNNING', 'DEACTIVATING'].includes(now.lastStatus))
        await update(tx, row, { lastStatus: 'STOPPING' });
    });
  }

  async function each(arns: Iterable<string>): Promise<void> {
    await Promise.all(
      [...new Set(arns)].map((arn) =>
        step(arn).catch((error: unknown) => {
          log.error({ err: error, task: arn }, 'a task could not be taken on: it is tried again');
          later(arn, drainCheckMs);
        }),
      ),
    );
  }

  function later(arn: string, ms: number): void {
    if (stopped || timers.has(arn)) return;
    timers.set(
      arn,
      clock.after(ms, () => {
        timers.delete(arn);
        void each([arn]);
      }),
    );
  }

  async function draining(targetGroups?: ReadonlySet<string>): Promise<string[]> {
    const rows = await store.db
      .selectFrom('ecs_tasks')
      .select(['arn', 'document'])
      .where('targets', '=', 'draining')
      .where('lastStatus', '!=', 'STOPPED')
      .execute();
    return rows
      .filter(
        (row) =>
          !targetGroups || taskDocument(row).loadBalancers.some((one) => targetGroups.has(one.targetGroupArn ?? '')),
      )
      .map((row) => row.arn);
  }

  async function sweep(): Promise<void> {
    const old = await store.db
      .selectFrom('ecs_tasks')
      .select('arn')
      .where('lastStatus', '=', 'STOPPED')
      .where('stoppedAt', '<', clock.now() - keptMs)
      .limit(500)
      .execute();
    if (old.length === 0) return;
    const arns = old.map((row) => row.arn);
    await store.transaction(async (tx) => {
      await tx.db.deleteFrom('ecs_tags').where('arn', 'in', arns).execute();
      await tx.db.deleteFrom('ecs_tasks').where('arn', 'in', arns).execute();
      await tx.db
        .deleteFrom('ecs_client_tokens')
        .where('createdAt', '<', clock.now() - 24 * keptMs)
        .execute();
    });
  }

  function scheduleSweep(): void {
    timers.set(
      'sweep',
      clock.after(sweepEveryMs, () => {
        sweep()
          .catch((error: unknown) => log.error({ err: error }, 'stopped tasks could not be swept'))
          .finally(() => {
            if (!stopped) scheduleSweep();
          });
      }),
    );
  }

  return {
    name: 'ecs-tasks',
    async start() {
      stopped = false;
      watches.push(
        store.watch(['ecs.task'], (changes) => each(changes.map((change) => change.key))),
        store.watch(['elbv2.target-health'], async (changes) =>
          each(await draining(new Set(changes.map((change) => change.key)))),
        ),
      );
      const open = await store.db.selectFrom('ecs_tasks').select('arn').where('lastStatus', '!=', 'STOPPED').execute();
      await each(open.map((row) => row.arn));
      scheduleSweep();
    },
    async stop() {
      stopped = true;
      for (const cancel of timers.values()) cancel();
      timers.clear();
      await Promise.all(watches.splice(0).map((watch) => watch.stop()));
    },
  };
}
