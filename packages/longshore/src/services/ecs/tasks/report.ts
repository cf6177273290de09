import type { AttachmentStateChange, Container, SubmitTaskStateChangeRequest } from '@aws-sdk/client-ecs';
import { lastPart } from '../names.ts';
import type { TaskRow, TaskStatus } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { type TaskDocument, taskDocument } from './document.ts';

/** Task states in the order that a task goes through them. */
const order: readonly TaskStatus[] = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
];

export const isPast = (status: TaskStatus, other: TaskStatus): boolean => order.indexOf(status) > order.indexOf(other);

export type Report = Pick<
  SubmitTaskStateChangeRequest,
  'status' | 'reason' | 'containers' | 'attachments' | 'pullStartedAt' | 'pullStoppedAt' | 'executionStoppedAt'
>;

/**
 * The task's row after an agent's report, or undefined where the report says nothing new. Reports may come twice and
 * late: a task never goes back. What the agent calls STOPPED is DEPROVISIONING here, until the interface is freed.
 */
export function afterReport(row: TaskRow, report: Report, now: number): TaskRow | undefined {
  if (row.lastStatus === 'STOPPED' || row.lastStatus === 'DEPROVISIONING') return undefined;
  const document = taskDocument(row);
  const next: TaskRow = {
    ...row,
    pullStartedAt: row.pullStartedAt ?? time(report.pullStartedAt),
    pullStoppedAt: row.pullStoppedAt ?? time(report.pullStoppedAt),
    executionStoppedAt: row.executionStoppedAt ?? time(report.executionStoppedAt),
    document: JSON.stringify(withContainers(document, report)),
    ...statusAfter(row, report, now),
  };
  next.healthStatus = healthOf((JSON.parse(next.document) as TaskDocument).containers);
  const same = (Object.keys(next) as (keyof TaskRow)[]).every((key) => next[key] === row[key]);
  return same ? undefined : { ...next, version: row.version + 1 };
}

function statusAfter(row: TaskRow, report: Report, now: number): Partial<TaskRow> {
  if (report.status === 'STOPPED') return stopped(row, report, now);
  const connected = row.connectivity ? {} : { connectivity: 'CONNECTED' as const, connectivityAt: now };
  if (report.status === 'RUNNING')
    return {
      ...connected,
      startedAt: row.startedAt ?? now,
      ...(isPast('RUNNING', row.lastStatus) && { lastStatus: 'RUNNING' as const }),
    };
  return { ...connected, ...(isPast('PENDING', row.lastStatus) && { lastStatus: 'PENDING' as const }) };
}

/** Why a task stopped (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html). */
function stopped(row: TaskRow, report: Report, now: number): Partial<TaskRow> {
  const failed = !row.startedAt;
  const code = row.stopCode ?? (failed ? 'TaskFailedToStart' : 'EssentialContainerExited');
  const containerReason = report.containers?.find((container) => container.reason)?.reason;
  const reason =
    row.stoppedReason ??
    report.reason ??
    (failed ? (containerReason ?? 'Task failed to start') : 'Essential container in task exited');
  return {
    lastStatus: 'DEPROVISIONING',
    desiredStatus: 'STOPPED',
    stopCode: code,
    stoppedReason: reason,
    stoppingAt: row.stoppingAt ?? now,
    executionStoppedAt: row.executionStoppedAt ?? time(report.executionStoppedAt) ?? now,
  };
}

function withContainers(document: TaskDocument, report: Report): TaskDocument {
  const changes = new Map((report.containers ?? []).map((change) => [change.containerName, change]));
  const all = report.status === 'STOPPED' ? 'STOPPED' : undefined;
  const containers = document.containers.map((container): Container => {
    const change = changes.get(container.name);
    if (!change && !all) return container;
    if (container.lastStatus === 'STOPPED' && change?.status !== 'STOPPED') return container;
    return withoutUndefined<Container>({
      ...container,
      lastStatus: all ?? containerStatus(change?.status) ?? container.lastStatus,
      exitCode: change?.exitCode ?? container.exitCode,
      reason: change?.reason ?? container.reason,
      runtimeId: change?.runtimeId ?? container.runtimeId,
      imageDigest: change?.imageDigest ?? container.imageDigest,
      networkBindings: change?.networkBindings?.length ? change.networkBindings : (container.networkBindings ?? []),
    });
  });
  const states = new Map((report.attachments ?? []).map((one) => [lastPart(one.attachmentArn ?? ''), one.status]));
  const attached = report.status === 'RUNNING' ? 'ATTACHED' : undefined;
  const attachments = document.attachments.map((one) => ({
    ...one,
    status: states.get(one.id ?? '') ?? attached ?? one.status ?? '',
  }));
  return { ...document, containers, attachments };
}

/** The agent's own steps of a container (PULLED, CREATED …) are PENDING to a caller. */
function containerStatus(status: string | undefined): string | undefined {
  if (status === undefined) return undefined;
  return status === 'RUNNING' || status === 'STOPPED' ? status : 'PENDING';
}

/** Over the containers that have a health check: UNHEALTHY before UNKNOWN before HEALTHY. */
export function healthOf(containers: readonly Container[]): TaskRow['healthStatus'] {
  const states = containers.map((container) => container.healthStatus).filter((state) => state !== undefined);
  if (states.includes('UNHEALTHY')) return 'UNHEALTHY';
  return states.includes('HEALTHY') ? 'HEALTHY' : 'UNKNOWN';
}

/** The document after agents reported attachments by themselves. */
export function withAttachments(document: TaskDocument, changes: readonly AttachmentStateChange[]): TaskDocument {
  return withContainers(document, { attachments: [...changes] });
}

const time = (date: Date | undefined) => date?.getTime() ?? null;
