import type { Hash } from 'node:crypto';
import type { UploadFile } from './blob-store.ts';

/** Chunks are written together once there is this much: a network chunk of 64 KiB a write costs a third of the rate. */
const batchBytes = 1024 * 1024;

/** Smaller chunks are not worth the call. */
const releaseBytes = 4096;

export interface Ingested {
  /** Bytes taken and written. */
  readonly received: number;
  /** Present where the body broke off (the client went away): what came before was written. */
  readonly interruption?: unknown;
}

/**
 * Streams a body to an upload from `position` on, hashing on the way. One write runs while the next batch is received and
 * hashed, so at most two batches are in memory. Throws what a write throws (ENOSPC …); the upload and the hash are then
 * of no certain state beyond `position`. `owned`: nobody else has the chunks, so their memory may be given back once written.
 */
export async function ingest(
  body: AsyncIterable<Uint8Array>,
  file: UploadFile,
  position: number,
  hash: Hash | undefined,
  owned = false,
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
    if (owned) writing = writing.then(() => release(buffers));
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

/**
 * Gives the memory of chunks back at once. Left to the collector, chunks of the network (64 KiB of memory outside the heap each)
 * make it run dozens of times a gigabyte. Only memory that a chunk has to itself, as those of node:http do.
 */
function release(buffers: readonly Uint8Array[]): void {
  for (const { buffer, byteLength } of buffers)
    if (byteLength === buffer.byteLength && byteLength >= releaseBytes && buffer instanceof ArrayBuffer)
      buffer.transfer(0);
}
