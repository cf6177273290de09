import { clusterArn, clusterNameOf } from './names.ts';
import { renderInstances } from './operations/instance-shape.ts';
import { type EcsParts, type EcsTx, foreign } from './parts.ts';
import type { DeploymentRow, InstanceRow, TaskRow } from './tables.ts';
import { renderTask } from './tasks/render.ts';

/**
 * What EventBridge is told, within the transaction that it happens in, in the shape that AWS documents
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html). `detail.version` grows with every change.
 */
type Parts = Pick<EcsParts, 'clock' | 'events'>;

const source = 'aws.ecs';

/** The task as DescribeTasks shows it after the change. */
export async function taskChanged({ clock, events }: Parts, tx: EcsTx, row: TaskRow): Promise<void> {
  if (!events) return;
  const { tags: _, ...task } = renderTask(row);
  await events.emit(foreign(tx), {
    source,
    detailType: 'ECS Task State Change',
    resources: [row.arn],
    detail: { ...task, updatedAt: new Date(clock.now()) },
  });
}

/** The instance as DescribeContainerInstances shows it after the change. */
export async function instanceChanged({ clock, events }: Parts, tx: EcsTx, row: InstanceRow): Promise<void> {
  if (!events) return;
  const [instance] = await renderInstances(tx.db, [row]);
  const { tags: _, ...detail } = instance ?? {};
  await events.emit(foreign(tx), {
    source,
    detailType: 'ECS Container Instance State Change',
    resources: [row.arn],
    detail: { ...detail, clusterArn: row.clusterArn, updatedAt: new Date(clock.now()) },
  });
}

export async function deploymentChanged(
  { clock, events }: Parts,
  tx: EcsTx,
  {
    id,
    serviceArn,
    state,
    reason,
  }: Pick<DeploymentRow, 'id' | 'serviceArn'> & {
    readonly state: DeploymentRow['rolloutState'];
    readonly reason: string;
  },
): Promise<void> {
  await events?.emit(foreign(tx), {
    source,
    detailType: 'ECS Deployment State Change',
    resources: [serviceArn],
    detail: {
      eventType: state === 'FAILED' ? 'ERROR' : 'INFO',
      eventName: `SERVICE_DEPLOYMENT_${state}`,
      clusterArn: clusterOf(serviceArn),
      deploymentId: id,
      updatedAt: new Date(clock.now()),
      reason,
    },
  });
}

/** What a service's own messages are as service actions; the others have none. */
const actions: readonly (readonly [says: RegExp, eventType: 'INFO' | 'WARN' | 'ERROR', eventName: string])[] = [
  [/ has reached a steady state\.$/, 'INFO', 'SERVICE_STEADY_STATE'],
  [/ has stopped \d+ running tasks: /, 'INFO', 'TASKS_STOPPED'],
  [/ deployment completed\.$/, 'INFO', 'SERVICE_DEPLOYMENT_COMPLETED'],
  [/ is unable to consistently start tasks successfully\./, 'WARN', 'SERVICE_TASK_START_IMPAIRED'],
  [/ was unable to place a task\. /, 'ERROR', 'SERVICE_TASK_PLACEMENT_FAILURE'],
  [/ failed to launch a task with /, 'ERROR', 'SERVICE_TASK_CONFIGURATION_FAILURE'],
];

/** A message of a service, where it is one of AWS's service actions. */
export async function serviceActed(
  { clock, events }: Parts,
  tx: EcsTx,
  serviceArn: string,
  message: string,
): Promise<void> {
  const [, eventType, eventName] = actions.find(([says]) => says.test(message)) ?? [];
  if (!eventName) return;
  await events?.emit(foreign(tx), {
    source,
    detailType: 'ECS Service Action',
    resources: [serviceArn],
    detail: {
      eventType,
      eventName,
      clusterArn: clusterOf(serviceArn),
      createdAt: new Date(clock.now()),
      ...(eventType !== 'INFO' && { reason: message }),
    },
  });
}

function clusterOf(serviceArn: string): string {
  const [, , , region = '', accountId = ''] = serviceArn.split(':');
  return clusterArn({ region, accountId }, clusterNameOf(serviceArn));
}
