import { type FileFacts, type FoundPackage, isPlausible } from '../inventory.ts';
import { isLanguageFile } from './language-files.ts';

const tags = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  arch: 1022,
  sourceRpm: 1044,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
} as const;

const int32Type = 4;
const mostFiles = 500_000;

/** The packages that the headers of an RPM database name. One that is damaged is left out. */
export function readRpmHeaders(headers: Iterable<Buffer>): FileFacts {
  const packages: FoundPackage[] = [];
  const owns: string[] = [];
  for (const header of headers) {
    const found = readHeader(header);
    if (!found) continue;
    packages.push(found.package);
    for (const path of found.owns) owns.push(path);
  }
  return { packages, owns };
}

/** One header as a database keeps it: counts of entries and bytes, entries of 16 bytes, data (rpm.org, "RPM v4 header format"). */
function readHeader(blob: Buffer): { package: FoundPackage; owns: string[] } | undefined {
  if (blob.length < 8) return undefined;
  const entries = blob.readUInt32BE(0);
  const start = 8 + entries * 16;
  const end = start + blob.readUInt32BE(4);
  if (end > blob.length) return undefined;
  const where = new Map<number, { type: number; at: number; count: number }>();
  for (let at = 8; at < start; at += 16)
    where.set(blob.readUInt32BE(at), {
      type: blob.readUInt32BE(at + 4),
      at: start + blob.readUInt32BE(at + 8),
      count: blob.readUInt32BE(at + 12),
    });

  const texts = (tag: number): string[] => {
    const entry = where.get(tag);
    const list: string[] = [];
    let at = entry?.at ?? end;
    for (let index = 0; index < Math.min(entry?.count ?? 0, mostFiles) && at < end; index++) {
      const zero = blob.indexOf(0, at);
      if (zero < 0 || zero > end) break;
      list.push(blob.toString('utf8', at, zero));
      at = zero + 1;
    }
    return list;
  };
  const numbers = (tag: number): number[] => {
    const entry = where.get(tag);
    if (entry?.type !== int32Type) return [];
    const count = Math.min(entry.count, mostFiles, Math.max(0, Math.floor((end - entry.at) / 4)));
    return Array.from({ length: count }, (_, index) => blob.readUInt32BE(entry.at + index * 4));
  };

  const [name] = texts(tags.name);
  const [version] = texts(tags.version);
  const [release = ''] = texts(tags.release);
  const [epoch] = numbers(tags.epoch);
  // Keys of publishers are kept as if they were packages.
  if (!isPlausible(name, version) || name === 'gpg-pubkey') return undefined;
  const [arch] = texts(tags.arch);
  const [, source, sourceVersion] = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(texts(tags.sourceRpm)[0] ?? '') ?? [];
  const folders = texts(tags.dirNames);
  const indexes = numbers(tags.dirIndexes);
  const owns = texts(tags.baseNames)
    .map((base, index) => `${folders[indexes[index] ?? -1] ?? ''}${base}`.replace(/^\//, ''))
    .filter(isLanguageFile);
  const prefix = epoch ? `${epoch}:` : '';
  return {
    package: {
      kind: 'rpm',
      name: name as string,
      version: `${prefix}${version}${release ? `-${release}` : ''}`,
      ...(source && sourceVersion ? { source, sourceVersion: `${prefix}${sourceVersion}` } : {}),
      ...(arch ? { arch } : {}),
    },
    owns,
  };
}
