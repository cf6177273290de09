import { backOffMs, breakerThreshold, limits } from './arithmetic.ts';

/** A task of the service that is meant to run. Those that are stopping or stopped count for nothing. */
export interface TaskView {
  readonly arn: string;
  readonly deploymentId: string;
  readonly createdAt: number;
  /** `healthy` once it runs and every health check that it has says so; `unhealthy` once one says not. */
  readonly health: 'starting' | 'healthy' | 'unhealthy';
  /** Which check failed, in AWS's words. */
  readonly unhealthyReason?: string;
}

export interface DeploymentView {
  readonly id: string;
  readonly status: 'PRIMARY' | 'ACTIVE' | 'INACTIVE';
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly everCompleted: boolean;
  readonly createdAt: number;
  /** Tasks that failed while it was rolled out. */
  readonly failedTasks: number;
  /** Tasks in a row that never came to run, or not for long. */
  readonly startFailures: number;
  readonly lastFailureAt: number | undefined;
  /** The last attempt to start tasks found no room. */
  readonly placementFailed: boolean;
  /** It is what a failed deployment was rolled back to. */
  readonly rollingBackFrom: string | undefined;
}

export interface ServiceView {
  readonly name: string;
  /** It is being deleted: everything goes. */
  readonly draining: boolean;
  readonly desiredCount: number;
  readonly minimumHealthyPercent: number;
  readonly maximumPercent: number;
  readonly circuitBreaker: { readonly enable: boolean; readonly rollback: boolean };
  /** It was said to have reached a steady state, and nothing was done since. */
  readonly steady: boolean;
}

export interface Decision {
  readonly start: { readonly deploymentId: string; readonly count: number } | undefined;
  readonly stop: readonly { readonly arn: string; readonly reason: string }[];
  /** New rollout states. */
  readonly rollout: readonly {
    readonly id: string;
    readonly state: 'COMPLETED' | 'FAILED' | 'IN_PROGRESS';
    readonly reason: string;
  }[];
  /** Deployments that leave `deployments[]`. */
  readonly retire: readonly string[];
  /** The failed deployment, and the one that becomes PRIMARY again. */
  readonly rollback: { readonly from: string; readonly to: string } | undefined;
  readonly events: readonly string[];
  readonly steady: boolean;
  /** When to decide again though nothing changes. */
  readonly wakeAt: number | undefined;
}

interface Draft {
  start: Decision['start'];
  stop: { arn: string; reason: string }[];
  rollout: { id: string; state: 'COMPLETED' | 'FAILED' | 'IN_PROGRESS'; reason: string }[];
  retire: string[];
  rollback: Decision['rollback'];
  events: string[];
  steady: boolean;
  wakeAt: number | undefined;
}

/**
 * What a service's scheduler does next. Never asks for more tasks than maximumPercent allows, and never stops a healthy
 * task where fewer than minimumHealthyPercent would stay, unless there are more than are desired.
 */
export function decide(
  service: ServiceView,
  deployments: readonly DeploymentView[],
  tasks: readonly TaskView[],
  now: number,
): Decision {
  const draft: Draft = {
    start: undefined,
    stop: [],
    rollout: [],
    retire: [],
    rollback: undefined,
    events: [],
    steady: service.steady,
    wakeAt: undefined,
  };
  const primary = deployments.find((deployment) => deployment.status === 'PRIMARY');
  if (service.draining || !primary) {
    draft.stop = tasks.map((task) => ({ arn: task.arn, reason: scaling(primary?.id ?? '') }));
    return draft;
  }
  if (breaks(service, primary)) return tripped(service, primary, deployments, draft);
  roll(service, primary, tasks, now, draft);
  finish(service, primary, deployments, tasks, draft);
  return draft;
}

const scaling = (id: string) => `Scaling activity initiated by (deployment ${id})`;

function breaks(service: ServiceView, primary: DeploymentView): boolean {
  return (
    service.circuitBreaker.enable &&
    primary.rolloutState === 'IN_PROGRESS' &&
    primary.rollingBackFrom === undefined &&
    primary.failedTasks >= breakerThreshold(service.desiredCount)
  );
}

/** The circuit breaker (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html). */
function tripped(
  service: ServiceView,
  primary: DeploymentView,
  deployments: readonly DeploymentView[],
  draft: Draft,
): Decision {
  draft.rollout.push({
    id: primary.id,
    state: 'FAILED',
    reason: 'ECS deployment circuit breaker: tasks failed to start.',
  });
  draft.events.push(`(service ${service.name}) (deployment ${primary.id}) deployment failed: tasks failed to start.`);
  const last = deployments
    .filter((one) => one.id !== primary.id && one.everCompleted)
    .reduce<DeploymentView | undefined>(
      (best, one) => (best && best.createdAt > one.createdAt ? best : one),
      undefined,
    );
  if (service.circuitBreaker.rollback && last) {
    draft.rollback = { from: primary.id, to: last.id };
    draft.rollout.push({
      id: last.id,
      state: 'IN_PROGRESS',
      reason: `ECS deployment circuit breaker: rolling back to deploymentId ${last.id}.`,
    });
    draft.events.push(`(service ${service.name}) rolling back to deployment ${last.id}.`);
  }
  draft.steady = false;
  return draft;
}

