import type { Kysely } from 'kysely';
import type { Tx } from '../../state/store.ts';
import { repositoryNotFound } from './faults.ts';
import type { EcrTables } from './tables.ts';

/** Digests in one `in (…)`: well under the least limit of our databases on bound values. */
const batch = 500;

/**
 * Makes a blob one of a repository's, leased. Throws RepositoryNotFoundException where the repository went away meanwhile. Its
 * bytes must be there: see `claimBlob`.
 */
export async function linkBlob(
  tx: Tx<EcrTables>,
  registryId: string,
  repository: string,
  digest: string,
  size: number,
  now: number,
): Promise<void> {
  const there = await tx.db
    .selectFrom('ecr_repository')
    .select('name')
    .where('name', '=', repository)
    .executeTakeFirst();
  if (!there) throw repositoryNotFound(registryId, repository);
  await tx.db
    .insertInto('ecr_blob')
    .values({ digest, size, created_at: now, condemned_at: null, removing_at: null })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ condemned_at: null }))
    .execute();
  await tx.db
    .insertInto('ecr_repository_blob')
    .values({ repository, digest, linked_at: now, leased_at: now })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet({ leased_at: now }))
    .execute();
}

/** The size of a blob that a repository holds, in bytes; undefined where it holds none of that digest. */
export async function blobSize(db: Kysely<EcrTables>, repository: string, digest: string): Promise<number | undefined> {
  const found = await db
    .selectFrom('ecr_repository_blob')
    .innerJoin('ecr_blob', 'ecr_blob.digest', 'ecr_repository_blob.digest')
    .select('ecr_blob.size')
    .where('ecr_repository_blob.repository', '=', repository)
    .where('ecr_repository_blob.digest', '=', digest)
    .executeTakeFirst();
  return found?.size;
}

export interface HeldBlob {
  readonly digest: string;
  readonly size: number;
  readonly leased_at: number;
}

/** Those of the blobs that a repository holds, by digest. */
export async function heldBlobs(
  db: Kysely<EcrTables>,
  repository: string,
  digests: readonly string[],
): Promise<Map<string, HeldBlob>> {
  const held = new Map<string, HeldBlob>();
  for (let start = 0; start < digests.length; start += batch) {
    const rows = await db
      .selectFrom('ecr_repository_blob')
      .innerJoin('ecr_blob', 'ecr_blob.digest', 'ecr_repository_blob.digest')
      .select(['ecr_blob.digest', 'ecr_blob.size', 'ecr_repository_blob.leased_at'])
      .where('ecr_repository_blob.repository', '=', repository)
      .where('ecr_repository_blob.digest', 'in', digests.slice(start, start + batch))
      .execute();
    for (const row of rows) held.set(row.digest, row);
  }
  return held;
}

/** Sizes of those of the blobs that a repository holds, by digest. */
export async function blobSizes(
  db: Kysely<EcrTables>,
  repository: string,
  digests: readonly string[],
): Promise<Map<string, number>> {
  const held = await heldBlobs(db, repository, digests);
  return new Map([...held].map(([digest, { size }]) => [digest, size]));
}

/** Repositories that hold a blob, at most `limit`. */
export async function holdersOf(db: Kysely<EcrTables>, digest: string, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('ecr_repository_blob')
    .select('repository')
    .where('digest', '=', digest)
    .orderBy('repository')
    .limit(limit)
    .execute();
  return rows.map((row) => row.repository);
}
