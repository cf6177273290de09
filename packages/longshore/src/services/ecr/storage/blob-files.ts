import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../rules/grammar.ts';
import { digestAlgorithms, isUploadId, parseDigest } from '../rules/grammar.ts';
import type { BlobReader, BlobStore, StoredBlob, UploadFile } from './blob-store.ts';

/** Larger pieces of a file cost a third of the time of Node's 64 KiB. */
const readBytes = 1024 * 1024;
const listBatch = 500;

/** The blob store in files below `root`, an absolute path. */
export function blobFiles(root: string): BlobStore {
  const uploads = join(root, 'uploads');
  const blobs = join(root, 'blobs');
  const uploadPath = (id: string) => {
    if (!isUploadId(id)) throw new Error(`not an upload id: ${JSON.stringify(id)}`);
    return join(uploads, id);
  };
  const blobPath = ({ algorithm, hex }: Digest) => join(blobs, algorithm, hex.slice(0, 2), hex);
  const handles = new WeakMap<UploadFile, FileHandle>();
  const upload = (handle: FileHandle): UploadFile => {
    const file = uploadFile(handle);
    handles.set(file, handle);
    return file;
  };

  return {
    async prepare() {
      for (const folder of [uploads, ...Object.keys(digestAlgorithms).map((name) => join(blobs, name))])
        await mkdir(folder, { recursive: true, mode: 0o700 });
    },
    createUpload: async (id) => upload(await open(uploadPath(id), 'wx+', 0o600)),
    async openUpload(id) {
      const handle = await orUndefined(open(uploadPath(id), 'r+'));
      return handle && upload(handle);
    },
    removeUpload: (id) => rm(uploadPath(id), { force: true }),
    async listUploads() {
      const found: { id: string; changedAt: number }[] = [];
      for (const id of await readdir(uploads)) {
        const facts = isUploadId(id) ? await orUndefined(stat(uploadPath(id))) : undefined;
        if (facts) found.push({ id, changedAt: facts.mtimeMs });
      }
      return found;
    },
    async commit(id, file, digest) {
      const target = blobPath(digest);
      const folder = dirname(target);
      await handles.get(file)?.datasync();
      if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(dirname(folder));
      await rename(uploadPath(id), target);
      await syncFolder(folder);
    },
    async openBlob(digest) {
      const handle = await orUndefined(open(blobPath(digest), 'r'));
      return handle && reader(handle);
    },
    removeBlob: (digest) => rm(blobPath(digest), { force: true }),
    async *listBlobs() {
      for (const algorithm of Object.keys(digestAlgorithms))
        for (const folder of (await orUndefined(readdir(join(blobs, algorithm)))) ?? []) {
          const names = (await orUndefined(readdir(join(blobs, algorithm, folder)))) ?? [];
          for (let start = 0; start < names.length; start += listBatch) {
            const batch: StoredBlob[] = [];
            for (const hex of names.slice(start, start + listBatch)) {
              const digest = `${algorithm}:${hex}`;
              const facts = parseDigest(digest) && (await orUndefined(stat(join(blobs, algorithm, folder, hex))));
              if (facts) batch.push({ digest, size: facts.size, changedAt: facts.mtimeMs });
            }
            yield batch;
          }
        }
    },
  };
}

function uploadFile(handle: FileHandle): UploadFile {
  let closed = false;
  return {
    size: async () => (await handle.stat()).size,
    write: (buffers, position) => writeAll(handle, buffers, position),
    truncate: (length) => handle.truncate(length),
    contents: (length) => contents(handle, length),
    async close() {
      if (!closed) await handle.close();
      closed = true;
    },
  };
}

async function reader(handle: FileHandle): Promise<BlobReader> {
  const { size } = await handle.stat();
  let closed = false;
  return {
    size,
    stream: (start, end) => handle.createReadStream({ start, end, highWaterMark: readBytes }),
    read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
    async close() {
      if (!closed) await handle.close();
      closed = true;
    },
  };
}

async function writeAll(handle: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let rest = buffers;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    rest = after(rest, bytesWritten);
  }
}

/** What is left of the buffers after their first `count` bytes. */
function after(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skip = count;
  for (const [index, buffer] of buffers.entries()) {
    if (skip < buffer.length) return [buffer.subarray(skip), ...buffers.slice(index + 1)];
    skip -= buffer.length;
  }
  return [];
}

async function* contents(handle: FileHandle, length: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(readBytes);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), at);
    if (bytesRead === 0) throw new Error(`a file of ${length} bytes ended at ${at}`);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
