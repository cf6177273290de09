import type { Kysely } from 'kysely';
import { listManifestFacts, type ManifestFacts } from './images.ts';
import { decideLifecycle, type LifecycleImage, type LifecycleVerdict } from './lifecycle/decide.ts';
import type { LifecycleRule } from './lifecycle/grammar.ts';
import { digestsInUse } from './lifecycle/in-use.ts';
import type { Ecr } from './parts.ts';
import type { EcrTables } from './tables.ts';

const pageSize = 1000;

/** The images of a repository as lifecycle rules look at them. At most 100,000 by ECR's quota. */
export async function lifecycleImages(db: Kysely<EcrTables>, repository: string): Promise<readonly LifecycleImage[]> {
  const facts: ManifestFacts[] = [];
  for (let after = ''; ; ) {
    const page = await listManifestFacts(db, repository, { after, limit: pageSize });
    facts.push(...page);
    after = page.at(-1)?.digest ?? '';
    if (page.length < pageSize) break;
  }
  const tags = await db
    .selectFrom('ecr_tag')
    .select(['tag', 'digest'])
    .where('repository', '=', repository)
    .orderBy('tag')
    .execute();
  const children = await db
    .selectFrom('ecr_manifest_ref')
    .select(['digest', 'target'])
    .where('repository', '=', repository)
    .where('kind', '=', 'manifest')
    .execute();
  const tagsOf = Map.groupBy(tags, (row) => row.digest);
  const childrenOf = Map.groupBy(children, (row) => row.digest);
  return facts.map((image) => ({
    digest: image.digest,
    tags: (tagsOf.get(image.digest) ?? []).map((row) => row.tag),
    archived: image.image_status === 'ARCHIVED',
    pushedAt: image.pushed_at,
    pulledAt: image.pulled_at,
    archivedAt: image.archived_at,
    activatedAt: image.activated_at,
    subject: image.subject,
    children: (childrenOf.get(image.digest) ?? []).map((row) => row.target),
  }));
}

export interface LifecycleOutcome {
  readonly images: ReadonlyMap<string, LifecycleImage>;
  readonly verdicts: readonly LifecycleVerdict[];
}

/** What rules would do to a repository now. Throws where it can't be told which images tasks use: then nothing may go. */
export async function evaluateLifecycle(
  { store, clock, neighbours }: Pick<Ecr, 'store' | 'clock' | 'neighbours'>,
  repository: string,
  rules: readonly LifecycleRule[],
): Promise<LifecycleOutcome> {
  const images = await lifecycleImages(store.db, repository);
  const used = digestsInUse(repository, images, (await neighbours.imagesInUse?.()) ?? []);
  return {
    images: new Map(images.map((image) => [image.digest, image])),
    verdicts: decideLifecycle(rules, images, clock.now(), used),
  };
}
