import type { Deployment, Service, ServiceEvent } from '@aws-sdk/client-ecs';
import { tagsOf } from '../lookups.ts';
import { clusterNameOf, type Place, serviceRevisionArn } from '../names.ts';
import type { EcsParts } from '../parts.ts';
import type { DeploymentRow, ServiceRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { revisionDocument, serviceDocument } from './document.ts';
import { keptEvents } from './events.ts';

const pending = new Set(['PROVISIONING', 'PENDING', 'ACTIVATING']);

export interface Counts {
  readonly running: number;
  readonly pending: number;
}

/** How many of each service's tasks run and are about to, by deployment. */
export async function countsOf(
  { store }: EcsParts,
  serviceArns: readonly string[],
): Promise<(serviceArn: string, deploymentId?: string) => Counts> {
  const rows =
    serviceArns.length === 0
      ? []
      : await store.db
          .selectFrom('ecs_tasks')
          .where('serviceArn', 'in', serviceArns)
          .where('desiredStatus', '=', 'RUNNING')
          .where('lastStatus', '!=', 'STOPPED')
          .groupBy(['serviceArn', 'deploymentId', 'lastStatus'])
          .select((eb) => ['serviceArn', 'deploymentId', 'lastStatus', eb.fn.countAll<number>().as('count')])
          .execute();
  return (serviceArn, deploymentId) => {
    const mine = rows.filter(
      (row) => row.serviceArn === serviceArn && (!deploymentId || row.deploymentId === deploymentId),
    );
    const sum = (test: (status: string) => boolean) =>
      mine.filter((row) => test(row.lastStatus)).reduce((total, row) => total + Number(row.count), 0);
    return { running: sum((status) => status === 'RUNNING'), pending: sum((status) => pending.has(status)) };
  };
}

/** The service revision of a deployment: its ARN ends with the same number, which Terraform looks for. */
export function revisionArn(row: Pick<DeploymentRow, 'id' | 'serviceArn'>): string {
  const [, , , region = '', accountId = ''] = row.serviceArn.split(':');
  const place: Place = { region, accountId };
  return serviceRevisionArn(
    place,
    clusterNameOf(row.serviceArn),
    row.serviceArn.split('/').at(-1) ?? '',
    row.id.split('/')[1] ?? '',
  );
}

/** Services as DescribeServices shows them. */
export async function renderServices(
  parts: EcsParts,
  rows: readonly ServiceRow[],
  withTags: boolean,
): Promise<Service[]> {
  const { store } = parts;
  if (rows.length === 0) return [];
  const arns = rows.map((row) => row.arn);
  const [counts, deployments, events, tags] = await Promise.all([
    countsOf(parts, arns),
    store.db
      .selectFrom('ecs_deployments')
      .selectAll()
      .where('serviceArn', 'in', arns)
      .where('status', '!=', 'INACTIVE')
      .orderBy('createdAt', 'desc')
      .execute(),
    Promise.all(
      arns.map((arn) =>
        store.db
          .selectFrom('ecs_service_events')
          .selectAll()
          .where('serviceArn', '=', arn)
          .orderBy('place', 'desc')
          .limit(keptEvents)
          .execute(),
      ),
    ),
    withTags ? tagsOf(store.db, arns) : undefined,
  ]);
  return rows.map((row, index) => {
    const document = serviceDocument(row);
    const { running, pending: waiting } = counts(row.arn);
    const mine = deployments
      .filter((one) => one.serviceArn === row.arn)
      .sort((a, b) => Number(b.status === 'PRIMARY') - Number(a.status === 'PRIMARY'));
    const current = mine.find((one) => one.finishedAt === null);
    return withoutUndefined<Service>({
      serviceArn: row.arn,
      serviceName: row.name,
      clusterArn: row.clusterArn,
      loadBalancers: [...document.loadBalancers],
      serviceRegistries: [],
      status: row.status,
      desiredCount: row.desiredCount,
      runningCount: running,
      pendingCount: waiting,
      launchType: document.launchType,
      capacityProviderStrategy: document.capacityProviderStrategy && [...document.capacityProviderStrategy],
      platformVersion: document.platformVersion,
      platformFamily: 'Linux',
      taskDefinition: document.taskDefinition,
      deploymentConfiguration: document.deploymentConfiguration,
      deployments: mine.map((one) => renderDeployment(one, row.desiredCount, counts(row.arn, one.id))),
      roleArn:
        document.loadBalancers.length > 0
          ? `arn:aws:iam::${row.arn.split(':')[4]}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`
          : undefined,
      events: (events[index] ?? []).map(
        (event): ServiceEvent => ({
          id: event.id,
          createdAt: new Date(Number(event.createdAt)),
          message: event.message,
        }),
      ),
      createdAt: new Date(Number(row.createdAt)),
      currentServiceDeployment: current?.serviceDeploymentArn,
      currentServiceRevisions: mine.map((one) => ({
        arn: revisionArn(one),
        requestedTaskCount: one.status === 'PRIMARY' ? row.desiredCount : 0,
        runningTaskCount: counts(row.arn, one.id).running,
        pendingTaskCount: counts(row.arn, one.id).pending,
      })),
      placementConstraints: [],
      placementStrategy: [],
      networkConfiguration: document.networkConfiguration,
      healthCheckGracePeriodSeconds: document.healthCheckGracePeriodSeconds,
      schedulingStrategy: 'REPLICA',
      deploymentController: { type: 'ECS' },
      tags: tags ? (tags.get(row.arn) ?? []) : undefined,
      createdBy: row.createdBy,
      enableECSManagedTags: document.enableECSManagedTags,
      propagateTags: document.propagateTags,
      enableExecuteCommand: document.enableExecuteCommand,
      availabilityZoneRebalancing: document.availabilityZoneRebalancing,
    });
  });
}

/** One service as it is now, with its tags. */
export async function renderService(parts: EcsParts, arn: string): Promise<Service | undefined> {
  const row = await parts.store.db
    .selectFrom('ecs_services')
    .selectAll()
    .where('arn', '=', arn)
    .executeTakeFirstOrThrow();
  return (await renderServices(parts, [row], true))[0];
}

function renderDeployment(row: DeploymentRow, desiredCount: number, counts: Counts): Deployment {
  const revision = revisionDocument(row);
  return withoutUndefined<Deployment>({
    id: row.id,
    status: row.status,
    taskDefinition: row.taskDefinitionArn,
    desiredCount: row.status === 'PRIMARY' ? desiredCount : 0,
    pendingCount: counts.pending,
    runningCount: counts.running,
    failedTasks: row.failedTasks,
    createdAt: new Date(Number(row.createdAt)),
    updatedAt: new Date(Number(row.updatedAt)),
    launchType: revision.launchType,
    capacityProviderStrategy: revision.capacityProviderStrategy && [...revision.capacityProviderStrategy],
    platformVersion: revision.platformVersion,
    platformFamily: 'Linux',
    networkConfiguration: revision.networkConfiguration,
    rolloutState: row.rolloutState,
    rolloutStateReason: row.rolloutStateReason,
  });
}
