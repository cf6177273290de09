import type { Attribute, ContainerInstance, Resource, VersionInfo } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { tagsOf } from '../lookups.ts';
import type { EcsTables, InstanceRow } from '../tables.ts';

/** What of a container instance no query asks for. */
export interface InstanceDocument {
  readonly attributes: readonly Attribute[];
  readonly resources: readonly Resource[];
  readonly versionInfo: VersionInfo;
  readonly sourceIp: string;
}

export const documentOf = (row: Pick<InstanceRow, 'document'>) => JSON.parse(row.document) as InstanceDocument;

/** Container instances as DescribeContainerInstances shows them. */
export async function renderInstances(
  db: Kysely<EcsTables>,
  rows: readonly InstanceRow[],
): Promise<ContainerInstance[]> {
  if (rows.length === 0) return [];
  const arns = rows.map((row) => row.arn);
  const tags = await tagsOf(db, arns);
  const tasks = await db
    .selectFrom('ecs_tasks')
    .select(['instanceArn', 'lastStatus', 'cpu', 'memory'])
    .where('instanceArn', 'in', arns)
    .where('lastStatus', '!=', 'STOPPED')
    .execute();
  return rows.map((row) => {
    const { attributes, resources, versionInfo } = documentOf(row);
    const mine = tasks.filter((task) => task.instanceArn === row.arn);
    const used = {
      CPU: mine.reduce((sum, task) => sum + task.cpu, 0),
      MEMORY: mine.reduce((sum, task) => sum + task.memory, 0),
    };
    return {
      containerInstanceArn: row.arn,
      version: row.version,
      versionInfo,
      registeredResources: [...resources],
      remainingResources: resources.map((one) =>
        one.name === 'CPU' || one.name === 'MEMORY'
          ? { ...one, integerValue: (one.integerValue ?? 0) - used[one.name] }
          : one,
      ),
      status: row.status,
      agentConnected: row.agentConnected === 1,
      runningTasksCount: mine.filter((task) => task.lastStatus === 'RUNNING').length,
      pendingTasksCount: mine.filter((task) => ['PROVISIONING', 'PENDING', 'ACTIVATING'].includes(task.lastStatus))
        .length,
      attributes: [...attributes],
      registeredAt: new Date(Number(row.registeredAt)),
      attachments: [],
      tags: tags.get(row.arn) ?? [],
    };
  });
}
