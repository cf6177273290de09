import { heldBlobs } from '../blobs.ts';
import { isBlobNeeded } from '../images.ts';
import { type Digest, parseDigest } from '../rules/grammar.ts';
import { matchesEntityTag, parseRange } from '../rules/ranges.ts';
import type { Exchange } from './exchange.ts';
import { OciError, sendEmpty } from './reply.ts';
import { sendBytes } from './send-bytes.ts';

/** How long a client may take to start its download where it is sent to; less than clean-up's grace. */
const redirectSeconds = 1200;
/** A client that takes nothing for so long is given up. */
const stalledMilliseconds = 120_000;

export function requireDigest(text: string | null | undefined): Digest {
  const digest = parseDigest(text ?? '');
  if (!digest)
    throw new OciError(400, 'DIGEST_INVALID', 'the digest must be sha256 or sha512 in lower-case hexadecimal');
  return digest;
}

function unknownBlob(): OciError {
  return new OciError(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
}

/** HEAD and GET of a blob, whole or a range, with conditions (OCI distribution 1.1, "Pulling blobs"; RFC 9110, 13 and 14). */
export async function getBlob(exchange: Exchange, path: { readonly digest: string }): Promise<void> {
  const { ecr, request, response, repository } = exchange;
  const { method, headers } = request;
  const digest = requireDigest(path.digest);
  // Who may download a layer knows that it is there: ECR's pull-only policies lack BatchCheckLayerAvailability.
  if (method === 'HEAD') await exchange.require('ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer');
  else await exchange.require('ecr:GetDownloadUrlForLayer');
  const held = (await heldBlobs(ecr.store.db, repository, [path.digest])).get(path.digest);
  if (!held) throw unknownBlob();
  const { size } = held;
  // A client that is told that the blob is there does not upload it: it must stay until the manifest comes.
  if (method === 'HEAD' && (await ecr.leases.renew(repository, [held])).length > 0) throw unknownBlob();
  const always = { 'docker-content-digest': path.digest, etag: `"${path.digest}"`, 'accept-ranges': 'bytes' };
  if (matchesEntityTag(headers['if-none-match'], path.digest)) return sendEmpty(response, 304, always);
  const conditional = headers['if-range'];
  const fresh = conditional === undefined || conditional === always.etag;
  const range = method === 'GET' && fresh ? parseRange(headers.range, size) : 'whole';
  if (range === 'unsatisfiable')
    throw new OciError(416, 'SIZE_INVALID', `the blob has ${size} bytes`, { 'content-range': `bytes */${size}` });
  const { start, end } = range === 'whole' ? { start: 0, end: size - 1 } : range;
  const described = {
    ...always,
    'content-type': 'application/octet-stream',
    'content-length': String(end - start + 1),
    ...(range === 'whole' ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
  };
  const status = range === 'whole' ? 200 : 206;
  if (method === 'HEAD' || end < start) {
    response.writeHead(status, described);
    response.end();
    return;
  }
  if (ecr.files.presign) {
    const location = ecr.files.presign(digest, redirectSeconds);
    return sendEmpty(response, 307, { location, 'docker-content-digest': path.digest });
  }
  const reader = await ecr.files.openBlob(digest);
  if (!reader) {
    ecr.log.error({ digest: path.digest }, "a blob's file is missing");
    throw unknownBlob();
  }
  if (reader.size !== size) {
    await reader.close();
    throw new Error(`blob ${path.digest} has ${reader.size} bytes, not ${size}: push the image again to mend it`);
  }
  response.writeHead(status, described);
  request.socket.setTimeout(stalledMilliseconds);
  try {
    await sendBytes(reader, ecr.sendBuffers, response, start, end);
  } catch (error) {
    // The client went away, or the file could not be read to its end: either way the connection tells it.
    ecr.log.debug({ err: error, digest: path.digest }, 'a blob was not sent to its end');
    response.destroy();
  }
}

/** Takes a blob from a repository (OCI distribution 1.1, "Deleting blobs"); its file goes when nothing holds it. */
export async function deleteBlob(exchange: Exchange, path: { readonly digest: string }): Promise<void> {
  const { ecr, response, repository } = exchange;
  requireDigest(path.digest);
  await exchange.require('ecr:BatchDeleteImage');
  await ecr.store.transaction(async (tx) => {
    if (await isBlobNeeded(tx.db, repository, path.digest))
      throw new OciError(405, 'UNSUPPORTED', 'an image of the repository needs this blob: delete the image first');
    const { numDeletedRows } = await tx.db
      .deleteFrom('ecr_repository_blob')
      .where('repository', '=', repository)
      .where('digest', '=', path.digest)
      .executeTakeFirst();
    if (numDeletedRows === 0n) throw unknownBlob();
  });
  sendEmpty(response, 202);
}
