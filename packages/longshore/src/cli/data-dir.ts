import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Settings } from '../base/settings.ts';
import { CommandError } from './output.ts';

export const defaultDataDir = '/var/lib/longshore';

/** What a data directory remembers of its settings; where it lies it need not. */
export type StoredSettings = Omit<Settings, 'dataDir'>;

/** How to reach a Longshore and as whom; in `credentials.json`, which only its owner can read. */
export interface Connection {
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The data directory that a command means: absolute, from its option, `LONGSHORE_DATA_DIR` or the default. */
export function dataDirOf(option: string | undefined): string {
  return resolve(option ?? process.env.LONGSHORE_DATA_DIR ?? defaultDataDir);
}

/** Settings that an earlier start kept; undefined where this directory has never been used. Throws CommandError where they can't be read. */
export function readSettings(dataDir: string): Settings | undefined {
  const stored = readJson<StoredSettings>(join(dataDir, 'settings.json'));
  return stored && { ...stored, dataDir };
}

/** What the next start takes up. */
export function writeSettings(settings: Settings): void {
  const { dataDir, ...stored } = settings;
  writeJson(join(dataDir, 'settings.json'), stored, 0o644);
}

/** Makes the directory where it is missing: its owner's alone, for it holds secrets. */
export function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(`The data directory ${dataDir} can't be made: ${code}.`, {
      hint: 'Name one that you may write with --data-dir DIR (or LONGSHORE_DATA_DIR), or run as root.',
    });
  }
}

/** For its owner alone: it holds the root credentials. */
export function writeConnection(dataDir: string, connection: Connection): void {
  writeJson(join(dataDir, 'credentials.json'), connection, 0o600);
}

/** Throws CommandError with the way out where no Longshore was ever started on the directory. */
export function readConnection(dataDir: string): Connection {
  const connection = readJson<Connection>(join(dataDir, 'credentials.json'));
  if (connection) return connection;
  throw new CommandError(`No Longshore has been started on ${dataDir}.`, {
    hint: 'Start one with `longshore up`, or name its directory with --data-dir DIR (or LONGSHORE_DATA_DIR).',
  });
}

/** A JSON file; undefined where it is not there. Throws CommandError where it can't be read. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES') {
      throw new CommandError(`${path} can be read only by the user that runs Longshore.`, {
        hint: 'Run this as that user (root: sudo -E …).',
      });
    }
    throw new CommandError(`${path} can't be read: ${(error as Error).message}`);
  }
}

/** Writes a JSON file whole or not at all, also when the machine stops in the middle. */
export function writeJson(path: string, value: unknown, mode: number): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode, flush: true });
  chmodSync(draft, mode);
  renameSync(draft, path);
}
