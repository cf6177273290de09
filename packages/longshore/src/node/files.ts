import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes `value` as JSON so that a reader sees the old text or the new one, never a part: temporary file, then rename.
 * No fsync: what it guards against is the end of this process; after a power cut no container is left to be taken up.
 */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  const write = () => writeFile(temporary, JSON.stringify(value), { mode: 0o600 });
  await write().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await write();
  });
  await rename(temporary, path);
}

/** Reads JSON that `writeJson` wrote; undefined where there is no such file or it is not JSON (torn by a power cut). */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Removes a file or folder; nothing where it is gone already. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
