import type { ServerResponse } from 'node:http';
import { heldBlobs } from '../blobs.ts';
import { findManifestFacts, resolveReference } from '../images.ts';
import type { BlobClient, CachedManifest } from '../pull-through/cache.ts';
import type { PullThroughRule } from '../pull-through/rules.ts';
import { UpstreamError } from '../pull-through/upstream.ts';
import { isTag, parseDigest } from '../rules/grammar.ts';
import { getBlob } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { getManifest } from './manifests.ts';
import { OciError } from './reply.ts';

/** A client that takes nothing for so long is given up; the fetch goes on without it. */
const stalledMilliseconds = 60_000;

const byReason = {
  missing: [404, 'MANIFEST_UNKNOWN'],
  denied: [403, 'DENIED'],
  throttled: [429, 'TOOMANYREQUESTS'],
  unavailable: [502, 'UNKNOWN'],
} as const;

function asOci(error: unknown): unknown {
  if (!(error instanceof UpstreamError)) return error;
  const [status, code] = byReason[error.reason];
  return new OciError(status, code, error.message);
}

/** `getManifest`, in repositories of a pull-through cache rule by way of the cache. */
export async function getManifestThrough(exchange: Exchange, path: { readonly reference: string }): Promise<void> {
  const { ecr, repository } = exchange;
  const { reference } = path;
  const rule = ecr.documents.ruleFor(repository);
  if (!rule || (!isTag(reference) && !parseDigest(reference))) return getManifest(exchange, path);
  await exchange.authorize('ecr:BatchGetImage');
  const local = await resolveReference(ecr.store.db, repository, reference);
  if (local !== undefined && (local === reference || (await ecr.pullThrough.isFresh(repository, reference))))
    return getManifest(exchange, path);
  const pending = await ecr.pullThrough.pending(repository, reference);
  if (pending && (parseDigest(reference) || (await ecr.pullThrough.isFresh(repository, reference))))
    return sendManifest(exchange, pending);
  try {
    await mayImport(exchange);
    const fetched = await ecr.pullThrough.manifest(rule, repository, reference);
    const kept = await findManifestFacts(ecr.store.db, repository, fetched.digest);
    return kept && local === fetched.digest ? await getManifest(exchange, path) : sendManifest(exchange, fetched);
  } catch (error) {
    if (local === undefined) throw asOci(error);
    ecr.log.warn({ err: error, repository, reference }, 'the upstream could not be asked: the cached image is served');
    return getManifest(exchange, path);
  }
}

/** Fetching an image asks more than pulling it, and making its repository more yet (user guide, "IAM permissions required"). */
async function mayImport(exchange: Exchange): Promise<void> {
  await exchange.authorize('ecr:BatchImportUpstreamImage');
  const { ecr, repository } = exchange;
  const there = await ecr.store.db
    .selectFrom('ecr_repository')
    .select('name')
    .where('name', '=', repository)
    .executeTakeFirst();
  if (!there) await exchange.authorize('ecr:CreateRepository');
}

function sendManifest({ request, response }: Exchange, { digest, mediaType, content }: CachedManifest): void {
  response.writeHead(200, {
    'content-type': mediaType,
    'content-length': String(content.length),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

/** `getBlob`, in repositories of a pull-through cache rule by way of the cache. */
export async function getBlobThrough(exchange: Exchange, path: { readonly digest: string }): Promise<void> {
  const { ecr, repository, request } = exchange;
  const rule = ecr.documents.ruleFor(repository);
  if (!rule || !exchange.caller || !parseDigest(path.digest)) return getBlob(exchange, path);
  await exchange.require('ecr:GetDownloadUrlForLayer');
  const held = await heldBlobs(ecr.store.db, repository, [path.digest]);
  if (held.size > 0) return getBlob(exchange, path);
  await exchange.authorize('ecr:BatchImportUpstreamImage');
  try {
    if (request.method === 'HEAD') return await headUpstream(exchange, rule, path.digest);
    const whole = request.headers.range === undefined;
    const client = whole ? streamTo(exchange.response, path.digest) : undefined;
    if ((await ecr.pullThrough.blob(rule, repository, path.digest, client)) === 'handed') return;
  } catch (error) {
    if (exchange.response.headersSent) return;
    throw asOci(error);
  }
  return getBlob(exchange, path);
}

async function headUpstream({ ecr, repository, response }: Exchange, rule: PullThroughRule, digest: string) {
  const size = await ecr.pullThrough.blobSize(rule, repository, digest);
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    ...(size === undefined ? {} : { 'content-length': String(size) }),
  });
  response.end();
}

function streamTo(response: ServerResponse, digest: string): BlobClient {
  return {
    begin(size) {
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'docker-content-digest': digest,
        etag: `"${digest}"`,
        ...(size === undefined ? {} : { 'content-length': String(size) }),
      });
    },
    async write(chunk) {
      if (response.destroyed) return false;
      if (response.write(chunk)) return true;
      await drained(response);
      return !response.destroyed;
    },
    end(error) {
      if (error === undefined) response.end();
      else response.destroy();
    },
  };
}

/** Resolves when the client took what was written, or is gone: the one that takes nothing for too long is sent away. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      response.off('drain', done).off('close', done);
      resolve();
    };
    const timer = setTimeout(() => response.destroy(), stalledMilliseconds);
    response.on('drain', done).on('close', done);
  });
}
