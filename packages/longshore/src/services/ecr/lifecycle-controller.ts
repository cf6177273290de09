import type { Controller } from '../../base/controller.ts';
import type { Tx, Watch } from '../../state/store.ts';
import { imageDeleted } from './image-events.ts';
import { deleteManifest, findManifestFacts, indexesOf, tagsOf } from './images.ts';
import type { LifecycleVerdict } from './lifecycle/decide.ts';
import { parseLifecyclePolicy } from './lifecycle/grammar.ts';
import { digestsInUse } from './lifecycle/in-use.ts';
import { evaluateLifecycle, type LifecycleOutcome } from './lifecycle-images.ts';
import type { Ecr } from './parts.ts';
import type { EcrTables } from './tables.ts';

/** ECR applies a policy within 24 hours; here every hour, and this long after it was put. */
const everyMilliseconds = 3_600_000;
const afterPutMilliseconds = 60_000;
/** Images that one transaction acts on, so that pushes never wait long. */
const batch = 50;

/** Applies lifecycle policies: at start, every hour, and a minute after one was put. */
export function lifecycleController(ecr: Ecr): Controller {
  const { clock, log, store } = ecr;
  let stopped = true;
  let running: Promise<void> = Promise.resolve();
  let cancels = new Set<() => void>();
  let watch: Watch | undefined;

  const later = (milliseconds: number, work: () => Promise<void>) => {
    if (stopped) return;
    const cancel = clock.after(milliseconds, () => {
      cancels.delete(cancel);
      if (!stopped) running = running.then(work);
    });
    cancels.add(cancel);
  };
  const one = async (repository: string) => {
    try {
      const done = await applyLifecycle(ecr, repository, () => stopped);
      if (done.expired + done.archived > 0) log.info({ repository, ...done }, 'applied a lifecycle policy');
    } catch (error) {
      log.warn({ err: error, repository }, 'could not apply a lifecycle policy; will try again in an hour');
    }
  };
  const round = async () => {
    try {
      const rows = await store.db.selectFrom('ecr_lifecycle_policy').select('repository').execute();
      for (const { repository } of rows) if (!stopped) await one(repository);
    } catch (error) {
      log.warn({ err: error }, 'could not read lifecycle policies; will try again in an hour');
    }
    later(everyMilliseconds, round);
  };

  return {
    name: 'ecr.lifecycle',
    async start() {
      stopped = false;
      running = round();
      watch = store.watch(['ecr.lifecycle'], async (changes) => {
        for (const repository of new Set(changes.map((change) => change.key)))
          later(afterPutMilliseconds, () => one(repository));
      });
    },
    async stop() {
      stopped = true;
      for (const cancel of cancels) cancel();
      cancels = new Set();
      await watch?.stop();
      await running;
    },
  };
}

/** Applies the policy of one repository now, in small transactions, each after asking anew which images tasks use. */
export async function applyLifecycle(
  ecr: Ecr,
  repository: string,
  isStopped: () => boolean = () => false,
): Promise<{ readonly expired: number; readonly archived: number }> {
  const { store, clock, neighbours } = ecr;
  const done = { expired: 0, archived: 0 };
  const policy = await store.db
    .selectFrom('ecr_lifecycle_policy')
    .select('document')
    .where('repository', '=', repository)
    .executeTakeFirst();
  if (!policy) return done;
  const outcome = await evaluateLifecycle(ecr, repository, parseLifecyclePolicy(policy.document));
  for (let start = 0; start < outcome.verdicts.length && !isStopped(); start += batch) {
    const used = digestsInUse(repository, [...outcome.images.values()], (await neighbours.imagesInUse?.()) ?? []);
    await store.transaction(async (tx) => {
      for (const verdict of outcome.verdicts.slice(start, start + batch))
        if (!used.has(verdict.digest) && (await isUnchanged(tx, repository, verdict, outcome))) {
          if (verdict.action === 'expire') await expire(ecr, tx, repository, verdict.digest);
          else await setImageStatus(tx, repository, verdict.digest, 'ARCHIVED', clock.now());
          done[verdict.action === 'expire' ? 'expired' : 'archived'] += 1;
        }
    });
  }
  await store.transaction(async (tx) => {
    await tx.db
      .updateTable('ecr_lifecycle_policy')
      .set({ evaluated_at: clock.now() })
      .where('repository', '=', repository)
      .execute();
  });
  return done;
}

/** Is the image still what the decision was made about: same tags, same class, not pulled anew, and needed by no index? */
async function isUnchanged(
  tx: Tx<EcrTables>,
  repository: string,
  { digest }: LifecycleVerdict,
  { images }: LifecycleOutcome,
): Promise<boolean> {
  const was = images.get(digest);
  const is = await findManifestFacts(tx.db, repository, digest);
  if (!was || !is || is.pulled_at !== was.pulledAt || (is.image_status === 'ARCHIVED') !== was.archived) return false;
  const tags = (await tagsOf(tx.db, repository, [digest])).get(digest) ?? [];
  if (tags.join('\n') !== was.tags.join('\n')) return false;
  return (await indexesOf(tx.db, repository, digest)).length === 0;
}

async function expire(ecr: Ecr, tx: Tx<EcrTables>, repository: string, digest: string): Promise<void> {
  const tags = (await tagsOf(tx.db, repository, [digest])).get(digest) ?? [];
  await deleteManifest(tx, repository, digest);
  for (const tag of tags.length > 0 ? tags : [undefined]) await imageDeleted(ecr, tx, repository, digest, tag);
}

/** Moves an image into the archive or out of it. Announces `ecr.image`. */
export async function setImageStatus(
  tx: Tx<EcrTables>,
  repository: string,
  digest: string,
  status: 'ACTIVE' | 'ARCHIVED',
  now: number,
): Promise<void> {
  await tx.db
    .updateTable('ecr_manifest')
    .set({ image_status: status, ...(status === 'ARCHIVED' ? { archived_at: now } : { activated_at: now }) })
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .execute();
  tx.changed('ecr.image', `${repository}@${digest}`);
}
