import type { Controller } from '../../base/controller.ts';
import type { Logger } from '../../base/log.ts';
import { rounds } from '../../base/rounds.ts';
import type { Watch } from '../../state/store.ts';
import type { IamGatekeeper } from './gatekeeper.ts';
import { type IamState, identityTopic } from './state.ts';

const everyMs = 60_000;
/** Rows that one transaction deletes at most. */
const batch = 1_000;

/**
 * Forgets what other processes changed, throws out temporary credentials that have expired, and notes when keys were last
 * used: AWS too is some minutes behind with that.
 */
export function housekeeping(
  state: IamState,
  gatekeeper: IamGatekeeper,
  log: Logger,
): Controller & { sweep(): Promise<void> } {
  let watch: Watch | undefined;

  const sweep = async (signal?: AbortSignal) => {
    let deleted: number;
    do {
      const rows = await state.store.transaction(async ({ db }) => {
        const expired = await db
          .selectFrom('iam_session')
          .select('access_key_id')
          .where('expires_at', '<', state.clock.now())
          .limit(batch)
          .execute();
        const ids = expired.map((row) => row.access_key_id);
        if (ids.length > 0) await db.deleteFrom('iam_session').where('access_key_id', 'in', ids).execute();
        return ids;
      });
      deleted = rows.length;
      if (deleted > 0) gatekeeper.forget();
    } while (deleted === batch && !signal?.aborted);
    const uses = gatekeeper.takeUses();
    if (uses.size === 0) return;
    await state.store.transaction(async ({ db }) => {
      for (const [id, use] of uses) {
        await db
          .updateTable('iam_access_key')
          .set({ last_used_at: use.at, last_used_service: use.service, last_used_region: use.region })
          .where('id', '=', id)
          .execute();
      }
    });
  };

  const controller = rounds(
    {
      name: 'iam.housekeeping',
      clock: state.clock,
      log,
      everyMs,
      failed: 'clearing expired credentials failed; trying again later',
    },
    sweep,
  );

  return {
    name: controller.name,
    sweep,
    async start() {
      watch = state.store.watch([identityTopic], async () => gatekeeper.forget());
      await controller.start();
    },
    async stop() {
      await controller.stop();
      await watch?.stop();
      watch = undefined;
    },
  };
}
