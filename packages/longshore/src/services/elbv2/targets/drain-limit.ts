import type { Controller } from '../../../base/controller.ts';
import type { Watch } from '../../../state/store.ts';
import { allAttributes, targetGroupAttributes } from '../attributes/attributes.ts';
import type { Elbv2Parts } from '../operation.ts';
import { announce } from './targets.ts';

/** How long after its deregistration delay a node may still be busy with a target before it is taken for gone. */
const graceMs = 30_000;

/**
 * Forgets targets that drain longer than their group's deregistration delay allows, as when the node that served them is
 * gone and will never say that they have drained.
 */
export function drainLimit(parts: Elbv2Parts): Controller {
  const { store, clock, log } = parts;
  let watch: Watch | undefined;
  let cancel: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;

  const round = async () => {
    const next = await forgetOverdue(parts);
    cancel?.();
    cancel = undefined;
    if (next === undefined || stopped) return;
    cancel = clock.after(Math.max(0, next - clock.now()), run);
  };
  const run = () => {
    running = running.then(round).catch((error: unknown) => {
      log.error({ error }, 'forgetting targets that drain too long failed; trying again in 10 s');
      if (!stopped) cancel = clock.after(10_000, run);
    });
  };

  return {
    name: 'elbv2.drain-limit',
    async start() {
      watch = store.watch(['elbv2.target'], async () => {
        run();
        await running;
      });
      run();
      await running;
    },
    async stop() {
      stopped = true;
      await watch?.stop();
      await running;
      cancel?.();
    },
  };
}

/** Forgets the overdue and answers when the next one will be. */
async function forgetOverdue({ store, clock }: Elbv2Parts): Promise<number | undefined> {
  const rows = await store.db
    .selectFrom('elbv2_targets')
    .innerJoin('elbv2_target_groups', 'elbv2_target_groups.arn', 'elbv2_targets.targetGroupArn')
    .select(['targetGroupArn', 'id', 'elbv2_targets.port', 'drainingSince', 'attributes'])
    .where('draining', '=', 1)
    .execute();
  const limits = rows.map((row) => ({ ...row, limit: (row.drainingSince ?? 0) + drainMs(row.attributes) + graceMs }));
  const overdue = limits.filter((row) => row.limit <= clock.now());
  if (overdue.length > 0) {
    await store.transaction(async (tx) => {
      for (const { targetGroupArn, id, port, drainingSince } of overdue) {
        await tx.db
          .deleteFrom('elbv2_targets')
          .where('targetGroupArn', '=', targetGroupArn)
          .where('id', '=', id)
          .where('port', '=', port)
          .where('draining', '=', 1)
          .where('drainingSince', '=', drainingSince)
          .execute();
        announce(tx, targetGroupArn);
      }
    });
  }
  const later = limits.filter((row) => row.limit > clock.now()).map((row) => row.limit);
  return later.length > 0 ? Math.min(...later) : undefined;
}

function drainMs(attributes: string): number {
  return (
    Number(allAttributes(targetGroupAttributes, JSON.parse(attributes))['deregistration_delay.timeout_seconds']) * 1000
  );
}
