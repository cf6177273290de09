import { execFile } from 'node:child_process';
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { readJson, remove, writeJson } from '../files.ts';
import { type AwsClient, AwsError, logs } from '../session/aws-client.ts';
import type { SigningCredentials } from '../session/sigv4.ts';
import { Batch } from './batch.ts';
import type { LogTarget } from './log-target.ts';

/** How long lines are gathered before they are sent. */
const gatherMs = 250;
/** How often the file is looked at where no change is announced. */
const lookMs = 5_000;
const readBytes = 256 * 1024;
/** Shipped bytes after which the disk behind them is given back. */
const punchBytes = 8 * 1024 * 1024;
/** Output that can't be shipped is kept up to this; the oldest half of what is beyond is given up. */
const mostBacklog = 512 * 1024 * 1024;

export interface LogPipeParts {
  readonly aws: AwsClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked before each call: credentials are renewed while a task runs. */
  readonly credentials: () => SigningCredentials;
}

/**
 * Ships what the container's shim appends to a file. The file is on disk and the place that was shipped up to beside it, so the
 * end of this process loses no line (a batch that was sent but not noted is sent twice).
 */
export class LogPipe {
  readonly file: string;
  readonly #target: LogTarget;
  readonly #parts: LogPipeParts;
  readonly #ended = new AbortController();
  #finishing = false;
  #loop: Promise<void> | undefined;
  #watcher: FSWatcher | undefined;
  #wake: (() => void) | undefined;
  /** Whether the file has changed since it was last read to its end. */
  #dirty = true;
  /** Aborts when lines are no longer to be gathered but sent at once. */
  readonly #hurry = new AbortController();
  #handle: FileHandle | undefined;
  #offset = 0;
  #punched = 0;

  constructor(file: string, target: LogTarget, parts: LogPipeParts) {
    this.file = file;
    this.#target = target;
    this.#parts = parts;
  }

  /** Makes the stream (and the group, where the definition asks for it). Throws what the service answered. */
  async createStream(): Promise<void> {
    const { group, stream, createGroup } = this.#target;
    const create = () =>
      this.#call('CreateLogStream', { logGroupName: group, logStreamName: stream }, 'ResourceAlreadyExistsException');
    for (let tries = 1; ; tries++)
      try {
        return await create();
      } catch (error) {
        if (error instanceof AwsError && error.code === 'ResourceNotFoundException' && createGroup && tries < 3) {
          await this.#call('CreateLogGroup', { logGroupName: group }, 'ResourceAlreadyExistsException');
          continue;
        }
        if ((error instanceof AwsError && !error.retryable) || tries >= 3) throw error;
        await this.#parts.clock.sleep(300, this.#ended.signal);
      }
  }

