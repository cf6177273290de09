import { ImageFlaw } from './limits.ts';

export type TarKind = 'file' | 'link' | 'symlink' | 'directory' | 'other';

export interface TarEntry {
  /** As it stands in the archive. */
  readonly path: string;
  readonly kind: TarKind;
  readonly target: string;
  readonly mode: number;
  readonly size: number;
}

/** Takes a file's content, piece by piece. A piece is only valid during the call. */
export interface Sink {
  write(piece: Buffer): void;
  end(): void;
}

const block = 512;
/** Long names and PAX records; the longest path that Linux takes is 4,096 bytes, and attributes may have 64 KiB. */
const mostMetadata = 1024 * 1024;

const kinds: Readonly<Record<string, TarKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
};

interface Overrides {
  path?: string;
  target?: string;
  size?: number;
}

/**
 * Reads a tar archive (POSIX ustar and pax, GNU long names) that is pushed into it, and asks `onEntry` of each entry whether its content
 * is wanted. Holds no more than one block and 1 MiB of metadata, whatever the archive says. Throws ImageFlaw where it is damaged.
 */
export class TarReader {
  readonly #onEntry: (entry: TarEntry) => Sink | undefined;
  readonly #header = Buffer.alloc(block);
  #filled = 0;
  #left = 0;
  #padding = 0;
  #sink: Sink | undefined;
  #metadata: { kind: string; parts: Buffer[] } | undefined;
  #global: Overrides = {};
  #next: Overrides = {};
  #ended = false;

  constructor(onEntry: (entry: TarEntry) => Sink | undefined) {
    this.#onEntry = onEntry;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        if (this.#sink || this.#metadata) {
          const piece = chunk.subarray(at, at + taken);
          if (this.#metadata) this.#metadata.parts.push(Buffer.from(piece));
          else this.#sink?.write(piece);
        }
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) this.#finish();
      } else if (this.#padding > 0) {
        const taken = Math.min(this.#padding, chunk.length - at);
        this.#padding -= taken;
        at += taken;
      } else {
        const taken = Math.min(block - this.#filled, chunk.length - at);
        chunk.copy(this.#header, this.#filled, at, at + taken);
        this.#filled += taken;
        at += taken;
        if (this.#filled === block) {
          this.#filled = 0;
          this.#readHeader();
        }
      }
    }
  }

  /** Throws ImageFlaw where the archive ends in the middle of an entry. */
  end(): void {
    if (!this.#ended && (this.#left > 0 || this.#filled > 0)) throw new ImageFlaw('the tar archive is cut off');
  }

  #readHeader(): void {
    const header = this.#header;
    if (header.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    checkSum(header);
    const type = String.fromCharCode(header[156] as number);
    let size = readNumber(header, 124, 12);
    if ('xgLK'.includes(type)) {
      if (size > mostMetadata) throw new ImageFlaw(`a tar header has ${size} bytes of metadata`);
      this.#metadata = { kind: type, parts: [] };
      this.#begin(size);
      return;
    }
    const overrides = { ...this.#global, ...this.#next };
    this.#next = {};
    size = overrides.size ?? size;
    const kind = kinds[type] ?? 'other';
    const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
    const prefix = isUstar ? readText(header, 345, 155) : '';
    const name = readText(header, 0, 100);
    const path = overrides.path ?? (prefix ? `${prefix}/${name}` : name);
    const target = overrides.target ?? readText(header, 157, 100);
    // Only files have content; GNU's own types that have some too are passed over by their size.
    const length = kind === 'file' || kind === 'other' ? size : 0;
    const isDirectory = kind === 'directory' || (kind === 'file' && path.endsWith('/'));
    const sink = this.#onEntry({
      path,
      kind: isDirectory ? 'directory' : kind,
      target,
      mode: readNumber(header, 100, 8),
      size: length,
    });
    this.#sink = sink;
    this.#begin(length);
  }

  #begin(size: number): void {
    this.#left = size;
    this.#padding = (block - (size % block)) % block;
    if (size === 0) this.#finish();
  }

  #finish(): void {
    const metadata = this.#metadata;
    const sink = this.#sink;
    this.#metadata = undefined;
    this.#sink = undefined;
    if (metadata) this.#readMetadata(metadata.kind, Buffer.concat(metadata.parts));
    else sink?.end();
  }

  #readMetadata(kind: string, content: Buffer): void {
    if (kind === 'L') this.#next.path = readText(content, 0, content.length);
    else if (kind === 'K') this.#next.target = readText(content, 0, content.length);
    else Object.assign(kind === 'g' ? this.#global : this.#next, readPax(content));
  }
}

function checkSum(header: Buffer): void {
  let sum = 0;
  for (let at = 0; at < block; at++) sum += at >= 148 && at < 156 ? 32 : (header[at] as number);
  if (sum !== readNumber(header, 148, 8)) throw new ImageFlaw('the tar archive is damaged: a checksum is wrong');
}

function readText(buffer: Buffer, at: number, length: number): string {
  const zero = buffer.indexOf(0, at);
  const end = zero < 0 || zero > at + length ? at + length : zero;
  return buffer.toString('utf8', at, end);
}

/** Octal text, or GNU's big-endian binary where the first bit is set. */
function readNumber(buffer: Buffer, at: number, length: number): number {
  const first = buffer[at] as number;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let index = 1; index < length; index++) value = value * 256 + (buffer[at + index] as number);
    if (!Number.isSafeInteger(value)) throw new ImageFlaw('a tar header has an impossible number');
    return value;
  }
  const text = readText(buffer, at, length).trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw new ImageFlaw('a tar header has a number that is none');
  return Number.parseInt(text, 8);
}

/** `LENGTH KEY=VALUE\n`, again and again (POSIX pax). */
function readPax(content: Buffer): Overrides {
  const found: Overrides = {};
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(32, at);
    const length = space < 0 ? Number.NaN : Number(content.toString('latin1', at, space));
    if (!Number.isInteger(length) || length <= space - at || at + length > content.length)
      throw new ImageFlaw('a tar header has damaged pax records');
    const record = content.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const key = record.slice(0, equals);
    const value = record.slice(equals + 1);
    if (key === 'path') found.path = value;
    else if (key === 'linkpath') found.target = value;
    else if (key === 'size') {
      found.size = Number(value);
      if (!Number.isSafeInteger(found.size) || found.size < 0)
        throw new ImageFlaw('a tar header has an impossible size');
    }
    at += length;
  }
  return found;
}
