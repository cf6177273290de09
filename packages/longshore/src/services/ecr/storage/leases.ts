import type { Clock } from '../../../base/clock.ts';
import type { Store } from '../../../state/store.ts';
import type { EcrTables } from '../tables.ts';

/** How long things are kept that nothing needs; see README, "Clean-up". */
export interface GarbagePeriods {
  /** A repository keeps a blob for so long after a push last counted on it, without an image that needs it. */
  readonly leaseMilliseconds: number;
  /** Between a blob's being condemned and its removal: more than any commit takes from its bytes to its row. */
  readonly graceMilliseconds: number;
}

export const garbagePeriods: GarbagePeriods = { leaseMilliseconds: 24 * 3_600_000, graceMilliseconds: 3_600_000 };

/** Removing a file takes milliseconds; removing an object of S3 may take a few of its tries. */
const claimMilliseconds = 30_000;
const pauseMilliseconds = 20;

/**
 * Before a blob's bytes are put in place: takes back a condemnation, and waits for a removal that is under way, so that the bytes
 * can't be removed before `linkBlob` says that they are there. Writes only where there is something to take back.
 */
export async function claimBlob(store: Store<EcrTables>, clock: Clock, digest: string): Promise<void> {
  for (let waited = 0; waited < claimMilliseconds; waited += pauseMilliseconds) {
    const row = await store.db
      .selectFrom('ecr_blob')
      .select(['condemned_at', 'removing_at'])
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (!row || row.condemned_at === null) return;
    if (row.removing_at === null) {
      const taken = await store.transaction((tx) =>
        tx.db
          .updateTable('ecr_blob')
          .set({ condemned_at: null })
          .where('digest', '=', digest)
          .where('removing_at', 'is', null)
          .executeTakeFirst(),
      );
      if (taken.numUpdatedRows > 0n) return;
    }
    await clock.sleep(pauseMilliseconds);
  }
  throw new Error(`the blob ${digest} is being removed and that does not end: the log of the clean-up says why`);
}

/** Renews a lease that has less than half of its time left: most questions then cost no write. */
export interface Leases {
  /** Of blobs of a repository, read with their `leased_at`; those whose lease had run out and that are gone. */
  renew(
    repository: string,
    held: readonly { readonly digest: string; readonly leased_at: number }[],
  ): Promise<readonly string[]>;
}

export function leases(store: Store<EcrTables>, clock: Clock, { leaseMilliseconds }: GarbagePeriods): Leases {
  return {
    async renew(repository, held) {
      const now = clock.now();
      const due = held.filter((blob) => now - blob.leased_at > leaseMilliseconds / 2);
      if (due.length === 0) return [];
      return store.transaction(async (tx) => {
        const gone: string[] = [];
        for (const { digest } of due) {
          const { numUpdatedRows } = await tx.db
            .updateTable('ecr_repository_blob')
            .set({ leased_at: now })
            .where('repository', '=', repository)
            .where('digest', '=', digest)
            .executeTakeFirst();
          if (numUpdatedRows === 0n) gone.push(digest);
        }
        return gone;
      });
    },
  };
}
