import { deploymentChanged } from '../announce.ts';
import type { Decision } from '../deployments/decide.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import { revisedBy, revisionDocument } from './document.ts';
import type { Scene } from './scene.ts';

/**
 * Writes what was decided of deployments. A service deployment (the longer record that Terraform follows) moves with its
 * deployment: IN_PROGRESS → SUCCESSFUL, STOPPED, or ROLLBACK_IN_PROGRESS → ROLLBACK_SUCCESSFUL.
 */
export async function applyDeployments(
  parts: Pick<EcsParts, 'clock' | 'events'>,
  tx: EcsTx,
  scene: Scene,
  decision: Decision,
): Promise<void> {
  const now = parts.clock.now();
  const { arn: serviceArn } = scene.service;
  const update = (id: string) => tx.db.updateTable('ecs_deployments').where('id', '=', id);
  for (const { id, state, reason } of decision.rollout) {
    await update(id).set({ rolloutState: state, rolloutStateReason: reason, updatedAt: now }).execute();
    await deploymentChanged(parts, tx, { id, serviceArn, state, reason });
    if (state === 'COMPLETED') await completed(tx, id, scene.service.arn, now);
    else if (state === 'FAILED')
      await update(id)
        .set({
          serviceDeploymentStatus: decision.rollback ? 'ROLLBACK_IN_PROGRESS' : 'STOPPED',
          serviceDeploymentReason: reason,
          ...(decision.rollback ? { rollbackAt: now } : { finishedAt: now }),
        })
        .execute();
  }
  if (decision.rollback) {
    await update(decision.rollback.from).set({ status: 'ACTIVE' }).execute();
    await update(decision.rollback.to)
      .set({ status: 'PRIMARY', startFailures: 0, lastFailureAt: null, failedTasks: 0, rollbackAt: now })
      .execute();
    await deploymentChanged(parts, tx, {
      id: decision.rollback.to,
      serviceArn,
      state: 'IN_PROGRESS',
      reason: `ECS deployment circuit breaker: rolling back to deploymentId ${decision.rollback.to}.`,
    });
    const to = await tx.db
      .selectFrom('ecs_deployments')
      .select(['taskDefinitionArn', 'document'])
      .where('id', '=', decision.rollback.to)
      .executeTakeFirstOrThrow();
    await tx.db
      .updateTable('ecs_services')
      .set({
        document: JSON.stringify({
          ...scene.document,
          ...revisedBy(revisionDocument(to)),
          taskDefinition: to.taskDefinitionArn,
        }),
      })
      .where('arn', '=', scene.service.arn)
      .execute();
  }
  for (const id of decision.retire)
    if (id !== decision.rollback?.to) await update(id).set({ status: 'INACTIVE', updatedAt: now }).execute();
}

async function completed(tx: EcsTx, id: string, serviceArn: string, now: number): Promise<void> {
  const row = await tx.db.selectFrom('ecs_deployments').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await tx.db
    .updateTable('ecs_deployments')
    .set({
      everCompleted: 1,
      startFailures: 0,
      lastFailureAt: null,
      rollbackAt: null,
      ...(row.finishedAt === null && { serviceDeploymentStatus: 'SUCCESSFUL', finishedAt: now }),
    })
    .where('id', '=', id)
    .execute();
  if (row.rollbackAt === null) return;
  await tx.db
    .updateTable('ecs_deployments')
    .set({ serviceDeploymentStatus: 'ROLLBACK_SUCCESSFUL', finishedAt: now })
    .where('serviceArn', '=', serviceArn)
    .where('serviceDeploymentStatus', '=', 'ROLLBACK_IN_PROGRESS')
    .execute();
}