/** Starts and stops: replace what is unhealthy, bring the primary deployment up, take the others down. */
function roll(
  service: ServiceView,
  primary: DeploymentView,
  tasks: readonly TaskView[],
  now: number,
  draft: Draft,
): void {
  const { desiredCount } = service;
  const { minimum, maximum } = limits(desiredCount, service.minimumHealthyPercent, service.maximumPercent);
  const mine = tasks.filter((task) => task.deploymentId === primary.id);
  const others = tasks.filter((task) => task.deploymentId !== primary.id);
  const good = mine.filter((task) => task.health !== 'unhealthy');
  const bad = mine.filter((task) => task.health === 'unhealthy');
  const healthy = (some: readonly TaskView[]) => some.filter((task) => task.health === 'healthy').length;
  const missing = primary.rolloutState === 'FAILED' ? 0 : Math.max(0, desiredCount - good.length);
  let live = tasks.length;
  const stop = (task: TaskView, reason: string) => {
    draft.stop.push({ arn: task.arn, reason });
    live -= 1;
  };

  // More than are desired: those that do least go first, then the youngest.
  if (primary.rolloutState !== 'FAILED')
    for (const task of [...good].sort(leastUseful).slice(0, Math.max(0, good.length - desiredCount)))
      stop(task, scaling(primary.id));

  // What is unhealthy serves nobody: it goes as soon as its replacement works, or where there is no room for one.
  const enough = healthy(good) >= desiredCount;
  const room = maximum - live;
  const giveWay = enough ? bad.length : Math.min(bad.length, Math.max(0, missing - Math.max(0, room)));
  for (const task of [...bad].sort((a, b) => a.createdAt - b.createdAt).slice(0, giveWay))
    stop(task, task.unhealthyReason ?? 'Task failed health checks');

  if (primary.rolloutState !== 'FAILED') {
    // Old tasks that are not healthy serve nobody either, and make room. Healthy ones wait for their successors where there is
    // room to start them first; where there is none, they go as far as the minimum.
    for (const task of others) if (task.health !== 'healthy') stop(task, scaling(primary.id));
    const startFirst = maximum - live >= missing && !primary.placementFailed;
    const floor = startFirst ? Math.max(minimum, desiredCount) : minimum;
    const goneHealthy = good.filter(
      (task) => task.health === 'healthy' && draft.stop.some(({ arn }) => arn === task.arn),
    ).length;
    const spare = healthy(others) + healthy(good) - goneHealthy - floor;
    for (const task of others
      .filter((one) => one.health === 'healthy')
      .sort((a, b) => a.createdAt - b.createdAt)
      .slice(0, Math.max(0, spare)))
      stop(task, scaling(primary.id));
  }

  const count = Math.min(missing, Math.max(0, maximum - live));
  if (count > 0) {
    const readyAt = (primary.lastFailureAt ?? 0) + backOffMs(primary.startFailures, desiredCount);
    if (primary.lastFailureAt === undefined || readyAt <= now) draft.start = { deploymentId: primary.id, count };
    else {
      draft.wakeAt = readyAt;
      if (primary.startFailures > Math.max(3, desiredCount))
        draft.events.push(
          `(service ${service.name}) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
        );
    }
  }
  const stuck =
    missing > 0 && count === 0 && draft.stop.length === 0 && tasks.every((task) => task.health === 'healthy');
  if (stuck)
    draft.events.push(
      `(service ${service.name}) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.`,
    );
  if (draft.start || draft.stop.length > 0) draft.steady = false;
}

const rank = { unhealthy: 0, starting: 1, healthy: 2 } as const;
const leastUseful = (a: TaskView, b: TaskView) => rank[a.health] - rank[b.health] || b.createdAt - a.createdAt;

/** Which deployments are over, and whether the service stands still as desired. */
function finish(
  service: ServiceView,
  primary: DeploymentView,
  deployments: readonly DeploymentView[],
  tasks: readonly TaskView[],
  draft: Draft,
): void {
  const stopping = new Set(draft.stop.map(({ arn }) => arn));
  const left = tasks.filter((task) => !stopping.has(task.arn));
  for (const deployment of deployments)
    if (deployment.status === 'ACTIVE' && !left.some((task) => task.deploymentId === deployment.id))
      draft.retire.push(deployment.id);
  const settled =
    left.length === service.desiredCount &&
    left.every((task) => task.deploymentId === primary.id && task.health === 'healthy') &&
    !draft.start;
  if (!settled) {
    draft.steady = false;
    return;
  }
  if (primary.rolloutState === 'IN_PROGRESS') {
    draft.rollout.push({ id: primary.id, state: 'COMPLETED', reason: `ECS deployment ${primary.id} completed.` });
    draft.events.push(`(service ${service.name}) (deployment ${primary.id}) deployment completed.`);
  }
  if (!service.steady) draft.events.push(`(service ${service.name}) has reached a steady state.`);
  draft.steady = true;
}
