import { inflateRawSync } from 'node:zlib';

/** Bytes that may be read anywhere: a buffer, or a file. */
export interface ZipSource {
  readonly size: number;
  /** `length` bytes from `offset`; fewer where the source ends. */
  read(offset: number, length: number): Buffer;
}

export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
}

/** Thrown where something is no zip, or a hostile one. */
export class ZipFlaw extends Error {
  override readonly name = 'ZipFlaw';
}

export function bufferSource(buffer: Buffer): ZipSource {
  return { size: buffer.length, read: (offset, length) => buffer.subarray(offset, offset + length) };
}

const endMark = 0x06054b50;
const end64LocatorMark = 0x07064b50;
const end64Mark = 0x06064b50;
const entryMark = 0x02014b50;
const localMark = 0x04034b50;
const max16 = 0xffff;
const max32 = 0xffffffff;

/** The entries of a zip's central directory (PKWARE's APPNOTE 4.3.12 and 4.3.14), at most `most` of them. Throws ZipFlaw. */
export function* zipEntries(source: ZipSource, most: number): Generator<ZipEntry> {
  const { offset, size, count } = findDirectory(source);
  if (count > most) throw new ZipFlaw(`the archive has ${count} entries; at most ${most} are read`);
  if (offset + size > source.size || size > 1024 * 1024 * 1024)
    throw new ZipFlaw('the archive ends before its directory');
  const directory = source.read(offset, size);
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== entryMark)
      throw new ZipFlaw('the archive’s directory is damaged');
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const entry = {
      method: directory.readUInt16LE(at + 10),
      compressedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
    };
    readWide(directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength), entry);
    yield entry;
    at += 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
  }
}

/** The content of an entry, at most `most` bytes of it: a longer one throws ZipFlaw before it is expanded further. */
export function zipContent(source: ZipSource, entry: ZipEntry, most: number): Buffer {
  const header = source.read(entry.offset, 30);
  if (header.length < 30 || header.readUInt32LE(0) !== localMark)
    throw new ZipFlaw(`${entry.name} is not where it should be`);
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (entry.compressedSize > most || entry.size > most) throw new ZipFlaw(`${entry.name} is larger than ${most} bytes`);
  const packed = source.read(start, entry.compressedSize);
  if (packed.length < entry.compressedSize) throw new ZipFlaw(`${entry.name} is cut off`);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw new ZipFlaw(`${entry.name} is packed by method ${entry.method}, which we can't read`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, Math.min(most, entry.size)) });
  } catch (error) {
    throw new ZipFlaw(`${entry.name} can't be expanded: ${(error as Error).message}`);
  }
}

function findDirectory(source: ZipSource): { offset: number; size: number; count: number } {
  const length = Math.min(source.size, 22 + max16);
  const tail = source.read(source.size - length, length);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endMark) continue;
    const found = {
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const isWide = found.count === max16 || found.size === max32 || found.offset === max32;
    if (!isWide || at < 20 || tail.readUInt32LE(at - 20) !== end64LocatorMark) return found;
    const record = source.read(Number(tail.readBigUInt64LE(at - 12)), 56);
    if (record.length < 56 || record.readUInt32LE(0) !== end64Mark) throw new ZipFlaw('the archive’s end is damaged');
    return {
      count: Number(record.readBigUInt64LE(32)),
      size: Number(record.readBigUInt64LE(40)),
      offset: Number(record.readBigUInt64LE(48)),
    };
  }
  throw new ZipFlaw('this is no zip archive');
}

/** Sizes and places beyond 32 bits stand in an extra field (APPNOTE 4.5.3). */
function readWide(extra: Buffer, entry: { size: number; compressedSize: number; offset: number }): void {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let from = at + 4;
    for (const member of ['size', 'compressedSize', 'offset'] as const) {
      if (entry[member] !== max32 || from + 8 > extra.length) continue;
      entry[member] = Number(extra.readBigUInt64LE(from));
      from += 8;
    }
  }
}
