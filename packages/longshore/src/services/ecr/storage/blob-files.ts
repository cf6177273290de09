import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../rules/grammar.ts';
import { isUploadId } from '../rules/grammar.ts';

/** The files of the registry: `blobs/<algorithm>/<2 hex>/<hex>` and `uploads/<uuid>`, one store for all repositories. */
export interface BlobFiles {
  /** Makes the folders. */
  prepare(): Promise<void>;
  createUpload(id: string): Promise<FileHandle>;
  /** Opens for reading and writing; undefined where there is no such file. */
  openUpload(id: string): Promise<FileHandle | undefined>;
  removeUpload(id: string): Promise<void>;
  /** Upload files with their last change, in milliseconds since the epoch. */
  listUploads(): Promise<readonly { readonly id: string; readonly changedAt: number }[]>;
  /**
   * Makes an upload's file the blob of that digest, durably: data synced, renamed, folder synced. When it resolves a
   * database row may say that the blob is there.
   */
  commit(id: string, handle: FileHandle, digest: Digest): Promise<void>;
  /** Opens a blob for reading; undefined where there is no such file. */
  openBlob(digest: Digest): Promise<FileHandle | undefined>;
}

/** The blob files below `root`, an absolute path. */
export function blobFiles(root: string): BlobFiles {
  const uploads = join(root, 'uploads');
  const blobs = join(root, 'blobs');
  const uploadPath = (id: string) => {
    if (!isUploadId(id)) throw new Error(`not an upload id: ${JSON.stringify(id)}`);
    return join(uploads, id);
  };
  const blobPath = ({ algorithm, hex }: Digest) => join(blobs, algorithm, hex.slice(0, 2), hex);

  return {
    async prepare() {
      for (const folder of [uploads, join(blobs, 'sha256'), join(blobs, 'sha512')])
        await mkdir(folder, { recursive: true, mode: 0o700 });
    },
    createUpload: (id) => open(uploadPath(id), 'wx+', 0o600),
    openUpload: (id) => orUndefined(open(uploadPath(id), 'r+')),
    removeUpload: (id) => rm(uploadPath(id), { force: true }),
    async listUploads() {
      const found: { id: string; changedAt: number }[] = [];
      for (const id of await readdir(uploads)) {
        const facts = isUploadId(id) ? await orUndefined(stat(uploadPath(id))) : undefined;
        if (facts) found.push({ id, changedAt: facts.mtimeMs });
      }
      return found;
    },
    async commit(id, handle, digest) {
      const target = blobPath(digest);
      const folder = dirname(target);
      await handle.datasync();
      if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(dirname(folder));
      await rename(uploadPath(id), target);
      await syncFolder(folder);
    },
    openBlob: (digest) => orUndefined(open(blobPath(digest), 'r')),
  };
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
