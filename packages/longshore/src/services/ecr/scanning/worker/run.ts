import { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { parseDigest } from '../../rules/grammar.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import type { AdvisoryStore } from '../advisories/store.ts';
import { ImageFlaw } from '../layers/limits.ts';
import type { Answer, FromWorker, Question, ScanJob, ScanOutcome } from './protocol.ts';

export interface WorkerParts {
  readonly files: Pick<BlobStore, 'openBlob'>;
  readonly advisories: Pick<AdvisoryStore, 'advisories' | 'overlays'>;
}

export interface WorkerBounds {
  /** Milliseconds for all of a scan. */
  readonly time: number;
  /** JavaScript's heap of the worker, in MiB. Buffers come on top, bounded by what a scan reads at once. */
  readonly heap: number;
}

export const usualBounds: WorkerBounds = { time: 15 * 60_000, heap: 768 };

/**
 * Scans in a worker thread that is made for it and ends with it. Throws ImageFlaw where the image is at fault: damaged, hostile, or more
 * than the bounds allow. The signal ends the scan with its reason.
 */
export async function runScan(
  job: ScanJob,
  parts: WorkerParts,
  bounds: WorkerBounds,
  signal: AbortSignal,
): Promise<ScanOutcome> {
  signal.throwIfAborted();
  const file = import.meta.url.endsWith('.ts') ? './entry.ts' : './entry.js';
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: bounds.heap },
    env: {
      PATH: process.env.PATH ?? '',
      ...(process.env.HOME ? { HOME: process.env.HOME } : {}),
      ...(process.env.TMPDIR ? { TMPDIR: process.env.TMPDIR } : {}),
    },
  });
  const blobs = new Map<string, Promise<{ stream: Readable; pieces: AsyncIterator<Uint8Array> }>>();
  let child: number | undefined;
  const outcome = Promise.withResolvers<ScanOutcome>();
  outcome.promise.catch(() => {});
  const abort = () => outcome.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(
    () => outcome.reject(new ImageFlaw(`the scan took longer than ${Math.round(bounds.time / 1000)} seconds`)),
    bounds.time,
  );

  worker.on('message', (message: FromWorker) => {
    if ('child' in message) child = message.child || undefined;
    else if ('done' in message) outcome.resolve(message.done);
    else if ('failed' in message) {
      const { message: text, unsupported, flaw } = message.failed;
      outcome.reject(flaw ? new ImageFlaw(text, unsupported) : new Error(text));
    } else
      answer(message, parts, blobs).then(
        (value) => post(worker, { answer: message.ask, value }),
        (error: Error) => post(worker, { answer: message.ask, error: error.message }),
      );
  });
  worker.on('error', (error: NodeJS.ErrnoException) =>
    outcome.reject(
      error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new ImageFlaw('the scan needed more memory than a scan may have')
        : error,
    ),
  );
  worker.on('exit', () => outcome.reject(new Error('the scan ended without a result')));
  try {
    return await outcome.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await worker.terminate();
    if (child !== undefined) kill(child);
    for (const blob of blobs.values()) (await blob.catch(() => undefined))?.stream.destroy();
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function post(worker: Worker, answer: Answer): void {
  const { value } = answer;
  // A stream's pieces may be parts of a shared pool; only what is alone in its memory can be handed over.
  const isWhole =
    value instanceof Uint8Array && value.byteLength === value.buffer.byteLength && value.byteLength > 65_536;
  worker.postMessage(answer, isWhole ? [value.buffer as ArrayBuffer] : []);
}

async function answer(
  question: Question,
  { files, advisories }: WorkerParts,
  blobs: Map<string, Promise<{ stream: Readable; pieces: AsyncIterator<Uint8Array> }>>,
): Promise<unknown> {
  if (question.what === 'advisories') return advisories.advisories(question.keys);
  if (question.what === 'overlays') return advisories.overlays(question.ids);
  const { digest } = question;
  if (question.what === 'close') {
    const open = await blobs.get(digest)?.catch(() => undefined);
    blobs.delete(digest);
    open?.stream.destroy();
    return undefined;
  }
  let blob = blobs.get(digest);
  if (!blob) {
    blob = openBlob(files, digest);
    blobs.set(digest, blob);
  }
  const { pieces } = await blob;
  const next = await pieces.next();
  return next.done ? undefined : next.value;
}

async function openBlob(files: WorkerParts['files'], digest: string) {
  const parsed = parseDigest(digest);
  const reader = parsed && (await files.openBlob(parsed));
  if (!reader) throw new Error(`the blob ${digest} is not there`);
  if (reader.size === 0) await reader.close();
  const stream = reader.size === 0 ? undefined : reader.stream(0, reader.size - 1);
  const source = stream ?? Readable.from([]);
  return { stream: source, pieces: source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array> };
}
