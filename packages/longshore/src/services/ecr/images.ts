import { createHash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { Tx } from '../../state/store.ts';
import { blobSizes } from './blobs.ts';
import { fault, inRepository, invalidParameter } from './faults.ts';
import { isImmutable, type Place, type RepositoryRow, requireRepository } from './repositories.ts';
import { type Digest, parseDigest } from './rules/grammar.ts';
import { largestManifest, ManifestFlaw, type ParsedManifest, parseManifest } from './rules/manifest.ts';
import { forgetScan, isNoSbom, requestScanOnPush } from './scanning/scans.ts';
import type { EcrTables } from './tables.ts';

export type ManifestRow = Selectable<EcrTables['ecr_manifest']>;
/** Everything but the content, which may be 4 MiB. */
export type ManifestFacts = Omit<ManifestRow, 'content'>;

const batch = 500;
const facts = [
  'repository',
  'digest',
  'media_type',
  'artifact_type',
  'subject',
  'size',
  'image_size',
  'pushed_at',
  'pulled_at',
  'image_status',
  'archived_at',
  'activated_at',
] as const;

export interface ManifestPush {
  readonly repository: string;
  readonly content: Uint8Array;
  /** Content-Type, or imageManifestMediaType. */
  readonly mediaType: string | undefined;
  readonly tag: string | undefined;
  /** The digest that the pusher names; must be the content's. */
  readonly digest: Digest | undefined;
  readonly now: number;
  /** An index whose images need not (all) be there: what a pull-through cache keeps of it. */
  readonly sparse?: boolean;
}

export interface PushedManifest {
  readonly digest: string;
  readonly parsed: ParsedManifest;
  /** Neither the manifest nor the tag was new. */
  readonly unchanged: boolean;
}

/**
 * Stores a manifest, and its tag, after checking that everything it needs is in the repository. One rule for `/v2/` and
 * PutImage. Throws Fault with ECR's codes. Announces `ecr.image`, key `REPOSITORY@DIGEST`.
 */
export async function putManifest(tx: Tx<EcrTables>, place: Place, push: ManifestPush): Promise<PushedManifest> {
  const { repository, content, tag, now } = push;
  const { text, parsed } = readManifest(content, push.mediaType);
  const algorithm = push.digest?.algorithm ?? 'sha256';
  const hex = createHash(algorithm).update(content).digest('hex');
  if (push.digest && push.digest.hex !== hex)
    throw fault(
      'ImageDigestDoesNotMatchException',
      `The image digest '${algorithm}:${push.digest.hex}' does not match the calculated digest '${algorithm}:${hex}'`,
    );
  const digest = `${algorithm}:${hex}`;
  const owner = await requireRepository(tx.db, place, { repositoryName: repository });
  const existing = await findManifestFacts(tx.db, repository, digest);
  const tagged = tag === undefined ? undefined : await taggedDigest(tx.db, repository, tag);
  if (existing && (tag === undefined || tagged === digest)) return { digest, parsed, unchanged: true };
  if (tag !== undefined && tagged !== undefined && tagged !== digest) refuseImmutable(owner, tag);
  if (tag !== undefined && tagged !== digest) await checkTagQuota(tx.db, repository, digest);
  if (!existing) {
    await checkImageQuota(tx.db, repository);
    const childSize = await checkReferences(tx.db, place, repository, parsed, push.sparse);
    await insertManifest(tx, repository, digest, text, parsed, content.length, childSize, now);
    await requestScanOnPush(tx, owner, digest, parsed, now);
  }
  if (tag !== undefined)
    await tx.db
      .insertInto('ecr_tag')
      .values({ repository, tag, digest, tagged_at: now })
      .onConflict((conflict) => conflict.columns(['repository', 'tag']).doUpdateSet({ digest, tagged_at: now }))
      .execute();
  tx.changed('ecr.image', `${repository}@${digest}`);
  return { digest, parsed, unchanged: false };
}

/** ECR's quotas (user guide, "Amazon ECR service quotas"). */
const mostImages = 100_000;
const mostTags = 1000;

async function checkImageQuota(db: Kysely<EcrTables>, repository: string): Promise<void> {
  const beyond = await db
    .selectFrom('ecr_manifest')
    .select('digest')
    .where('repository', '=', repository)
    .orderBy('digest')
    .limit(1)
    .offset(mostImages - 1)
    .executeTakeFirst();
  if (beyond)
    throw fault(
      'LimitExceededException',
      `The repository '${repository}' already has the maximum of ${mostImages} images: delete some, or let a lifecycle policy do it`,
    );
}

async function checkTagQuota(db: Kysely<EcrTables>, repository: string, digest: string): Promise<void> {
  const beyond = await db
    .selectFrom('ecr_tag')
    .select('tag')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .orderBy('tag')
    .limit(1)
    .offset(mostTags - 1)
    .executeTakeFirst();
  if (beyond)
    throw fault('LimitExceededException', `The image '${digest}' already has the maximum of ${mostTags} tags`);
}

function readManifest(content: Uint8Array, mediaType: string | undefined): { text: string; parsed: ParsedManifest } {
  if (content.length > largestManifest)
    throw invalidParameter('imageManifest', `must have at most ${largestManifest} bytes`);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    return { text, parsed: parseManifest(text, mediaType) };
  } catch (error) {
    if (error instanceof ManifestFlaw) throw invalidParameter('imageManifest', error.message);
    throw invalidParameter('imageManifest', 'must be UTF-8');
  }
}

