import { type SqlBool, sql } from 'kysely';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Store } from '../../../state/store.ts';
import { parseDigest } from '../rules/grammar.ts';
import type { EcrTables } from '../tables.ts';
import type { BlobStore } from './blob-store.ts';
import type { GarbagePeriods } from './leases.ts';

/** Rows looked at between two pauses, so that a million of them hold up no request. */
const pageRows = 1000;
/** Rows changed in one transaction. */
const batchRows = 100;

/** What one round did. */
export interface Collected {
  /** Blobs that repositories held without need, let go. */
  released: number;
  /** Blobs that no repository holds, marked. */
  condemned: number;
  /** Blobs whose bytes were removed, and how many bytes. */
  removed: number;
  bytes: number;
  /** Blobs without a row (a push was killed before its transaction), marked. */
  orphans: number;
}

export interface GarbageParts {
  readonly store: Store<EcrTables>;
  readonly files: BlobStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly periods: GarbagePeriods;
}

export interface GarbageCollector {
  /** Removals that a crash left half-done. Before the first push. */
  finishRemovals(): Promise<void>;
  /** One round, beside pushes and pulls. `orphans`: also looks through the blob store itself. */
  collect(options?: { readonly orphans?: boolean; readonly signal?: AbortSignal }): Promise<Collected>;
}

/**
 * Removes what nothing can reach, while pushes go on: repositories let go of blobs that no manifest of theirs needs and no push
 * leased lately; blobs that nobody holds are condemned in one transaction, wait, are looked at again in another, and only then
 * removed. Manifests are never touched: each is a root, tagged or not, with what it refers to.
 */