  /** Begins to ship, where an earlier process left off if there was one. */
  async start(): Promise<void> {
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    this.#handle = await open(this.file, 'a+', 0o600);
    this.#offset = (await readJson<{ offset: number }>(this.#noteFile))?.offset ?? 0;
    this.#punched = this.#offset;
    this.#watcher = watch(this.file, { persistent: false }, () => this.#touch());
    this.#watcher.on('error', () => undefined);
    this.#loop = this.#run().catch((error) => {
      if (!this.#ended.signal.aborted)
        this.#parts.log.error({ error: String(error), file: this.file }, 'logs are no longer shipped');
    });
  }

  /** After the container's end: ships what is left, at most `timeoutMs` long, and stops. */
  async finish(timeoutMs: number): Promise<void> {
    this.#finishing = true;
    this.#hurry.abort();
    this.#touch();
    const cancel = this.#parts.clock.after(timeoutMs, () => this.#ended.abort());
    await this.#loop;
    cancel();
    await this.stop();
  }

  /** Stops where it is; a later `start` goes on from there. */
  async stop(): Promise<void> {
    this.#ended.abort();
    this.#hurry.abort();
    this.#touch();
    await this.#loop;
    this.#watcher?.close();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /** Removes the file. */
  async remove(): Promise<void> {
    await Promise.all([remove(this.file), remove(this.#noteFile)]);
  }

  get #noteFile(): string {
    return `${this.file}.shipped`;
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const signal = this.#ended.signal;
    while (!signal.aborted) {
      let batch = await this.#gather();
      if (batch.events.length > 0 && !batch.full && !this.#finishing) {
        await clock.sleep(gatherMs, this.#hurry.signal).catch(() => undefined);
        batch = await this.#gather();
      }
      if (batch.events.length > 0) await this.#send(batch);
      if (signal.aborted) return;
      if (batch.consumed > 0) {
        this.#offset += batch.consumed;
        await writeJson(this.#noteFile, { offset: this.#offset });
        await this.#giveBack();
      } else if (this.#finishing) return;
      else await this.#changed();
    }
  }

  /** Reads from the place shipped up to until the end of the file or until a batch is full. */
  async #gather(): Promise<Batch> {
    this.#dirty = false;
    await this.#skipBacklog();
    const batch = new Batch();
    const now = this.#parts.clock.now();
    const buffer = Buffer.allocUnsafe(readBytes);
    for (let position = this.#offset; ; ) {
      const { bytesRead } = await this.#handle!.read(buffer, 0, readBytes, position);
      if (bytesRead === 0) break;
      position += batch.add(buffer.subarray(0, bytesRead), now);
      if (batch.full) return batch;
    }
    if (this.#finishing) batch.finish(now);
    return batch;
  }

  async #send(batch: Batch): Promise<void> {
    const { group: logGroupName, stream: logStreamName } = this.#target;
    for (let wait = 1_000; !this.#ended.signal.aborted; wait = Math.min(wait * 1.5, 30_000))
      try {
        return await this.#call('PutLogEvents', { logGroupName, logStreamName, logEvents: batch.events });
      } catch (error) {
        const lasting =
          error instanceof AwsError &&
          !error.retryable &&
          !/ExpiredToken|UnrecognizedClient|InvalidClientToken/.test(error.code);
        this.#parts.log.warn(
          { error: String(error), group: logGroupName, stream: logStreamName, lost: lasting ? batch.events.length : 0 },
          'could not ship logs',
        );
        if (lasting) return;
        await this.#parts.clock.sleep(this.#finishing ? 200 : wait, this.#ended.signal).catch(() => undefined);
      }
  }

  async #call(operation: string, input: object, fine?: string): Promise<void> {
    const { aws, credentials } = this.#parts;
    try {
      await aws.call(logs, operation, input, credentials());
    } catch (error) {
      if (!(error instanceof AwsError && error.code === fine)) throw error;
    }
  }

  #touch(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  async #changed(): Promise<void> {
    if (this.#dirty) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.after(lookMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /**
   * Frees the disk behind what was shipped: a hole in the file. Truncating would lose what the shim writes at that moment,
   * and the shim holds the file open, so it can't be renamed away.
   */
  async #giveBack(): Promise<void> {
    const length = this.#offset - this.#punched;
    if (length < punchBytes) return;
    const offset = this.#punched;
    this.#punched = this.#offset;
    await new Promise<void>((resolve) => {
      const command = [
        '--punch-hole',
        '--keep-size',
        '--offset',
        String(offset),
        '--length',
        String(length),
        this.file,
      ];
      execFile('fallocate', command, { timeout: 30_000 }, (error) => {
        if (error)
          this.#parts.log.warn({ error: String(error), file: this.file }, 'could not give back disk of shipped logs');
        resolve();
      });
    });
  }

  async #skipBacklog(): Promise<void> {
    const { size } = await this.#handle!.stat();
    if (size - this.#offset <= mostBacklog) return;
    const skipped = size - mostBacklog / 2 - this.#offset;
    this.#parts.log.error(
      { file: this.file, skipped },
      'logs could not be shipped for so long that the oldest are given up',
    );
    this.#offset += skipped;
    await this.#giveBack();
  }
}
