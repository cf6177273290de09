import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import {
  Content,
  type WriteContentRequest,
  WriteContentRequestSchema,
  type WriteContentResponse,
} from './gen/content_pb.ts';
import { asGrpcError, type Grpc, isAlreadyThere, isNotFound, tolerate } from './grpc.ts';

const chunkBytes = 1024 * 1024;
const write = 1;
const commit = 2;

/** containerd's content store: blobs by digest. */
export class ContentStore {
  readonly #grpc: Grpc;

  constructor(grpc: Grpc) {
    this.#grpc = grpc;
  }

  async has(digest: string): Promise<boolean> {
    return (await tolerate(this.#grpc.unary(Content.method.info, { digest }), isNotFound)) !== undefined;
  }

  /** A whole blob; meant for manifests and configurations. */
  async read(digest: string): Promise<Buffer> {
    const stream = this.#grpc.serverStream(Content.method.read, { digest }, { timeoutMs: 30_000 });
    const parts: Uint8Array[] = [];
    try {
      for await (const part of stream) parts.push(part.data);
    } catch (error) {
      throw asGrpcError('Read', error as ServiceError);
    }
    return Buffer.concat(parts);
  }

  /** Adds labels to a blob, e.g. what it keeps from being collected. */
  async label(digest: string, labels: Record<string, string>): Promise<void> {
    await this.#grpc.unary(Content.method.update, {
      info: { digest, labels },
      updateMask: { paths: Object.keys(labels).map((name) => `labels.${name}`) },
    });
  }

  /**
   * Streams a blob in, in order and with no more than a chunk in flight; containerd hashes it and refuses to commit what has
   * another digest or size. A blob that is there already is left unread.
   */
  async write(
    blob: { readonly digest: string; readonly size: number },
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { readonly lease: string; readonly labels?: Record<string, string> },
  ): Promise<void> {
    const ref = `longshore-${options.lease}-${blob.digest}`;
    const total = BigInt(blob.size);
    const session = new WriteSession(this.#grpc.duplex(Content.method.write, { lease: options.lease }));
    try {
      let offset = 0;
      for await (const data of chunks(source)) {
        if (offset + data.length > blob.size) throw new Error(`${blob.digest}: longer than its ${blob.size} bytes`);
        await session.send({ action: write, ref, total, expected: blob.digest, offset: BigInt(offset), data });
        offset += data.length;
      }
      if (offset !== blob.size) throw new Error(`${blob.digest}: ${offset} of ${blob.size} bytes came`);
      await session.send({
        action: commit,
        ref,
        total,
        expected: blob.digest,
        offset: BigInt(offset),
        labels: options.labels ?? {},
      });
    } catch (error) {
      if (isAlreadyThere(error)) return;
      session.cancel();
      await this.#grpc.unary(Content.method.abort, { ref }).catch(() => undefined);
      throw error;
    } finally {
      session.end();
    }
  }
}

/** The Write call: one answer for each request. */
class WriteSession {
  readonly #stream: ClientDuplexStream<WriteContentRequest, WriteContentResponse>;
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(stream: ClientDuplexStream<WriteContentRequest, WriteContentResponse>) {
    this.#stream = stream;
    stream.on('data', () => this.#settle());
    stream.on('error', (error: ServiceError) => this.#settle(asGrpcError('Write', error)));
    stream.on('end', () => this.#settle(new Error('containerd ended the write')));
  }

  async send(message: Partial<Omit<WriteContentRequest, '$typeName' | '$unknown'>>): Promise<void> {
    if (this.#failure) throw this.#failure;
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#stream.write(create(WriteContentRequestSchema, message as never));
    await answered;
  }

  #settle(failure?: Error): void {
    if (failure) this.#failure ??= failure;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (failure) waiting?.reject(this.#failure!);
    else waiting?.resolve();
  }

  cancel(): void {
    this.#stream.cancel();
  }

  end(): void {
    this.#stream.end();
  }
}

/** Joins small parts and splits large ones into chunks of 1 MiB: one round trip each. */
async function* chunks(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (let part of source) {
    while (size + part.length >= chunkBytes) {
      parts.push(part.subarray(0, chunkBytes - size));
      part = part.subarray(chunkBytes - size);
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
    }
    if (part.length > 0) {
      parts.push(part);
      size += part.length;
    }
  }
  if (size > 0) yield Buffer.concat(parts);
}

export const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
