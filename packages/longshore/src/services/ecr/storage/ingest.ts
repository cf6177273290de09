import type { Hash } from 'node:crypto';
import type { UploadFile } from './blob-store.ts';

/** Chunks are written together once there is this much: a network chunk of 64 KiB a write costs a third of the rate. */
const batchBytes = 1024 * 1024;

export interface Ingested {
  /** Bytes taken and written. */
  readonly received: number;
  /** Present where the body broke off (the client went away): what came before was written. */
  readonly interruption?: unknown;
}

/**
 * Streams a body to an upload from `position` on, hashing on the way. One write runs while the next batch is received and
 * hashed, so at most two batches are in memory. Throws what a write throws (ENOSPC …); the upload and the hash are then
 * of no certain state beyond `position`.
 */
export async function ingest(
  body: AsyncIterable<Uint8Array>,
  file: UploadFile,
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
    writing = file.write(buffers, start);
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
