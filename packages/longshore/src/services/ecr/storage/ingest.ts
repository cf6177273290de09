import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Chunks are written together once there is this much: a network chunk of 64 KiB a write costs a third of the rate. */
const batchBytes = 1024 * 1024;

export interface Ingested {
  /** Bytes taken and written. */
  readonly received: number;
  /** Present where the body broke off (the client went away): what came before was written. */
  readonly interruption?: unknown;
}

/**
 * Streams a body to a file from `position` on, hashing on the way. One write runs while the next batch is received and
 * hashed, so at most two batches are in memory. Throws what a write throws (ENOSPC …); the file and the hash are then
 * of no certain state beyond `position`.
 */
export async function ingest(
  body: AsyncIterable<Uint8Array>,
  handle: FileHandle,
  position: number,
  hash: Hash | undefined,
): Promise<Ingested> {
  let at = position;
  let batch: Uint8Array[] = [];
  let size = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async () => {
    const buffers = batch;
    const start = at;
    at += size;
    batch = [];
    size = 0;
    for (const buffer of buffers) hash?.update(buffer);
    await writing;
    writing = writeAll(handle, buffers, start);
    writing.catch(() => {});
  };
  const chunks = body[Symbol.asyncIterator]();
  let interruption: unknown;
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await chunks.next();
      } catch (error) {
        interruption = error ?? new Error('the body broke off');
        break;
      }
      if (next.done) break;
      batch.push(next.value);
      size += next.value.length;
      if (size >= batchBytes) await flush();
    }
    if (size > 0) await flush();
  } catch (error) {
    // Lets go of the body, so that what is left of it can be thrown away and an answer be heard.
    await chunks.return?.();
    throw error;
  } finally {
    await writing.catch(() => {});
  }
  await writing;
  return { received: at - position, ...(interruption === undefined ? {} : { interruption }) };
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

/** Hashes the first `length` bytes of a file: how an upload goes on whose running hash is not there (after a restart). */
export async function hashFile(handle: FileHandle, length: number, hash: Hash): Promise<void> {
  const buffer = Buffer.allocUnsafe(batchBytes);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), at);
    if (bytesRead === 0) throw new Error(`a file of ${length} bytes ended at ${at}`);
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