export function garbageCollector({ store, files, clock, log, periods }: GarbageParts): GarbageCollector {
  const held = sql<SqlBool>`exists (select 1 from ecr_repository_blob where ecr_repository_blob.digest = ecr_blob.digest)`;
  const needed = sql<SqlBool>`exists (select 1 from ecr_manifest_ref
    where ecr_manifest_ref.repository = ecr_repository_blob.repository and ecr_manifest_ref.target = ecr_repository_blob.digest)`;
  const breathe = async (signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    await clock.sleep(1, signal);
  };

  async function release(oldest: number, signal: AbortSignal | undefined): Promise<number> {
    let released = 0;
    let after: readonly [string, string] = ['', ''];
    for (;;) {
      const from = sql<SqlBool>`(repository, digest) > (${after[0]}, ${after[1]})`;
      const page = store.db.selectFrom('ecr_repository_blob').where(from).orderBy('repository').orderBy('digest');
      const end = await page
        .select(['repository', 'digest'])
        .limit(1)
        .offset(pageRows - 1)
        .executeTakeFirst();
      const found = await page
        .$if(end !== undefined, (query) =>
          query.where(sql<SqlBool>`(repository, digest) <= (${end?.repository}, ${end?.digest})`),
        )
        .select(['repository', 'digest'])
        .where('leased_at', '<', oldest)
        .where(sql<SqlBool>`not ${needed}`)
        .execute();
      for (const batch of batches(found))
        released += await store.transaction(async (tx) => {
          let count = 0;
          for (const { repository, digest } of batch) {
            const { numDeletedRows } = await tx.db
              .deleteFrom('ecr_repository_blob')
              .where('repository', '=', repository)
              .where('digest', '=', digest)
              .where('leased_at', '<', oldest)
              .where(sql<SqlBool>`not ${needed}`)
              .executeTakeFirst();
            count += Number(numDeletedRows);
          }
          return count;
        });
      if (!end) return released;
      after = [end.repository, end.digest];
      await breathe(signal);
    }
  }

  async function condemn(signal: AbortSignal | undefined): Promise<number> {
    let condemned = 0;
    let after = '';
    for (;;) {
      const page = store.db.selectFrom('ecr_blob').select('digest').where('digest', '>', after).orderBy('digest');
      const end = await page
        .limit(1)
        .offset(pageRows - 1)
        .executeTakeFirst();
      const found = await page
        .$if(end !== undefined, (query) => query.where('digest', '<=', end?.digest ?? ''))
        .where('condemned_at', 'is', null)
        .where(sql<SqlBool>`not ${held}`)
        .execute();
      for (const batch of batches(found))
        condemned += await store.transaction(async (tx) => {
          const { numUpdatedRows } = await tx.db
            .updateTable('ecr_blob')
            .set({ condemned_at: clock.now() })
            .where(
              'digest',
              'in',
              batch.map((row) => row.digest),
            )
            .where('condemned_at', 'is', null)
            .where(sql<SqlBool>`not ${held}`)
            .executeTakeFirst();
          return Number(numUpdatedRows);
        });
      if (!end) return condemned;
      after = end.digest;
      await breathe(signal);
    }
  }

  async function remove(oldest: number, signal: AbortSignal | undefined): Promise<{ removed: number; bytes: number }> {
    const sum = { removed: 0, bytes: 0 };
    for (;;) {
      const marked = await store.transaction((tx) =>
        tx.db
          .updateTable('ecr_blob')
          .set({ removing_at: clock.now() })
          .where('digest', 'in', (select) =>
            select.selectFrom('ecr_blob').select('digest').where('condemned_at', '<', oldest).limit(batchRows),
          )
          .where('condemned_at', '<', oldest)
          .where(sql<SqlBool>`not ${held}`)
          .returning(['digest', 'size'])
          .execute(),
      );
      if (marked.length === 0) return sum;
      await removeMarked(marked);
      sum.removed += marked.length;
      for (const { size } of marked) sum.bytes += size;
      await breathe(signal);
    }
  }

  async function removeMarked(marked: readonly { readonly digest: string }[]): Promise<void> {
    let failure: unknown;
    const gone: string[] = [];
    for (const { digest } of marked) {
      const parsed = parseDigest(digest);
      try {
        if (parsed) await files.removeBlob(parsed);
        gone.push(digest);
      } catch (error) {
        // It stays marked, so that no push counts on it; the next round tries again.
        failure ??= error;
      }
    }
    await store.transaction(async (tx) => {
      for (const digest of gone)
        await tx.db.deleteFrom('ecr_blob').where('digest', '=', digest).where('removing_at', 'is not', null).execute();
    });
    if (failure !== undefined) throw new Error('a blob could not be removed', { cause: failure });
  }

  /** Gives blobs that lie there without a row a row that is condemned: from then on they are like any other. */
  async function adopt(oldest: number, signal: AbortSignal | undefined): Promise<number> {
    let orphans = 0;
    for await (const batch of files.listBlobs()) {
      const old = batch.filter((blob) => blob.changedAt < oldest);
      if (old.length > 0) {
        const rows = await store.db
          .selectFrom('ecr_blob')
          .select('digest')
          .where(
            'digest',
            'in',
            old.map((blob) => blob.digest),
          )
          .execute();
        const known = new Set(rows.map((row) => row.digest));
        for (const some of batches(old.filter((blob) => !known.has(blob.digest))))
          orphans += await store.transaction(async (tx) => {
            const now = clock.now();
            const { numInsertedOrUpdatedRows } = await tx.db
              .insertInto('ecr_blob')
              .values(
                some.map(({ digest, size }) => ({
                  digest,
                  size,
                  created_at: now,
                  condemned_at: now,
                  removing_at: null,
                })),
              )
              .onConflict((conflict) => conflict.column('digest').doNothing())
              .executeTakeFirst();
            return Number(numInsertedOrUpdatedRows ?? 0n);
          });
      }
      await breathe(signal);
    }
    return orphans;
  }

  return {
    async finishRemovals() {
      const marked = await store.db
        .selectFrom('ecr_blob')
        .select('digest')
        .where('condemned_at', 'is not', null)
        .where('removing_at', 'is not', null)
        .execute();
      if (marked.length > 0) await removeMarked(marked);
    },
    async collect({ orphans = false, signal } = {}) {
      const now = clock.now();
      const released = await release(now - periods.leaseMilliseconds, signal);
      const condemned = await condemn(signal);
      const adopted = orphans ? await adopt(now - periods.graceMilliseconds, signal) : 0;
      const done = {
        released,
        condemned,
        orphans: adopted,
        ...(await remove(now - periods.graceMilliseconds, signal)),
      };
      if (done.released + done.condemned + done.removed + done.orphans > 0)
        log.info(done, 'cleaned up blobs that nothing needs');
      return done;
    },
  };
}

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += batchRows) yield items.slice(start, start + batchRows);
}
