import { deploymentChanged } from '../announce.ts';
import { definitionOf } from '../lookups.ts';
import { clusterNameOf, serviceDeploymentArn } from '../names.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import type { DeploymentRow, ServiceRow, TaskDefinitionRow } from '../tables.ts';
import { type RevisionDocument, serviceDocument } from './document.ts';

/** Makes a deployment of the service as it stands PRIMARY; the one before goes on as ACTIVE until its tasks are gone. */
export async function newDeployment(
  parts: EcsParts,
  tx: EcsTx,
  service: ServiceRow,
  definition: TaskDefinitionRow,
): Promise<DeploymentRow> {
  const { clock, random } = parts;
  const now = clock.now();
  const before = await tx.db
    .selectFrom('ecs_deployments')
    .selectAll()
    .where('serviceArn', '=', service.arn)
    .where('status', '=', 'PRIMARY')
    .executeTakeFirst();
  if (before) {
    await tx.db
      .updateTable('ecs_deployments')
      .set({ status: 'ACTIVE', updatedAt: now })
      .where('id', '=', before.id)
      .execute();
    // A rollout that had not ended is over now.
    await tx.db
      .updateTable('ecs_deployments')
      .set({
        serviceDeploymentStatus: 'STOPPED',
        serviceDeploymentReason: 'The service deployment was replaced by a newer one.',
        finishedAt: now,
      })
      .where('serviceArn', '=', service.arn)
      .where('finishedAt', 'is', null)
      .execute();
  }
  const { loadBalancers, networkConfiguration, launchType, capacityProviderStrategy, platformVersion } =
    serviceDocument(service);
  const document: RevisionDocument = {
    loadBalancers,
    ...(networkConfiguration && { networkConfiguration }),
    ...(launchType && { launchType }),
    ...(capacityProviderStrategy && { capacityProviderStrategy }),
    platformVersion,
    desiredCount: service.desiredCount,
    containerImages: (definitionOf(definition).containerDefinitions ?? []).map((container) => ({
      containerName: container.name ?? '',
      image: container.image ?? '',
    })),
  };
  const [, , , region = '', accountId = ''] = service.arn.split(':');
  const number = BigInt(`0x${random.hex(15)}`)
    .toString()
    .padStart(19, '1');
  const row: DeploymentRow = {
    id: `ecs-svc/${number}`,
    serviceArn: service.arn,
    status: 'PRIMARY',
    taskDefinitionArn: definition.arn,
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `ECS deployment ecs-svc/${number} in progress.`,
    everCompleted: 0,
    failedTasks: 0,
    startFailures: 0,
    lastFailureAt: null,
    placementFailed: 0,
    serviceDeploymentArn: serviceDeploymentArn(
      { region, accountId },
      clusterNameOf(service.arn),
      service.name,
      random.hex(21),
    ),
    serviceDeploymentStatus: 'IN_PROGRESS',
    serviceDeploymentReason: null,
    sourceDeploymentId: before?.id ?? null,
    rollbackAt: null,
    createdAt: now,
    updatedAt: now,
    finishedAt: null,
    document: JSON.stringify(document),
  };
  await tx.db.insertInto('ecs_deployments').values(row).execute();
  await deploymentChanged(parts, tx, { ...row, reason: row.rolloutStateReason, state: 'IN_PROGRESS' });
  await tx.db.updateTable('ecs_services').set({ steady: 0 }).where('arn', '=', service.arn).execute();
  return row;
}
