import type { IncomingMessage } from 'node:http';
import { imageNotFound, inRepository } from '../faults.ts';
import { imageDeleted, imagePushed } from '../image-events.ts';
import {
  deleteManifest,
  findManifest,
  findManifestFacts,
  indexesOf,
  type ManifestFacts,
  putManifest,
  resolveReference,
} from '../images.ts';
import { recordPull } from '../pulls.ts';
import { isTag, parseDigest } from '../rules/grammar.ts';
import { largestManifest } from '../rules/manifest.ts';
import { matchesEntityTag } from '../rules/ranges.ts';
import { requireDigest } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { OciError, sendEmpty } from './reply.ts';

/** Tags that one push by digest may give. */
const mostTags = 50;

interface ManifestPath {
  readonly reference: string;
}

function unknownManifest({ ecr, repository }: Exchange, reference: string): Error {
  const isDigest = parseDigest(reference) !== undefined;
  return imageNotFound(
    ecr.settings.accountId,
    repository,
    isDigest ? reference : undefined,
    isDigest ? undefined : reference,
  );
}

/** HEAD and GET of a manifest by tag or digest (OCI distribution 1.1, "Pulling manifests"). */
export async function getManifest(exchange: Exchange, { reference }: ManifestPath): Promise<void> {
  const { ecr, request, response, repository } = exchange;
  const { db } = ecr.store;
  await exchange.require('ecr:BatchGetImage');
  if (!isTag(reference) && !parseDigest(reference)) throw unknownManifest(exchange, reference);
  const digest = await resolveReference(db, repository, reference);
  if (digest === undefined) throw unknownManifest(exchange, reference);
  const headers = (manifest: ManifestFacts) => ({
    'content-type': manifest.media_type,
    'content-length': String(manifest.size),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
  });
  if (matchesEntityTag(request.headers['if-none-match'], digest))
    return sendEmpty(response, 304, { 'docker-content-digest': digest, etag: `"${digest}"` });
  if (request.method === 'HEAD') {
    const manifest = await findManifestFacts(db, repository, digest);
    if (!manifest || manifest.image_status === 'ARCHIVED') throw unknownManifest(exchange, reference);
    response.writeHead(200, headers(manifest));
    response.end();
    return;
  }
  const manifest = await findManifest(db, repository, digest);
  // ECR answers pulls of archived images as if they were not there (user guide, "Archiving an image").
  if (!manifest || manifest.image_status === 'ARCHIVED') throw unknownManifest(exchange, reference);
  await recordPull(ecr, manifest, exchange.caller);
  response.writeHead(200, headers(manifest));
  response.end(manifest.content);
}

/**
 * PUT of a manifest (OCI distribution 1.1, "Pushing manifests"): what it refers to must be there. Also what comes after
 * 1.1: a push by digest gives tags with `?tag=`, a push by tag says its digest with `?digest=`.
 */
export async function pushManifest(exchange: Exchange, { reference }: ManifestPath): Promise<void> {
  const { ecr, request, response, repository, query } = exchange;
  await exchange.require('ecr:PutImage');
  const byDigest = parseDigest(reference) !== undefined;
  const named = byDigest ? reference : reference.includes(':') ? reference : query.get('digest');
  const digest = named === null ? undefined : requireDigest(named);
  const tags = byDigest ? [...new Set(query.getAll('tag'))] : [reference];
  if (tags.length > mostTags) throw new OciError(414, 'TAG_INVALID', `a push gives at most ${mostTags} tags`);
  if (!tags.every((tag) => isTag(tag)))
    throw new OciError(
      400,
      'TAG_INVALID',
      'a tag has 1 to 128 letters, digits, `_`, `.` or `-`, the last two not first',
    );
  const content = await readManifest(request);
  const mediaType = request.headers['content-type'];
  const pushed = await ecr.store.transaction(async (tx) => {
    const put = async (tag?: string) => {
      const push = { repository, content, mediaType, tag, digest, now: ecr.clock.now() };
      const pushed = await putManifest(tx, ecr.settings, push);
      await imagePushed(ecr, tx, repository, pushed, tag);
      return pushed;
    };
    const [first, ...others] = tags;
    const stored = await put(first);
    for (const tag of others) await put(tag);
    return stored;
  });
  if (byDigest && tags.length > 0) response.setHeader('oci-tag', tags);
  sendEmpty(response, 201, {
    location: `/v2/${repository}/manifests/${reference}`,
    'docker-content-digest': pushed.digest,
    ...(pushed.parsed.subject === undefined ? {} : { 'oci-subject': pushed.parsed.subject }),
  });
}

async function readManifest(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new OciError(413, 'SIZE_INVALID', `a manifest has at most ${largestManifest} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > largestManifest) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > largestManifest) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** DELETE of a tag, or of a manifest by digest with all its tags (OCI distribution 1.1, "Deleting tags", "Deleting manifests"). */
export async function deleteManifestOrTag(exchange: Exchange, { reference }: ManifestPath): Promise<void> {
  const { ecr, response, repository } = exchange;
  await exchange.require('ecr:BatchDeleteImage');
  await ecr.store.transaction(async (tx) => {
    const digest = await resolveReference(tx.db, repository, reference);
    if (digest === undefined) throw unknownManifest(exchange, reference);
    if (digest !== reference) {
      await tx.db.deleteFrom('ecr_tag').where('repository', '=', repository).where('tag', '=', reference).execute();
      await imageDeleted(ecr, tx, repository, digest, reference);
      tx.changed('ecr.image', `${repository}@${digest}`);
      return;
    }
    const indexes = await indexesOf(tx.db, repository, digest);
    if (indexes.length > 0)
      throw new OciError(
        405,
        'UNSUPPORTED',
        `Requested image referenced by manifest list: [${indexes.join(', ')}] in ${inRepository(ecr.settings.accountId, repository)}`,
      );
    await deleteManifest(tx, repository, digest);
    await imageDeleted(ecr, tx, repository, digest, undefined);
  });
  sendEmpty(response, 202);
}
