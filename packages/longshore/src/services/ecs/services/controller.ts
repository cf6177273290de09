import type { Controller } from '../../../base/controller.ts';
import type { Watch } from '../../../state/store.ts';
import { Fault } from '../../../wire/fault.ts';
import type { AgentGateway } from '../agents/gateway.ts';
import { type Decision, decide } from '../deployments/decide.ts';
import { lastPart } from '../names.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import type { DeploymentRow, ServiceRow } from '../tables.ts';
import type { Launch, Launcher } from '../tasks/launch.ts';
import type { Transitions } from '../tasks/transitions.ts';
import { applyDeployments } from './apply.ts';
import { revisionDocument } from './document.ts';
import { addEvents } from './events.ts';
import { countFailures } from './failures.ts';
import { type Scene, sceneOf } from './scene.ts';
import { serviceLaunch } from './service-launch.ts';

/** Between two looks at a service: tasks that change one by one, as when many start, are looked at together. */
const betweenLooksMs = 100;

/**
 * The service scheduler: looks at a service whenever something of it changes, asks `deployments/decide.ts`, and does it.
 * One look at a time for each service.
 */
export function serviceController(
  parts: EcsParts,
  gateway: AgentGateway,
  launcher: Launcher,
  moves: Transitions,
): Controller {
  const { store, clock } = parts;
  const log = parts.log.child({ part: 'services' });
  const looks = new Map<string, { again: boolean; done: Promise<void> }>();
  /** Services that were looked at a moment ago, and whether they are to be looked at again. */
  const resting = new Map<string, boolean>();
  const wakes = new Map<string, () => void>();
  const healthySince = new Map<string, true>();
  const watches: Watch[] = [];
  let stopped = false;

  /** Looks at the service: after the look that is under way, or a little after the last one. */
  function look(arn: string): Promise<void> {
    const running = looks.get(arn);
    if (running) {
      running.again = true;
      return running.done;
    }
    if (resting.has(arn)) {
      resting.set(arn, true);
      return Promise.resolve();
    }
    const entry = { again: true, done: Promise.resolve() };
    looks.set(arn, entry);
    entry.done = (async () => {
      while (entry.again && !stopped) {
        entry.again = false;
        await reconcile(arn).catch((error: unknown) => {
          log.error({ err: error, service: arn }, 'a service could not be reconciled: it is tried again');
          wake(arn, clock.now() + 5_000);
        });
      }
      looks.delete(arn);
      rest(arn);
    })();
    return entry.done;
  }

  function rest(arn: string): void {
    resting.set(arn, false);
    clock.after(betweenLooksMs, () => {
      const again = resting.get(arn);
      resting.delete(arn);
      if (again && !stopped) void look(arn);
    });
  }

  function wake(arn: string, at: number): void {
    wakes.get(arn)?.();
    if (stopped) return;
    wakes.set(
      arn,
      clock.after(Math.max(10, at - clock.now()), () => {
        wakes.delete(arn);
        void look(arn);
      }),
    );
  }

  async function reconcile(arn: string): Promise<void> {
    await countFailures(parts, arn);
    const scene = await sceneOf(parts, arn, healthySince);
    if (!scene) return;
    const decision = decide(scene.view, scene.deployments, scene.tasks, clock.now());
    const wakeAt = Math.min(decision.wakeAt ?? Number.POSITIVE_INFINITY, scene.wakeAt ?? Number.POSITIVE_INFINITY);
    if (wakeAt < Number.POSITIVE_INFINITY) wake(arn, wakeAt);
    if (isNothing(decision, scene)) return;
    const launch = await prepare(scene, decision);
    const made = await store.transaction(async (tx) => {
      if (!(await unchanged(tx, scene))) {
        void look(arn);
        return [];
      }
      return apply(tx, scene, decision, launch);
    });
    await gateway
      .dispatch(made)
      .catch((error: unknown) =>
        log.error({ err: error, service: arn }, 'tasks of a service could not be sent to their agents'),
      );
  }

  /** The launch, or why there is none. */
  async function prepare(scene: Scene, decision: Decision): Promise<Launch | Fault | undefined> {
    if (!decision.start) return undefined;
    try {
      return await launcher.prepare(await serviceLaunch(parts, scene, decision.start.count));
    } catch (error) {
      if (error instanceof Fault) return error;
      throw error;
    }
  }

  async function apply(
    tx: EcsTx,
    scene: Scene,
    decision: Decision,
    launch: Launch | Fault | undefined,
  ): Promise<readonly string[]> {
    const { service, view } = scene;
    const events: string[] = [];
    const stopping =
      decision.stop.length === 0
        ? []
        : await tx.db
            .selectFrom('ecs_tasks')
            .selectAll()
            .where(
              'arn',
              'in',
              decision.stop.map((one) => one.arn),
            )
            .execute();
    for (const row of stopping)
      await moves.requestStop(
        tx,
        row,
        'ServiceSchedulerInitiated',
        decision.stop.find((one) => one.arn === row.arn)?.reason ?? '',
      );
    if (stopping.length > 0)
      events.push(
        ...inTens(
          stopping.map((row) => row.arn),
          (some) => `(service ${view.name}) has stopped ${some.length} running tasks: ${named(some)}.`,
        ),
      );
    const started = await start(tx, scene, launch, events);
    await applyDeployments(parts, tx, scene, decision);
    if (view.draining && scene.openTasks === 0) await retireService(tx, service);
    else if (decision.steady !== view.steady)
      await tx.db
        .updateTable('ecs_services')
        .set({ steady: decision.steady ? 1 : 0 })
        .where('arn', '=', service.arn)
        .execute();
    await addEvents(parts, tx, service.arn, [...events, ...decision.events]);
    if (launch || stopping.length > 0 || decision.rollback || decision.rollout.length > 0)
      tx.changed('ecs.service', service.arn);
    return started;
  }

  async function start(
    tx: EcsTx,
    { view, primary }: Scene,
    launch: Launch | Fault | undefined,
    events: string[],
  ): Promise<readonly string[]> {
    if (!launch || !primary) return [];
    const failed = async (count: number, place: boolean) => {
      await tx.db
        .updateTable('ecs_deployments')
        .set((eb) => ({
          startFailures: eb('startFailures', '+', count),
          failedTasks: primary.rolloutState === 'IN_PROGRESS' ? eb('failedTasks', '+', count) : eb.ref('failedTasks'),
          lastFailureAt: clock.now(),
          placementFailed: place ? 1 : 0,
        }))
        .where('id', '=', primary.id)
        .execute();
    };
    if (launch instanceof Fault) {
      events.push(`(service ${view.name}) failed to launch a task with (error ${launch.message}).`);
      await failed(1, false);
      return [];
    }
    const { tasks, failures } = await launcher.commit(tx, launch);
    launcher.committed(launch, { tasks, failures });
    events.push(
      ...inTens(
        tasks.map((row) => row.arn),
        (some) => `(service ${view.name}) has started ${some.length} tasks: ${named(some)}.`,
      ),
    );
    const [first] = failures;
    if (first) {
      events.push(`(service ${view.name}) was unable to place a task. Reason: ${first.reason}. ${first.detail}`);
      await failed(failures.length, true);
    } else if (primary.placementFailed)
      await tx.db.updateTable('ecs_deployments').set({ placementFailed: 0 }).where('id', '=', primary.id).execute();
    return tasks.map((row) => row.arn);
  }

  async function retireService(tx: EcsTx, service: ServiceRow): Promise<void> {
    await tx.db.updateTable('ecs_services').set({ status: 'INACTIVE' }).where('arn', '=', service.arn).execute();
    await tx.db
      .updateTable('ecs_deployments')
      .set({ status: 'INACTIVE' })
      .where('serviceArn', '=', service.arn)
      .execute();
    tx.changed('ecs.service', service.arn);
  }

  /** Services of tasks that changed. */
  async function servicesOf(taskArns: readonly string[]): Promise<string[]> {
    const rows = await store.db
      .selectFrom('ecs_tasks')
      .select('serviceArn')
      .distinct()
      .where('arn', 'in', taskArns)
      .where('serviceArn', 'is not', null)
      .execute();
    return rows.flatMap((row) => row.serviceArn ?? []);
  }

  /** A machine came or went: services that found no room look again at once. */
  async function capacityChanged(): Promise<void> {
    const waiting = await store.db
      .selectFrom('ecs_deployments')
      .select(['id', 'serviceArn'])
      .where('status', '=', 'PRIMARY')
      .where('placementFailed', '=', 1)
      .execute();
    if (waiting.length === 0) return;
    await store.transaction(async (tx) => {
      await tx.db
        .updateTable('ecs_deployments')
        .set({ lastFailureAt: null, startFailures: 0, placementFailed: 0 })
        .where(
          'id',
          'in',
          waiting.map((row) => row.id),
        )
        .execute();
    });
    await Promise.all(waiting.map((row) => look(row.serviceArn)));
  }

  async function servicesUsing(targetGroups: ReadonlySet<string>): Promise<string[]> {
    const rows = await store.db
      .selectFrom('ecs_deployments')
      .select(['serviceArn', 'document'])
      .where('status', 'in', ['PRIMARY', 'ACTIVE'])
      .execute();
    return rows
      .filter((row) => revisionDocument(row).loadBalancers.some((one) => targetGroups.has(one.targetGroupArn ?? '')))
      .map((row) => row.serviceArn);
  }

  const all = (arns: Iterable<string>) => Promise.all([...new Set(arns)].map(look)).then(() => undefined);

  return {
    name: 'ecs-services',
    async start() {
      stopped = false;
      watches.push(
        store.watch(['ecs.service'], (changes) => all(changes.map((change) => change.key))),
        store.watch(['ecs.task'], async (changes) => all(await servicesOf(changes.map((change) => change.key)))),
        store.watch(['elbv2.target-health'], async (changes) =>
          all(await servicesUsing(new Set(changes.map((change) => change.key)))),
        ),
        store.watch(['ecs.instance'], capacityChanged),
      );
      const open = await store.db.selectFrom('ecs_services').select('arn').where('status', '!=', 'INACTIVE').execute();
      await all(open.map((row) => row.arn));
    },
    async stop() {
      stopped = true;
      for (const cancel of wakes.values()) cancel();
      wakes.clear();
      await Promise.all(watches.splice(0).map((watch) => watch.stop()));
      await Promise.all([...looks.values()].map((entry) => entry.done));
    },
  };
}

