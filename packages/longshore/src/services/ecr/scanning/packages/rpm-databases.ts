import { DatabaseSync } from 'node:sqlite';

/** Thrown where a file is no RPM database that we can read. */
export class RpmDatabaseFlaw extends Error {
  override readonly name = 'RpmDatabaseFlaw';
}

const mostPackages = 100_000;

/**
 * The headers in `rpmdb.sqlite` (rpm ≥ 4.16). The database is opened in memory from its bytes: nothing of an image is written to disk.
 * SQLite checks what it reads, and its schema can call no functions.
 */
export function* sqliteHeaders(file: Buffer): Generator<Buffer> {
  if (file.toString('latin1', 0, 15) !== 'SQLite format 3') throw new RpmDatabaseFlaw('this is no SQLite database');
  // A database in WAL mode can't be opened without a file for the log; what was written last is in the file itself.
  file[18] = 1;
  file[19] = 1;
  const database = new DatabaseSync(':memory:', { allowExtension: false });
  try {
    database.deserialize(file);
    database.exec('pragma trusted_schema = off; pragma cell_size_check = on; pragma query_only = on');
    const rows = database.prepare(`select blob from Packages limit ${mostPackages}`).iterate();
    for (const { blob } of rows) if (blob instanceof Uint8Array) yield Buffer.from(blob);
  } catch (error) {
    throw new RpmDatabaseFlaw(`the SQLite database can't be read: ${(error as Error).message}`);
  } finally {
    database.close();
  }
}

const ndbPageSize = 4096;
const ndbBlock = 16;

/** The headers in `Packages.db` (ndb, of SUSE): a page of slots that say where each blob lies (rpm's lib/backend/ndb, rpmpkg). */
export function* ndbHeaders(file: Buffer): Generator<Buffer> {
  const mark = (at: number, text: string) => file.toString('latin1', at, at + 4) === text;
  if (file.length < ndbPageSize || !mark(0, 'RpmP')) throw new RpmDatabaseFlaw('this is no ndb database');
  const slotPages = file.readUInt32LE(12);
  const end = Math.min(slotPages * ndbPageSize, file.length);
  for (let at = 32; at + 16 <= end; at += 16) {
    if (!mark(at, 'Slot')) throw new RpmDatabaseFlaw('the ndb database is damaged');
    const index = file.readUInt32LE(at + 4);
    const start = file.readUInt32LE(at + 8) * ndbBlock;
    if (index === 0 || start === 0) continue;
    if (start + 16 > file.length || !mark(start, 'BlbS')) throw new RpmDatabaseFlaw('the ndb database is damaged');
    const length = file.readUInt32LE(start + 12);
    if (start + 16 + length > file.length) throw new RpmDatabaseFlaw('the ndb database is cut off');
    yield file.subarray(start + 16, start + 16 + length);
  }
}

const bdbHashMagic = 0x061561;
const bdbPage = { overflow: 7, hash: 13, hashUnsorted: 2 } as const;
const bdbItem = { data: 1, offPage: 3 } as const;

/**
 * The headers in `Packages` (Berkeley DB hash, rpm before 4.16; Berkeley DB's db_page.h). Every page is looked at once; a value stands
 * either in its page or in a chain of overflow pages.
 */
export function* bdbHeaders(file: Buffer): Generator<Buffer> {
  const little = file.length >= 512 && file.readUInt32LE(12) === bdbHashMagic;
  if (!little && (file.length < 512 || file.readUInt32BE(12) !== bdbHashMagic))
    throw new RpmDatabaseFlaw('this is no Berkeley DB hash');
  const word = (at: number) => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const half = (at: number) => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const pageSize = word(20);
  if (pageSize < 512 || pageSize > 65_536) throw new RpmDatabaseFlaw('the Berkeley DB hash is damaged');

  const overflow = (first: number, length: number): Buffer | undefined => {
    if (length > file.length) return undefined;
    const parts: Buffer[] = [];
    let left = length;
    let page = first;
    for (let hops = 0; left > 0 && page !== 0 && hops <= file.length / pageSize; hops++) {
      const at = page * pageSize;
      if (at + pageSize > file.length || file[at + 25] !== bdbPage.overflow) return undefined;
      const taken = Math.min(left, half(at + 22), pageSize - 26);
      parts.push(file.subarray(at + 26, at + 26 + taken));
      left -= taken;
      page = word(at + 16);
    }
    return left > 0 ? undefined : Buffer.concat(parts);
  };

  for (let at = pageSize; at + pageSize <= file.length; at += pageSize) {
    const kind = file[at + 25];
    if (kind !== bdbPage.hash && kind !== bdbPage.hashUnsorted) continue;
    const count = Math.min(half(at + 20), Math.floor((pageSize - 26) / 2));
    const place = (index: number) => at + half(at + 26 + index * 2);
    // Keys and values take turns.
    for (let index = 1; index < count; index += 2) {
      const item = place(index);
      if (item + 12 > at + pageSize && file[item] === bdbItem.offPage) continue;
      if (file[item] === bdbItem.offPage) {
        const value = overflow(word(item + 4), word(item + 8));
        if (value) yield value;
      } else if (file[item] === bdbItem.data) yield file.subarray(item + 1, Math.max(item + 1, place(index - 1)));
    }
  }
}
