import { Readable } from 'node:stream';
import type { Clock } from '../../../../base/clock.ts';
import { type Digest, isUploadId, parseDigest } from '../../rules/grammar.ts';
import type { BlobStore, UploadFile } from '../blob-store.ts';
import { S3Error, s3Client } from './client.ts';
import type { S3Location } from './location.ts';
import { abortMultipart, type CopyLimits, copyLimits, copyObject, listMultiparts, listObjects } from './objects.ts';
import { objectPath, presignedUrl } from './sign.ts';
import { type Kept, S3Upload } from './upload.ts';

/**
 * The blob store in a bucket of an S3-compatible store. Uploads are multipart uploads to a temporary key, copied within the store to
 * the blob's own key when their digest is right; blobs smaller than a part are put there at once. A PUT of S3 is atomic and durable.
 */
export function blobObjects(location: S3Location, clock: Clock, limits: CopyLimits = copyLimits): BlobStore {
  const client = s3Client(location, clock);
  const { prefix } = location;
  const uploadKey = (id: string) => {
    if (!isUploadId(id)) throw new Error(`not an upload id: ${JSON.stringify(id)}`);
    return `uploads/${id}`;
  };
  const blobKey = ({ algorithm, hex }: Digest) => `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`;
  const remove = (key: string) => client.call('DELETE', key, {}, [404]);
  const uploads = new WeakMap<UploadFile, S3Upload>();
  const upload = (id: string, kept: Kept): UploadFile => {
    const made = new S3Upload(client, uploadKey(id), kept);
    uploads.set(made, made);
    return made;
  };
  const removeUpload = async (id: string) => {
    const key = uploadKey(id);
    for (const { uploadId, key: found } of await listMultiparts(client, prefix, key))
      await abortMultipart(client, found, uploadId);
    await remove(key);
    await remove(`${key}.tail`);
  };

  return {
    async prepare() {
      try {
        await client.call('GET', '', { query: { 'list-type': '2', 'max-keys': '1', prefix } });
      } catch (error) {
        const why =
          error instanceof S3Error ? `${error.code}: ${error.message}` : String((error as Error).cause ?? error);
        throw new Error(
          `the bucket ${location.bucket} at ${location.endpoint.origin} can't be used (${why}); it must exist, and the key be allowed to list, read and write it`,
          { cause: error },
        );
      }
    },
    createUpload: async (id) => upload(id, { uploadId: undefined, parts: [], tail: new Uint8Array() }),
    async openUpload(id) {
      let answer: Awaited<ReturnType<typeof client.open>>;
      try {
        answer = await client.open(`${uploadKey(id)}.tail`, {});
      } catch (error) {
        if (error instanceof S3Error && error.status === 404) return undefined;
        throw error;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const uploadId = answer.headers['x-amz-meta-upload'] as string | undefined;
      const etags = JSON.parse((answer.headers['x-amz-meta-parts'] as string | undefined) ?? '[]') as string[];
      const parts = etags.map((etag, index) => ({ number: index + 1, etag: `"${etag}"` }));
      return upload(id, { uploadId, parts, tail: Buffer.concat(chunks) });
    },
    removeUpload,
    async listUploads() {
      const found = new Map<string, number>();
      const note = (key: string, changedAt: number) => {
        const id = key.slice('uploads/'.length).replace(/\.tail$/, '');
        if (isUploadId(id)) found.set(id, Math.max(changedAt, found.get(id) ?? 0));
      };
      for await (const page of listObjects(client, prefix, 'uploads/'))
        for (const { key, changedAt } of page) note(key, changedAt);
      for (const { key, startedAt } of await listMultiparts(client, prefix, 'uploads/')) note(key, startedAt);
      return [...found].map(([id, changedAt]) => ({ id, changedAt }));
    },
    async commit(id, file, digest) {
      const open = uploads.get(file);
      if (!open) throw new Error('an upload of another store was committed');
      const memory = open.inMemory;
      if (memory) await client.call('PUT', blobKey(digest), { body: [memory] });
      else {
        const size = await open.size();
        await open.complete();
        const source = objectPath(location, `${prefix}${uploadKey(id)}`);
        await copyObject(client, source, blobKey(digest), size, limits);
        await remove(uploadKey(id));
      }
      open.ended();
      await remove(`${uploadKey(id)}.tail`);
    },
    async openBlob(digest) {
      const key = blobKey(digest);
      const { status, headers } = await client.call('HEAD', key, {}, [404]);
      if (status === 404) return undefined;
      return {
        size: Number(headers['content-length']),
        stream: (start, end) =>
          Readable.from(
            (async function* () {
              if (end >= start) yield* await client.open(key, { range: `bytes=${start}-${end}` });
            })(),
            { objectMode: false },
          ),
        close: async () => {},
      };
    },
    removeBlob: async (digest) => {
      await remove(blobKey(digest));
    },
    async *listBlobs() {
      for await (const page of listObjects(client, prefix, 'blobs/'))
        yield page.flatMap(({ key, size, changedAt }) => {
          const [, algorithm, , hex] = key.split('/');
          const digest = `${algorithm}:${hex}`;
          return parseDigest(digest) ? [{ digest, size, changedAt }] : [];
        });
    },
    async removeLeftovers(before) {
      const old = (await listMultiparts(client, prefix, 'blobs/')).filter(({ startedAt }) => startedAt < before);
      for (const { key, uploadId } of old) await abortMultipart(client, key, uploadId);
      return old.length;
    },
    ...(location.redirect
      ? { presign: (digest, seconds) => presignedUrl(location, `${prefix}${blobKey(digest)}`, seconds, clock.now()) }
      : {}),
  };
}
