import type { FileFacts } from '../inventory.ts';
import { parseApkInstalled } from './apk.ts';
import { parseDpkgStatus } from './dpkg.ts';
import { isElf } from './elf.ts';
import { parseGemspec } from './gem.ts';
import { parseGoBinary } from './go-build-info.ts';
import { parseJar } from './jar.ts';
import { isLanguageFile } from './language-files.ts';
import { parsePackageJson, parsePackageLock } from './npm.ts';
import { parseOsRelease } from './os-release.ts';
import { parsePythonMetadata } from './python.ts';
import { readRpmHeaders } from './rpm.ts';
import { bdbHeaders, ndbHeaders, sqliteHeaders } from './rpm-databases.ts';

/** A file that may say something about packages. */
export interface Interest {
  /** A larger file is not read, and said to be skipped. */
  readonly most: number;
  /** Whether the content can be what it is taken for, by its first bytes (at least 4, where the file has so many). */
  readonly begins?: (start: Uint8Array) => boolean;
  /** Throws where the content is not what it should be. */
  parse(content: Buffer, path: string): FileFacts;
}

const mebibyte = 1024 * 1024;
const text = (most: number, parse: (content: string, path: string) => FileFacts): Interest => ({
  most,
  parse: (content, path) => parse(content.toString('utf8'), path),
});

const osRelease = text(64 * 1024, (content) => {
  const os = parseOsRelease(content);
  return os ? { os } : {};
});
const dpkg = text(64 * mebibyte, (content) => ({ packages: parseDpkgStatus(content) }));
const dpkgList = text(16 * mebibyte, (content) => ({
  owns: content
    .split('\n')
    .map((line) => line.replace(/^\//, ''))
    .filter(isLanguageFile),
}));
const apk = text(64 * mebibyte, parseApkInstalled);
const rpm = (headers: (file: Buffer) => Iterable<Buffer>): Interest => ({
  most: 256 * mebibyte,
  parse: (content) => readRpmHeaders(headers(content)),
});
const packageJson = text(4 * mebibyte, (content) => ({ packages: parsePackageJson(content) }));
const packageLock = text(64 * mebibyte, (content) => ({ packages: parsePackageLock(content) }));
const python = text(4 * mebibyte, (content) => ({ packages: parsePythonMetadata(content) }));
const gemspec = text(mebibyte, (content, path) => ({ packages: parseGemspec(content, path) }));
const jar: Interest = { most: 256 * mebibyte, parse: parseJar };
const goBinary: Interest = {
  most: 256 * mebibyte,
  begins: isElf,
  parse: (content) => ({ packages: parseGoBinary(content) }),
};

const fixed: Readonly<Record<string, Interest>> = {
  'etc/os-release': osRelease,
  'usr/lib/os-release': osRelease,
  'var/lib/dpkg/status': dpkg,
  'lib/apk/db/installed': apk,
  'usr/lib/apk/db/installed': apk,
};
for (const folder of ['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm'])
  Object.assign(fixed, {
    [`${folder}/rpmdb.sqlite`]: rpm(sqliteHeaders),
    [`${folder}/Packages.db`]: rpm(ndbHeaders),
    [`${folder}/Packages`]: rpm(bdbHeaders),
  });

const installedNodePackage = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/;

/** What may be learnt from a regular file, by its path (no leading slash) and mode; undefined where nothing. */
export function interestIn(path: string, mode: number, size: number): Interest | undefined {
  if (size === 0) return undefined;
  const known = Object.hasOwn(fixed, path) ? fixed[path] : undefined;
  if (known) return known;
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (name === 'package.json') return installedNodePackage.test(path) ? packageJson : undefined;
  if (name === 'package-lock.json' || name === 'npm-shrinkwrap.json')
    return path.includes('node_modules/') ? undefined : packageLock;
  if (name === 'METADATA') return path.endsWith('.dist-info/METADATA') ? python : undefined;
  if (name === 'PKG-INFO') return path.endsWith('.egg-info/PKG-INFO') ? python : undefined;
  if (name.endsWith('.egg-info')) return python;
  if (name.endsWith('.gemspec')) return path.includes('specifications/') ? gemspec : undefined;
  if (/\.(jar|war|ear)$/i.test(name)) return jar;
  if (path.startsWith('var/lib/dpkg/')) {
    if (path.startsWith('var/lib/dpkg/status.d/')) return name.includes('.md5sums') ? undefined : dpkg;
    return path.startsWith('var/lib/dpkg/info/') && name.endsWith('.list') ? dpkgList : undefined;
  }
  return (mode & 0o111) !== 0 ? goBinary : undefined;
}
