import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type ZipSource, zipContent, zipEntries } from '../packages/zip.ts';
import { parseAlpineSecdb, parseDebianSource, parseEpssLine, parseKev } from './distributions.ts';
import { jsonMembers } from './json-members.ts';
import { lines } from './lines.ts';
import type { Format, Statement } from './model.ts';
import { parseOsv } from './osv.ts';

const mostRecord = 16 * 1024 * 1024;
const mostEntries = 5_000_000;

/** What a file of advisories is. */
export interface Dump {
  readonly format: Format;
  /** A name for the source, made of what the file says of itself. */
  readonly name: string;
  readonly zip: boolean;
}

/** Thrown where a file is none that we can read; the message is for people. */
export class DumpFlaw extends Error {
  override readonly name = 'DumpFlaw';
}

/** Finds out by its first bytes what a file of advisories is: gzip, zstd and zip included. Throws DumpFlaw. */
export async function recognise(path: string): Promise<Dump> {
  const start = await head(path, false);
  if (start.length === 0) throw new DumpFlaw(`${path} is empty.`);
  if (start.toString('latin1', 0, 4) === 'PK\x03\x04') return { format: 'osv', name: await osvName(path), zip: true };
  const text = (await head(path, true)).toString('utf8').trimStart();
  if (/^#?\s*(model_version|cve,epss)/.test(text)) return { format: 'epss', name: 'epss', zip: false };
  if (/"catalogVersion"|Known Exploited/.test(text.slice(0, 2000))) return { format: 'kev', name: 'kev', zip: false };
  if (/"distroversion"|"secfixes"|"reponame"/.test(text.slice(0, 20_000))) {
    const value = (name: string) => new RegExp(`"${name}"\\s*:\\s*"([^"]{1,40})"`).exec(text)?.[1];
    const name = ['alpine', value('distroversion'), value('reponame')].filter(Boolean).join('-');
    return { format: 'alpine', name, zip: false };
  }
  if (/"schema_version"|"affected"\s*:|"modified"\s*:/.test(text.slice(0, 65_536))) {
    const ecosystem = /"ecosystem"\s*:\s*"([^":]{1,40})/.exec(text)?.[1];
    const id = /"id"\s*:\s*"([A-Za-z0-9.:_-]{1,60})"/.exec(text)?.[1];
    return {
      format: 'osv',
      name: `osv-${text.startsWith('[') ? (ecosystem ?? 'list') : (id ?? 'record')}`,
      zip: false,
    };
  }
  if (/^\{\s*"[^"]+"\s*:\s*\{\s*"(CVE|TEMP)-/.test(text))
    return { format: 'debian', name: 'debian-tracker', zip: false };
  throw new DumpFlaw(
    `${path} is none of: an OSV dump (zip, JSON or JSON lines), Debian's security tracker, Alpine's secdb, KEV or EPSS.`,
  );
}

/** All that a file says, record by record; a record that can't be read is told to `onFlaw` and passed over. Throws where the file is damaged. */
export async function* readDump(
  path: string,
  dump: Dump,
  onFlaw: (message: string) => void,
): AsyncGenerator<Statement> {
  if (dump.zip) {
    yield* readZip(path, onFlaw);
    return;
  }
  const source = expanded(path);
  if (dump.format === 'epss') {
    for await (const line of lines(source, 65_536)) {
      const statement = parseEpssLine(line);
      if (statement) yield statement;
    }
    return;
  }
  if (dump.format === 'debian') {
    for await (const { key, text } of jsonMembers(source)) yield* parseDebianSource(key, JSON.parse(text));
    return;
  }
  if (dump.format === 'osv') {
    yield* readOsv(path, onFlaw);
    return;
  }
  const value: unknown = JSON.parse((await whole(source)).toString('utf8'));
  yield* dump.format === 'kev' ? parseKev(value) : parseAlpineSecdb(value);
}

/** A list of records, one record, or one on each line. */
async function* readOsv(path: string, onFlaw: (message: string) => void): AsyncGenerator<Statement> {
  const start = (await head(path, true)).toString('utf8').trimStart();
  if (start.startsWith('[')) {
    for await (const { text } of jsonMembers(expanded(path))) yield* osvRecord(text, path, onFlaw);
    return;
  }
  const firstLine = start.slice(0, start.indexOf('\n') + 1);
  if (firstLine.trimEnd().endsWith('}') && isJson(firstLine)) {
    for await (const line of lines(expanded(path), mostRecord))
      if (line.trim() !== '') yield* osvRecord(line, path, onFlaw);
    return;
  }
  yield* parseOsv(JSON.parse((await whole(expanded(path))).toString('utf8')));
}

function* osvRecord(text: string, where: string, onFlaw: (message: string) => void): Generator<Statement> {
  let statements: Statement[];
  try {
    statements = parseOsv(JSON.parse(text));
  } catch (error) {
    onFlaw(`${where}: ${(error as Error).message}`);
    return;
  }
  yield* statements;
}

function* readZip(path: string, onFlaw: (message: string) => void): Generator<Statement> {
  const file = openSync(path, 'r');
  try {
    const source = fileSource(file);
    for (const entry of zipEntries(source, mostEntries)) {
      if (!entry.name.endsWith('.json')) continue;
      yield* osvRecord(zipContent(source, entry, mostRecord).toString('utf8'), entry.name, onFlaw);
    }
  } finally {
    closeSync(file);
  }
}

/** Dumps of one ecosystem have its name from their first record. */
async function osvName(path: string): Promise<string> {
  const file = openSync(path, 'r');
  try {
    const source = fileSource(file);
    for (const entry of zipEntries(source, mostEntries)) {
      if (!entry.name.endsWith('.json')) continue;
      const text = zipContent(source, entry, mostRecord).toString('utf8');
      const ecosystem = /"ecosystem"\s*:\s*"([^":]{1,40})/.exec(text)?.[1];
      if (ecosystem) return `osv-${ecosystem.replace(/[^A-Za-z0-9._ -]/g, '')}`;
    }
    return 'osv';
  } finally {
    closeSync(file);
  }
}

function fileSource(file: number): ZipSource {
  const { size } = fstatSync(file);
  return {
    size,
    read(offset, length) {
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
      const count = buffer.length === 0 ? 0 : readSync(file, buffer, 0, buffer.length, offset);
      return buffer.subarray(0, count);
    },
  };
}

async function head(path: string, unpack: boolean): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of unpack ? expanded(path) : createReadStream(path, { end: 65_535 })) {
    parts.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= 65_536) break;
  }
  return Buffer.concat(parts).subarray(0, 65_536);
}

/** The file's bytes, expanded where it is gzip or zstd. */
async function* expanded(path: string): AsyncGenerator<Buffer> {
  const file = openSync(path, 'r');
  const start = Buffer.alloc(4);
  try {
    readSync(file, start, 0, 4, 0);
  } finally {
    closeSync(file);
  }
  const raw = createReadStream(path, { highWaterMark: 1024 * 1024 });
  const transform =
    start[0] === 0x1f && start[1] === 0x8b
      ? createGunzip()
      : start.readUInt32LE(0) === 0xfd2fb528
        ? createZstdDecompress()
        : undefined;
  try {
    if (!transform) yield* raw;
    else {
      raw.on('error', (error) => transform.destroy(error));
      yield* raw.pipe(transform);
    }
  } finally {
    raw.destroy();
    transform?.destroy();
  }
}

async function whole(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > 512 * 1024 * 1024)
      throw new DumpFlaw('The file is larger than 512 MiB and can only be read as a list.');
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
