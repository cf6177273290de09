import { Fault } from '../../../wire/fault.ts';
import type { DeploymentView, ServiceView, TaskView } from '../deployments/decide.ts';
import { definitionOf } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import type { DeploymentRow, ServiceRow, TaskRow } from '../tables.ts';
import { hasHealthCheck } from '../task-definition/health.ts';
import { defaultDeployment, revisionDocument, type ServiceDocument, serviceDocument } from './document.ts';

/** A service and everything that its scheduler looks at. */
export interface Scene {
  readonly service: ServiceRow;
  readonly document: ServiceDocument;
  readonly primary: DeploymentRow | undefined;
  readonly view: ServiceView;
  readonly deployments: readonly DeploymentView[];
  readonly tasks: readonly TaskView[];
  /** Tasks that are not STOPPED, those that are stopping among them. */
  readonly openTasks: number;
  /** When a grace period ends. */
  readonly wakeAt: number | undefined;
}

type TaskPart = Pick<
  TaskRow,
  | 'arn'
  | 'deploymentId'
  | 'createdAt'
  | 'startedAt'
  | 'lastStatus'
  | 'desiredStatus'
  | 'healthStatus'
  | 'privateAddress'
  | 'taskDefinitionArn'
>;

/** `healthyOnce` remembers tasks that were healthy: health that is not known for a moment does not undo it. */
export async function sceneOf(
  parts: EcsParts,
  serviceArn: string,
  healthyOnce: Map<string, true>,
): Promise<Scene | undefined> {
  const { store, clock } = parts;
  const service = await store.db
    .selectFrom('ecs_services')
    .selectAll()
    .where('arn', '=', serviceArn)
    .executeTakeFirst();
  if (!service || service.status === 'INACTIVE') return undefined;
  const document = serviceDocument(service);
  const deployments = await store.db
    .selectFrom('ecs_deployments')
    .selectAll()
    .where('serviceArn', '=', serviceArn)
    .where((eb) => eb.or([eb('status', '!=', 'INACTIVE'), eb('everCompleted', '=', 1)]))
    .orderBy('createdAt', 'desc')
    .limit(10)
    .execute();
  const rows: TaskPart[] = await store.db
    .selectFrom('ecs_tasks')
    .select([
      'arn',
      'deploymentId',
      'createdAt',
      'startedAt',
      'lastStatus',
      'desiredStatus',
      'healthStatus',
      'privateAddress',
      'taskDefinitionArn',
    ])
    .where('serviceArn', '=', serviceArn)
    .where('lastStatus', '!=', 'STOPPED')
    .execute();
  const live = rows.filter((row) => row.desiredStatus === 'RUNNING' && row.lastStatus !== 'DEPROVISIONING');
  const judge = await healthJudge(parts, document, deployments, live);
  let wakeAt: number | undefined;
  const tasks = live.map((row): TaskView => {
    const verdict = judge(row);
    if (verdict.health === 'healthy') healthyOnce.set(row.arn, true);
    const health = verdict.health === 'starting' && healthyOnce.has(row.arn) ? 'healthy' : verdict.health;
    const graceEnds = Number(row.startedAt ?? clock.now()) + document.healthCheckGracePeriodSeconds * 1000;
    const inGrace = health === 'unhealthy' && graceEnds > clock.now();
    if (inGrace) wakeAt = Math.min(wakeAt ?? graceEnds, graceEnds);
    return {
      arn: row.arn,
      deploymentId: row.deploymentId ?? '',
      createdAt: Number(row.createdAt),
      health: inGrace ? 'starting' : health,
      ...(verdict.reason && { unhealthyReason: verdict.reason }),
    };
  });
  if (healthyOnce.size > 20_000) healthyOnce.clear();
  const { deploymentConfiguration: configuration } = document;
  return {
    service,
    document,
    primary: deployments.find((one) => one.status === 'PRIMARY'),
    view: {
      name: service.name,
      draining: service.status === 'DRAINING',
      desiredCount: service.desiredCount,
      minimumHealthyPercent: configuration.minimumHealthyPercent ?? defaultDeployment.minimumHealthyPercent,
      maximumPercent: configuration.maximumPercent ?? defaultDeployment.maximumPercent,
      circuitBreaker: {
        enable: configuration.deploymentCircuitBreaker?.enable ?? false,
        rollback: configuration.deploymentCircuitBreaker?.rollback ?? false,
      },
      steady: service.steady === 1,
    },
    deployments: deployments.map(deploymentView),
    tasks,
    openTasks: rows.length,
    wakeAt,
  };
}

const deploymentView = (row: DeploymentRow): DeploymentView => ({
  id: row.id,
  status: row.status,
  rolloutState: row.rolloutState,
  everCompleted: row.everCompleted === 1,
  createdAt: Number(row.createdAt),
  failedTasks: row.failedTasks,
  startFailures: row.startFailures,
  lastFailureAt: row.lastFailureAt === null ? undefined : Number(row.lastFailureAt),
  placementFailed: row.placementFailed === 1,
  rollingBackFrom: row.rollbackAt === null ? undefined : row.id,
});

interface Verdict {
  readonly health: TaskView['health'];
  readonly reason?: string;
}

/** How a task's health is told: it runs, its containers' checks pass, and every target group calls it healthy. */
async function healthJudge(
  { store, elbv2 }: EcsParts,
  document: ServiceDocument,
  deployments: readonly DeploymentRow[],
  live: readonly TaskPart[],
): Promise<(row: TaskPart) => Verdict> {
  const revisions = new Map(deployments.map((row) => [row.id, revisionDocument(row)]));
  const groups = new Set(
    [document, ...revisions.values()].flatMap((one) => one.loadBalancers.flatMap((lb) => lb.targetGroupArn ?? [])),
  );
  const health = new Map(
    await Promise.all(
      [...groups].map(
        async (arn) =>
          [arn, new Map((await healthIn(elbv2, arn)).map((one) => [`${one.id}:${one.port}`, one]))] as const,
      ),
    ),
  );
  const definitions = new Set(live.map((row) => row.taskDefinitionArn));
  const checked = new Set(
    definitions.size === 0
      ? []
      : (
          await store.db
            .selectFrom('ecs_task_definitions')
            .select(['arn', 'document'])
            .where('arn', 'in', [...definitions])
            .execute()
        )
          .filter((row) => hasHealthCheck(definitionOf(row)))
          .map((row) => row.arn),
  );
  return (row) => {
    if (row.lastStatus !== 'RUNNING') return { health: 'starting' };
    if (checked.has(row.taskDefinitionArn)) {
      if (row.healthStatus === 'UNHEALTHY')
        return { health: 'unhealthy', reason: 'Task failed container health checks' };
      if (row.healthStatus !== 'HEALTHY') return { health: 'starting' };
    }
    for (const { targetGroupArn, containerPort } of revisions.get(row.deploymentId ?? '')?.loadBalancers ?? []) {
      const state = health.get(targetGroupArn ?? '')?.get(`${row.privateAddress}:${containerPort}`)?.state;
      if (state === 'unhealthy')
        return { health: 'unhealthy', reason: `Task failed ELB health checks in (target-group ${targetGroupArn})` };
      if (state !== 'healthy') return { health: 'starting' };
    }
    return { health: 'healthy' };
  };
}

/** Targets of a group; none where the group was deleted under the service. */
const healthIn = (elbv2: EcsParts['elbv2'], targetGroupArn: string) =>
  elbv2.health(targetGroupArn).catch((error: unknown) => {
    if (error instanceof Fault) return [];
    throw error;
  });
