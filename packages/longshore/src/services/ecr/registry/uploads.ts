import { blobSize, holdersOf, linkBlob } from '../blobs.ts';
import { isBlobMountingOn } from '../operations/account-settings.ts';
import { isAlgorithm, parseDigest } from '../rules/grammar.ts';
import { parseContentRange, uploadRange } from '../rules/ranges.ts';
import { type Piece, UploadFlaw } from '../storage/uploads.ts';
import { requireDigest } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { OciError, sendEmpty } from './reply.ts';

/** A sender that is silent for so long is given up; what came is kept. */
const silentMilliseconds = 60_000;
/** Repositories that a mount without `from` looks into. */
const mountCandidates = 20;

interface UploadPath {
  readonly id: string;
}

function uploadPath(repository: string, id: string): string {
  return `/v2/${repository}/blobs/uploads/${id}`;
}

function progress({ repository }: Exchange, id: string, size: number): Record<string, string> {
  return { location: uploadPath(repository, id), range: uploadRange(size), 'docker-upload-uuid': id };
}

function created({ response, repository }: Exchange, digest: string): void {
  sendEmpty(response, 201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest });
}

/** The request's body as a piece of an upload. Reading it to no end leaves the connection open for an answer. */
function piece({ request }: Exchange): Piece {
  const { 'content-range': contentRange, 'content-length': contentLength } = request.headers;
  // Node closes a connection whose time is up; the body then breaks off.
  request.socket.setTimeout(silentMilliseconds);
  const body = request.iterator({ destroyOnReturn: false });
  const length = contentLength === undefined ? undefined : Number(contentLength);
  if (contentRange === undefined) return { body, owned: true, ...(length === undefined ? {} : { length }) };
  const range = parseContentRange(contentRange);
  if (!range) throw new OciError(400, 'BLOB_UPLOAD_INVALID', 'Content-Range must be START-END');
  const said = range.end - range.start + 1;
  if (length !== undefined && length !== said)
    throw new OciError(400, 'SIZE_INVALID', `Content-Range says ${said} bytes, Content-Length ${length}`);
  return { body, owned: true, start: range.start, length: said };
}

/** Adds the request's body to an upload. Undefined where the sender went away, so that nobody waits for an answer. */
async function append(exchange: Exchange, id: string): Promise<number | undefined> {
  const { ecr, response, repository } = exchange;
  try {
    const { offset, interruption } = await ecr.uploads.append(repository, id, piece(exchange));
    if (interruption === undefined) return offset;
    ecr.log.debug({ repository, id, offset }, 'an upload broke off; it can be resumed');
    response.destroy();
    return undefined;
  } catch (error) {
    if (error instanceof UploadFlaw && error.reason === 'out-of-order')
      throw new OciError(416, 'BLOB_UPLOAD_INVALID', error.message, progress(exchange, id, error.offset));
    throw error;
  } finally {
    heardOut(exchange);
  }
}

/** The body has come: syncing a large blob to disk may take its time. */
function heardOut({ request }: Exchange): void {
  request.socket.setTimeout(0);
}

/**
 * POST: starts an upload, or takes the whole blob (`?digest=`), or mounts one of another repository (`?mount=`), which
 * falls back to an upload (OCI distribution 1.1, "Pushing blobs").
 */
export async function startUpload(exchange: Exchange): Promise<void> {
  const { ecr, response, repository, query } = exchange;
  await exchange.require('ecr:InitiateLayerUpload');
  const mount = query.get('mount');
  if (mount !== null) {
    requireDigest(mount);
    if (await mountBlob(exchange, mount, query.get('from'))) return created(exchange, mount);
  } else if (query.has('digest')) {
    const digest = requireDigest(query.get('digest'));
    await exchange.require('ecr:CompleteLayerUpload');
    const { interruption } = await ecr.uploads
      .store(repository, digest, piece(exchange))
      .finally(() => heardOut(exchange));
    if (interruption !== undefined) {
      response.destroy();
      return;
    }
    return created(exchange, `${digest.algorithm}:${digest.hex}`);
  }
  const algorithm = query.get('digest-algorithm') ?? 'sha256';
  if (!isAlgorithm(algorithm)) throw new OciError(400, 'DIGEST_INVALID', 'digest-algorithm must be sha256 or sha512');
  const id = await ecr.uploads.begin(repository, algorithm);
  sendEmpty(response, 202, progress(exchange, id, 0));
}

/** Mounts where the pusher may read the source: who may not is not told that the blob exists. */
async function mountBlob(exchange: Exchange, digest: string, from: string | null): Promise<boolean> {
  const { ecr, repository } = exchange;
  const { db } = ecr.store;
  if (!isBlobMountingOn(ecr)) return false;
  const candidates = from === null ? await holdersOf(db, digest, mountCandidates) : [from];
  for (const source of candidates) {
    if ((await blobSize(db, source, digest)) === undefined) continue;
    if (source !== repository && !(await exchange.may(source, 'ecr:GetDownloadUrlForLayer'))) continue;
    const mounted = await ecr.store.transaction(async (tx) => {
      const size = await blobSize(tx.db, source, digest);
      if (size === undefined) return false;
      await linkBlob(tx, ecr.settings.accountId, repository, digest, size, ecr.clock.now());
      return true;
    });
    if (mounted) return true;
  }
  return false;
}

/** GET: how far an upload is. */
export async function uploadStatus(exchange: Exchange, { id }: UploadPath): Promise<void> {
  await exchange.require('ecr:UploadLayerPart');
  const offset = await exchange.ecr.uploads.offset(exchange.repository, id);
  sendEmpty(exchange.response, 204, progress(exchange, id, offset));
}

/** PATCH: the next chunk, or all of it in one stream. */
export async function uploadChunk(exchange: Exchange, { id }: UploadPath): Promise<void> {
  await exchange.require('ecr:UploadLayerPart');
  const offset = await append(exchange, id);
  if (offset !== undefined) sendEmpty(exchange.response, 202, progress(exchange, id, offset));
}

/** PUT: the last chunk, if any, and the digest that all must have. */
export async function finishUpload(exchange: Exchange, { id }: UploadPath): Promise<void> {
  const { ecr, request, repository, query } = exchange;
  await exchange.require('ecr:CompleteLayerUpload');
  const digest = parseDigest(query.get('digest') ?? '');
  if (!digest) throw new OciError(400, 'DIGEST_INVALID', 'an upload is ended with ?digest=ALGORITHM:HEX');
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding !== undefined || (length !== undefined && length !== '0'))
    if ((await append(exchange, id)) === undefined) return;
  await ecr.uploads.finish(repository, id, digest);
  created(exchange, `${digest.algorithm}:${digest.hex}`);
}

/** DELETE: gives an upload up. */
export async function cancelUpload(exchange: Exchange, { id }: UploadPath): Promise<void> {
  await exchange.require('ecr:InitiateLayerUpload');
  await exchange.ecr.uploads.cancel(exchange.repository, id);
  sendEmpty(exchange.response, 204);
}
