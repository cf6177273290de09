import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Logger } from '../base/log.ts';

const largestFile = 20 * 1024 * 1024;
const levels: Readonly<Record<number, string>> = { 40: 'warn', 50: 'error', 60: 'fatal' };

/**
 * A logger that writes JSON lines to `DATA_DIR/logs/NAME.log` (at most 20 MB, with one file before it kept as `.1`) and shows
 * warnings and errors on standard error as one line of plain words each.
 */
export function openLogFile(dataDir: string, name: string, level: string): Logger {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.log`);
  let fd = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  const write = (line: string) => {
    if (size > largestFile) {
      closeSync(fd);
      renameSync(path, `${path}.1`);
      fd = openSync(path, 'a', 0o600);
      size = 0;
    }
    size += writeSync(fd, line);
    if (/^\{"level":[456]0/.test(line)) show(name, line);
  };
  return pino({ level, base: null }, { write: (line: string) => quietly(() => write(line)) }) as Logger;
}

/** A full disk or a closed terminal must not end the process that wanted to say something. */
function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // There is no place left to say it.
  }
}

function show(name: string, line: string): void {
  const { level, time, msg, err, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const cause = [err, error]
    .map((each) => (each as { message?: string } | undefined)?.message ?? each)
    .find((each) => typeof each === 'string');
  const about = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const clock = new Date(Number(time)).toTimeString().slice(0, 8);
  const text = [`${clock} ${levels[Number(level)]} ${name}: ${msg}`, ...(cause ? [`(${cause})`] : []), ...about].join(
    ' ',
  );
  writeSync(2, `${text}\n`);
}
