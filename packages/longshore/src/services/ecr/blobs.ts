import type { Kysely } from 'kysely';
import type { Tx } from '../../state/store.ts';
import { repositoryNotFound } from './faults.ts';
import type { EcrTables } from './tables.ts';

/** Digests in one `in (…)`: well under the least limit of our databases on bound values. */
const batch = 500;

/** Makes a blob one of a repository's. Throws RepositoryNotFoundException where the repository went away meanwhile. */
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
    .values({ digest, size, created_at: now })
    .onConflict((conflict) => conflict.column('digest').doNothing())
    .execute();
  await tx.db
    .insertInto('ecr_repository_blob')
    .values({ repository, digest, linked_at: now })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doNothing())
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

/** Sizes of those of the blobs that a repository holds, by digest. */
export async function blobSizes(
  db: Kysely<EcrTables>,
  repository: string,
  digests: readonly string[],
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (let start = 0; start < digests.length; start += batch) {
    const rows = await db
      .selectFrom('ecr_repository_blob')
      .innerJoin('ecr_blob', 'ecr_blob.digest', 'ecr_repository_blob.digest')
      .select(['ecr_blob.digest', 'ecr_blob.size'])
      .where('ecr_repository_blob.repository', '=', repository)
      .where('ecr_repository_blob.digest', 'in', digests.slice(start, start + batch))
      .execute();
    for (const { digest, size } of rows) sizes.set(digest, size);
  }
  return sizes;
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
