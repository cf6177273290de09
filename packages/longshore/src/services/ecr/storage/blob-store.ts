import type { Readable } from 'node:stream';
import type { Digest } from '../rules/grammar.ts';

/**
 * Where the registry's bytes lie: `blobs/<algorithm>/<2 hex>/<hex>` and `uploads/<uuid>`, one store for all repositories. One
 * contract suite (contract.testing.ts) runs on every backend.
 */
export interface BlobStore {
  /** Makes what must be there before the first request. */
  prepare(): Promise<void>;
  createUpload(id: string): Promise<UploadFile>;
  /** Opens an upload to go on with it; undefined where there is none. One at a time may have it open. */
  openUpload(id: string): Promise<UploadFile | undefined>;
  removeUpload(id: string): Promise<void>;
  /** Uploads with their last change, in milliseconds since the epoch. */
  listUploads(): Promise<readonly { readonly id: string; readonly changedAt: number }[]>;
  /**
   * Makes an open upload the blob of that digest, durably. When it resolves a database row may say that the blob is there.
   * A blob of that digest that is there already is replaced in one step: whoever reads it reads on.
   */
  commit(id: string, upload: UploadFile, digest: Digest): Promise<void>;
  /** Opens a blob for reading; undefined where there is none. Close it, or read it to its end. */
  openBlob(digest: Digest): Promise<BlobReader | undefined>;
  removeBlob(digest: Digest): Promise<void>;
  /** Every blob that lies there, in batches of moderate size. Those that come or go meanwhile may be missed. */
  listBlobs(): AsyncIterable<readonly StoredBlob[]>;
  /** Gives up what commits left half-done before that time, in milliseconds since the epoch; how many. */
  readonly removeLeftovers?: (before: number) => Promise<number>;
  /** A URL at which anyone may GET the blob for `seconds`, so that its bytes need not pass through us; absent where there is no such thing. */
  readonly presign?: (digest: Digest, seconds: number) => string;
}

export interface StoredBlob {
  /** `sha256:…`. */
  readonly digest: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
}

/** The bytes of an upload under way. */
export interface UploadFile {
  size(): Promise<number>;
  /**
   * Writes at `position`, which is where the upload ends. Throws ENOSPC and the like. Durable only after `commit`. The buffers
   * are the caller's again once it resolves.
   */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Cuts off what is beyond `length` bytes: what a write left that failed. */
  truncate(length: number): Promise<void>;
  /** The first `length` bytes again, to hash them. Nothing may be written afterwards. */
  contents(length: number): AsyncIterable<Uint8Array>;
  /** What was written may be kept when it is opened again. Idempotent. */
  close(): Promise<void>;
}

export interface BlobReader {
  /** In bytes. */
  readonly size: number;
  /** The bytes from `start` to `end`, both included. Its end or its destruction closes the reader. */
  stream(start: number, end: number): Readable;
  /** Fills a buffer from `position` on, for who has buffers of his own; how many bytes came. Absent where bytes come as they come. */
  readonly read?: (buffer: Uint8Array, position: number) => Promise<number>;
  /** Idempotent. */
  close(): Promise<void>;
}