const named = (arns: readonly string[]) => arns.map((arn) => `(task ${lastPart(arn)})`).join(' ');

/** AWS names at most ten tasks in an event. */
function inTens(arns: readonly string[], message: (some: readonly string[]) => string): string[] {
  return Array.from({ length: Math.ceil(arns.length / 10) }, (_, index) =>
    message(arns.slice(index * 10, index * 10 + 10)),
  );
}

function isNothing(decision: Decision, scene: Scene): boolean {
  return (
    !decision.start &&
    !decision.rollback &&
    decision.stop.length === 0 &&
    decision.rollout.length === 0 &&
    decision.retire.length === 0 &&
    decision.events.length === 0 &&
    decision.steady === scene.view.steady &&
    !(scene.view.draining && scene.openTasks === 0)
  );
}

/** Whether what was decided on still stands: callers change services while tasks' roles are being assumed. */
async function unchanged(tx: EcsTx, scene: Scene): Promise<boolean> {
  const service = await tx.db
    .selectFrom('ecs_services')
    .selectAll()
    .where('arn', '=', scene.service.arn)
    .executeTakeFirst();
  const primary: Pick<DeploymentRow, 'id'> | undefined = await tx.db
    .selectFrom('ecs_deployments')
    .select('id')
    .where('serviceArn', '=', scene.service.arn)
    .where('status', '=', 'PRIMARY')
    .executeTakeFirst();
  return (
    service?.desiredCount === scene.service.desiredCount &&
    service.status === scene.service.status &&
    service.document === scene.service.document &&
    primary?.id === scene.primary?.id
  );
}
