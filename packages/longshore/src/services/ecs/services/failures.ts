import type { EcsParts } from '../parts.ts';

/** A task that ran for less than this is as good as one that never did: it must not be started over and over without pause. */
const shortMs = 30_000;

/**
 * Takes note, once, of a service's tasks that stopped: what failed counts for the circuit breaker while its deployment is
 * rolled out, and for the back-off while tasks in a row do not come to run.
 */
export async function countFailures({ store, clock }: EcsParts, serviceArn: string): Promise<void> {
  const query = (db: typeof store.db) =>
    db
      .selectFrom('ecs_tasks')
      .select(['arn', 'deploymentId', 'startedAt', 'stopCode', 'stoppedReason', 'executionStoppedAt', 'stoppingAt'])
      .where('serviceArn', '=', serviceArn)
      .where('counted', '=', 0)
      .where('lastStatus', 'in', ['DEPROVISIONING', 'STOPPED']);
  if (!(await query(store.db).executeTakeFirst())) return;
  await store.transaction(async (tx) => {
    const stopped = await query(tx.db).execute();
    for (const [deploymentId, tasks] of Map.groupBy(stopped, (row) => row.deploymentId ?? '')) {
      let failed = 0;
      let inARow = 0;
      for (const task of tasks) {
        const byScheduler = task.stopCode === 'ServiceSchedulerInitiated';
        const unhealthy = byScheduler && task.stoppedReason?.startsWith('Task failed');
        if (task.stopCode === 'UserInitiated' || (byScheduler && !unhealthy)) continue;
        failed += 1;
        const ran =
          task.startedAt === null
            ? 0
            : Number(task.executionStoppedAt ?? task.stoppingAt ?? clock.now()) - Number(task.startedAt);
        if (ran < shortMs && !unhealthy) inARow += 1;
        else inARow = Number.NEGATIVE_INFINITY;
      }
      await tx.db
        .updateTable('ecs_tasks')
        .set({ counted: 1 })
        .where(
          'arn',
          'in',
          tasks.map((task) => task.arn),
        )
        .execute();
      if (failed === 0) continue;
      await tx.db
        .updateTable('ecs_deployments')
        .set((eb) => ({
          failedTasks: eb
            .case()
            .when('rolloutState', '=', 'IN_PROGRESS')
            .then(eb('failedTasks', '+', failed))
            .else(eb.ref('failedTasks'))
            .end(),
          ...(inARow < 0
            ? { startFailures: 0 }
            : { startFailures: eb('startFailures', '+', inARow), lastFailureAt: clock.now() }),
          updatedAt: clock.now(),
        }))
        .where('id', '=', deploymentId)
        .execute();
    }
  });
}
