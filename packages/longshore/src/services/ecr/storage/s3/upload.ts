import type { UploadFile } from '../blob-store.ts';
import type { S3Client } from './client.ts';
import { beginMultipart, completeMultipart, type Part, uploadPart } from './objects.ts';

/** S3 takes at most 10,000 parts: with these, 80,000 MiB, above ECR's largest layer. */
const partBytes = 8 * 1024 * 1024;

/** What `uploads/ID.tail` keeps beside its bytes. */
export interface Kept {
  readonly uploadId: string | undefined;
  readonly parts: readonly Part[];
  readonly tail: Uint8Array;
}

/**
 * An upload as a multipart upload of `uploads/ID`. Whole parts go to the store as they fill; what is left is kept in
 * `uploads/ID.tail` when the upload is closed, with the number of parts that count: after a crash later ones are written over.
 */
export class S3Upload implements UploadFile {
  readonly #client: S3Client;
  readonly #key: string;
  readonly #opened: Kept;
  #uploadId: string | undefined;
  #parts: Part[];
  #buffer: Buffer | undefined;
  #filled = 0;
  #sending: Promise<void> = Promise.resolve();
  #state: 'open' | 'completed' | 'closed' = 'open';

  constructor(client: S3Client, key: string, kept: Kept) {
    this.#client = client;
    this.#key = key;
    this.#opened = kept;
    this.#uploadId = kept.uploadId;
    this.#parts = [...kept.parts];
    this.#fill(kept.tail);
  }

  /** Less than a part came: no object was made yet. */
  get inMemory(): Uint8Array | undefined {
    return this.#parts.length === 0 && this.#state === 'open' ? this.#tail() : undefined;
  }

  async size(): Promise<number> {
    return this.#parts.length * partBytes + this.#filled;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#state !== 'open') throw new Error('an upload that was ended is written to');
    if (position !== (await this.size())) throw new Error(`an upload is written to at ${position}, not at its end`);
    for (const buffer of buffers)
      for (let at = 0; at < buffer.length; ) {
        at += this.#fill(buffer.subarray(at, at + partBytes - this.#filled));
        if (this.#filled === partBytes) await this.#sendPart();
      }
  }

  async truncate(length: number): Promise<void> {
    await this.#sending.catch(() => {});
    const start = this.#parts.length * partBytes;
    if (length >= start && length <= start + this.#filled) {
      this.#filled = length - start;
      return;
    }
    const opened = this.#opened.parts.length * partBytes;
    if (length < opened || length > opened + this.#opened.tail.length)
      throw new Error(`an upload to S3 can't be cut to ${length} bytes any more: it must start anew`);
    this.#parts = [...this.#opened.parts];
    this.#sending = Promise.resolve();
    this.#filled = 0;
    this.#fill(this.#opened.tail.subarray(0, length - opened));
  }

  async *contents(length: number): AsyncGenerator<Uint8Array> {
    if (length !== (await this.size())) throw new Error('an upload to S3 can only be read as a whole');
    const memory = this.inMemory;
    if (memory) {
      yield memory;
      return;
    }
    await this.complete();
    yield* await this.#client.open(this.#key, {});
  }

  /** Makes all of it the object `uploads/ID`. */
  async complete(): Promise<void> {
    if (this.#state === 'completed') return;
    await this.#sending;
    if (this.#filled > 0) await this.#sendPart();
    await this.#sending;
    await completeMultipart(this.#client, this.#key, this.#uploadId as string, this.#parts);
    this.#state = 'completed';
  }

  /** The upload was made a blob: nothing is to be kept. */
  ended(): void {
    this.#state = 'closed';
    this.#buffer = undefined;
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    let failure: unknown;
    await this.#sending.catch((error) => {
      failure = error;
    });
    if (failure !== undefined) return;
    await this.#client.call('PUT', `${this.#key}.tail`, {
      headers: {
        'x-amz-meta-parts': JSON.stringify(this.#parts.map((part) => part.etag.replaceAll('"', ''))),
        ...(this.#uploadId === undefined ? {} : { 'x-amz-meta-upload': this.#uploadId }),
      },
      body: [this.#tail()],
    });
    this.#buffer = undefined;
  }

  #tail(): Uint8Array {
    return this.#buffer?.subarray(0, this.#filled) ?? new Uint8Array();
  }

  /** Takes as much as fits; how much. */
  #fill(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    this.#buffer ??= Buffer.allocUnsafeSlow(partBytes);
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
    return bytes.length;
  }

  /** Sends the part that is full while the next one fills; at most one is under way. */
  async #sendPart(): Promise<void> {
    await this.#sending;
    this.#uploadId ??= await beginMultipart(this.#client, this.#key);
    const bytes = this.#tail();
    const number = this.#parts.length + 1;
    const part: { number: number; etag: string } = { number, etag: '' };
    this.#parts.push(part);
    this.#buffer = undefined;
    this.#filled = 0;
    this.#sending = uploadPart(this.#client, this.#key, this.#uploadId, number, [bytes]).then(({ etag }) => {
      part.etag = etag;
    });
    this.#sending.catch(() => {});
  }
}
