import type { Tag, Task } from '@aws-sdk/client-ecs';
import type { TaskRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { taskDocument } from './document.ts';

const date = (milliseconds: number | null) => (milliseconds === null ? undefined : new Date(Number(milliseconds)));

/** A task as DescribeTasks shows it. The machine of a Fargate task is not the caller's to see. */
export function renderTask(row: TaskRow, tags: readonly Tag[] = []): Task {
  const document = taskDocument(row);
  return withoutUndefined<Task>({
    attachments: [...document.attachments],
    attributes: [...document.attributes],
    availabilityZone: document.availabilityZone,
    capacityProviderName: document.capacityProviderName,
    clusterArn: row.clusterArn,
    connectivity: row.connectivity ?? undefined,
    connectivityAt: date(row.connectivityAt),
    containerInstanceArn: row.launchType === 'FARGATE' ? undefined : (row.instanceArn ?? undefined),
    containers: [...document.containers],
    cpu: String(row.cpu),
    createdAt: date(row.createdAt),
    desiredStatus: row.desiredStatus,
    enableExecuteCommand: document.enableExecuteCommand,
    executionStoppedAt: date(row.executionStoppedAt),
    group: row.taskGroup ?? undefined,
    healthStatus: row.healthStatus,
    inferenceAccelerators: [],
    lastStatus: row.lastStatus,
    launchType: row.launchType,
    memory: String(row.memory),
    overrides: document.overrides,
    platformVersion: document.platformVersion,
    platformFamily: 'Linux',
    pullStartedAt: date(row.pullStartedAt),
    pullStoppedAt: date(row.pullStoppedAt),
    startedAt: date(row.startedAt),
    startedBy: row.startedBy ?? undefined,
    stopCode: (row.stopCode ?? undefined) as Task['stopCode'],
    stoppedAt: date(row.stoppedAt),
    stoppedReason: row.stoppedReason ?? undefined,
    stoppingAt: date(row.stoppingAt),
    tags: [...tags],
    taskArn: row.arn,
    taskDefinitionArn: row.taskDefinitionArn,
    version: row.version,
    ephemeralStorage: document.ephemeralStorage ?? { sizeInGiB: 20 },
    fargateEphemeralStorage: document.ephemeralStorage ?? { sizeInGiB: 20 },
  });
}
