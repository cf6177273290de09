import type { Selectable } from 'kysely';
import type { Controller } from '../../../base/controller.ts';
import type { Tx, Watch } from '../../../state/store.ts';
import { formatArn } from '../../../wire/arn.ts';
import { emitEvent } from '../image-events.ts';
import type { Ecr } from '../parts.ts';
import { settledWithin } from '../settled.ts';
import type { EcrTables } from '../tables.ts';
import { copyImage } from './copy.ts';
import { endpointOf } from './destinations.ts';
import { openRemote, ReplicationError } from './remote.ts';

type Row = Selectable<EcrTables['ecr_replication']>;

/** Copies at once, tries of each, and the pause after the first failed one, which doubles. */
const atOnce = 2;
const mostAttempts = 5;
const firstPauseMilliseconds = 5_000;

/** Copies images that were pushed to where the replication rules say, with retries. */
export function replicator(ecr: Ecr): Controller {
  const { store, clock, log } = ecr;
  let watch: Watch | undefined;
  let cancel = () => {};
  let stopped = true;
  const running = new Map<string, Promise<void>>();

  /** Starts what is due, as far as there is room, and comes back when the next is. */
  async function turn(): Promise<void> {
    if (stopped) return;
    cancel();
    const rows = await store.db
      .selectFrom('ecr_replication')
      .selectAll()
      .where('status', '=', 'IN_PROGRESS')
      .orderBy('due_at')
      .limit(atOnce * 8)
      .execute();
    for (const row of rows) {
      const key = JSON.stringify([row.repository, row.digest, row.tag, row.region, row.registry_id]);
      if (running.has(key) || running.size >= atOnce || row.due_at > clock.now() || stopped) continue;
      const work = replicate(ecr, row)
        .catch((error) => log.error({ err: error, repository: row.repository }, 'could not note how a copy went'))
        .finally(() => {
          running.delete(key);
          void again();
        });
      running.set(key, work);
    }
    const next = rows.find((row) => row.due_at > clock.now());
    if (next && !stopped) cancel = clock.after(Math.max(50, next.due_at - clock.now()), () => void again());
  }
  async function again(): Promise<void> {
    try {
      await turn();
    } catch (error) {
      log.warn({ err: error }, 'could not look for images to replicate; will try again');
      if (!stopped) cancel = clock.after(firstPauseMilliseconds, () => void again());
    }
  }

  return {
    name: 'ecr.replication',
    async start() {
      stopped = false;
      watch = store.watch(['ecr.replication'], () => again());
      await again();
    },
    async stop() {
      stopped = true;
      cancel();
      await watch?.stop();
      await settledWithin(clock, 2_000, running.values());
    },
  };
}

async function replicate(ecr: Ecr, row: Row): Promise<void> {
  const { settings, store, clock, log } = ecr;
  const { repository, digest, tag, region, registry_id: registryId } = row;
  let failure: ReplicationError | undefined;
  try {
    const endpoint = await endpointOf(settings.dataDir, { region, registryId });
    if (!endpoint) throw new ReplicationError('DestinationNotConfigured', 'replication.json does not name it any more');
    const remote = await openRemote(endpoint, region, () => clock.now());
    await copyImage(ecr, remote, repository, digest, tag || undefined);
  } catch (error) {
    failure =
      error instanceof ReplicationError ? error : new ReplicationError('InternalFailure', (error as Error).message);
    log.warn({ err: error, repository, digest, region, registryId, attempt: row.attempts + 1 }, 'a copy failed');
  }
  const attempts = row.attempts + 1;
  await store.transaction(async (tx) => {
    const ended = !failure || attempts >= mostAttempts || failure.code === 'ImageNotFound';
    const pause = firstPauseMilliseconds * 2 ** row.attempts;
    await tx.db
      .updateTable('ecr_replication')
      .set({
        status: !failure ? 'COMPLETE' : ended ? 'FAILED' : 'IN_PROGRESS',
        failure_code: failure?.code ?? null,
        attempts,
        due_at: clock.now() + (failure && !ended ? pause : 0),
      })
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .where('tag', '=', tag)
      .where('region', '=', region)
      .where('registry_id', '=', registryId)
      .execute();
    if (ended) await tellOfCopy(ecr, tx, row, failure);
  });
}

async function tellOfCopy(ecr: Ecr, tx: Tx<EcrTables>, row: Row, failure: ReplicationError | undefined) {
  const { settings } = ecr;
  const detail = {
    result: failure ? 'FAILED' : 'SUCCESS',
    'repository-name': row.repository,
    'image-digest': row.digest,
    'source-account': settings.accountId,
    'source-region': settings.region,
    'action-type': 'REPLICATE',
    ...(row.tag === '' ? {} : { 'image-tag': row.tag }),
  };
  const destination = formatArn('ecr', row.region, row.registry_id, `repository/${row.repository}`);
  await emitEvent(ecr, tx, 'ECR Replication Action', detail, [destination]);
}