function refuseImmutable(owner: RepositoryRow, tag: string): void {
  if (isImmutable(owner, tag))
    throw fault(
      'ImageTagAlreadyExistsException',
      `The image tag '${tag}' already exists in the '${owner.name}' repository and cannot be overwritten because the tag is immutable.`,
    );
}

/** Throws where something that the manifest needs is missing; the size of an index's largest child. */
async function checkReferences(
  db: Kysely<EcrTables>,
  place: Place,
  repository: string,
  { isIndex, references }: ParsedManifest,
  sparse = false,
): Promise<number> {
  const digests = [...new Set(references.map((reference) => reference.digest))];
  const where = `required for pushing image into ${inRepository(place.accountId, repository)} do not exist`;
  const sizes = await blobSizes(db, repository, digests);
  if (isIndex) {
    const children = await imageSizes(db, repository, digests);
    const missing = digests.filter((digest) => !children.has(digest) && !sizes.has(digest));
    if (missing.length > 0 && !sparse)
      throw fault('ReferencedImagesNotFoundException', `Images with digests '[${missing.join(', ')}]' ${where}`);
    return Math.max(0, ...children.values());
  }
  const missing = digests.filter((digest) => !sizes.has(digest));
  if (missing.length > 0)
    throw fault('LayersNotFoundException', `Layers with digests '[${missing.join(', ')}]' ${where}`);
  const wrong = references.find((reference) => sizes.get(reference.digest) !== reference.size);
  if (wrong)
    throw invalidParameter(
      'imageManifest',
      `the ${wrong.kind} ${wrong.digest} has ${sizes.get(wrong.digest)} bytes, not ${wrong.size}`,
    );
  return 0;
}

async function imageSizes(db: Kysely<EcrTables>, repository: string, digests: readonly string[]) {
  const sizes = new Map<string, number>();
  for (let start = 0; start < digests.length; start += batch) {
    const rows = await db
      .selectFrom('ecr_manifest')
      .select(['digest', 'image_size'])
      .where('repository', '=', repository)
      .where('digest', 'in', digests.slice(start, start + batch))
      .execute();
    for (const row of rows) sizes.set(row.digest, row.image_size);
  }
  return sizes;
}

async function insertManifest(
  tx: Tx<EcrTables>,
  repository: string,
  digest: string,
  content: string,
  parsed: ParsedManifest,
  size: number,
  childSize: number,
  now: number,
): Promise<void> {
  const row = {
    repository,
    digest,
    media_type: parsed.mediaType,
    artifact_type: parsed.artifactType ?? null,
    size,
  };
  await tx.db
    .insertInto('ecr_manifest')
    .values({
      ...row,
      subject: parsed.subject ?? null,
      image_size: parsed.isIndex ? childSize : parsed.imageSize,
      pushed_at: now,
      pulled_at: null,
      content,
    })
    .execute();
  const references = parsed.references.map(({ kind, digest: target }, position) => ({
    repository,
    digest,
    position,
    kind,
    target,
  }));
  for (let start = 0; start < references.length; start += batch)
    await tx.db
      .insertInto('ecr_manifest_ref')
      .values(references.slice(start, start + batch))
      .execute();
  if (parsed.subject !== undefined)
    await tx.db
      .insertInto('ecr_referrer')
      .values({
        ...row,
        subject: parsed.subject,
        annotations: parsed.annotations ? JSON.stringify(parsed.annotations) : null,
      })
      .execute();
}

/** Deletes an image with its tags. The blobs stay: others may hold them, and clean-up is its own matter. */
export async function deleteManifest(tx: Tx<EcrTables>, repository: string, digest: string): Promise<void> {
  for (const sbom of await forgetScan(tx, repository, digest)) await deleteManifest(tx, repository, sbom);
  for (const table of ['ecr_manifest', 'ecr_manifest_ref', 'ecr_tag', 'ecr_referrer'] as const)
    await tx.db.deleteFrom(table).where('repository', '=', repository).where('digest', '=', digest).execute();
  tx.changed('ecr.image', `${repository}@${digest}`);
}

/** Indexes of a repository that need this image. */
export async function indexesOf(db: Kysely<EcrTables>, repository: string, digest: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('ecr_manifest_ref')
    .select('digest')
    .distinct()
    .where('repository', '=', repository)
    .where('target', '=', digest)
    .where('kind', '=', 'manifest')
    .orderBy('digest')
    .limit(10)
    .execute();
  return rows.map((row) => row.digest);
}

/** Does some manifest of the repository need this blob? */
export async function isBlobNeeded(db: Kysely<EcrTables>, repository: string, digest: string): Promise<boolean> {
  const found = await db
    .selectFrom('ecr_manifest_ref')
    .select('digest')
    .where('repository', '=', repository)
    .where('target', '=', digest)
    .executeTakeFirst();
  return found !== undefined;
}

export async function taggedDigest(db: Kysely<EcrTables>, repository: string, tag: string) {
  const found = await db
    .selectFrom('ecr_tag')
    .select('digest')
    .where('repository', '=', repository)
    .where('tag', '=', tag)
    .executeTakeFirst();
  return found?.digest;
}

/** The tags of the images, each list in order. */
export async function tagsOf(db: Kysely<EcrTables>, repository: string, digests: readonly string[]) {
  const tags = new Map<string, string[]>(digests.map((digest) => [digest, []]));
  for (let start = 0; start < digests.length; start += batch) {
    const rows = await db
      .selectFrom('ecr_tag')
      .select(['tag', 'digest'])
      .where('repository', '=', repository)
      .where('digest', 'in', digests.slice(start, start + batch))
      .orderBy('tag')
      .execute();
    for (const row of rows) tags.get(row.digest)?.push(row.tag);
  }
  return tags;
}

/** The digest that a tag or digest stands for; undefined where there is no such image. */
export async function resolveReference(db: Kysely<EcrTables>, repository: string, reference: string) {
  if (!parseDigest(reference)) return taggedDigest(db, repository, reference);
  return (await findManifestFacts(db, repository, reference))?.digest;
}

export async function findManifest(db: Kysely<EcrTables>, repository: string, digest: string) {
  return db
    .selectFrom('ecr_manifest')
    .selectAll()
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
}

export async function findManifestFacts(
  db: Kysely<EcrTables>,
  repository: string,
  digest: string,
): Promise<ManifestFacts | undefined> {
  return db
    .selectFrom('ecr_manifest')
    .select(facts)
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
}

/** A page of a repository's images by digest, after `after`. `tagged` picks those with or without a tag. */
export async function listManifestFacts(
  db: Kysely<EcrTables>,
  repository: string,
  page: {
    readonly after: string;
    readonly limit: number;
    readonly tagged?: boolean;
    readonly status?: 'ACTIVE' | 'ARCHIVED' | 'ACTIVATING';
  },
): Promise<readonly ManifestFacts[]> {
  return db
    .selectFrom('ecr_manifest')
    .select(facts)
    .where('repository', '=', repository)
    .where('digest', '>', page.after)
    .where(isNoSbom)
    .$if(page.status !== undefined, (query) => query.where('image_status', '=', page.status as 'ACTIVE'))
    .$if(page.tagged !== undefined, (query) =>
      query.where(({ exists, not, selectFrom }) => {
        const tags = exists(
          selectFrom('ecr_tag')
            .select('ecr_tag.tag')
            .whereRef('ecr_tag.repository', '=', 'ecr_manifest.repository')
            .whereRef('ecr_tag.digest', '=', 'ecr_manifest.digest'),
        );
        return page.tagged ? tags : not(tags);
      }),
    )
    .orderBy('digest')
    .limit(page.limit)
    .execute();
}
