import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that stays the same one even where its number is used again: the number with the time that it started at. */
export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks since the machine started (proc(5), stat field 22), with the boot that they count from. */
  readonly startedAt: string;
}

/** The record of a process that runs now; undefined where none has that number, or only what is left of one that ended. */
export function recordOf(pid: number): ProcessRecord | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may itself hold spaces and parentheses: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startedAt: `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}` };
  } catch {
    return undefined;
  }
}

/** Whether that very process runs, and not a later one of its number. */
export function isAlive(record: ProcessRecord): boolean {
  return recordOf(record.pid)?.startedAt === record.startedAt;
}

/** The process named by a file that `writeRecord` wrote, where it still runs. */
export function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
    return Number.isInteger(record.pid) && isAlive(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Names a process in a file; removes the file where the process is gone. */
export function writeRecord(path: string, pid: number): void {
  const record = recordOf(pid);
  if (record) writeFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  else rmSync(path, { force: true });
}

/** Waits until the process is gone; whether it went within `ms` milliseconds. */
export async function gone(record: ProcessRecord, ms: number): Promise<boolean> {
  for (const until = Date.now() + ms; isAlive(record); await sleep(25)) {
    if (Date.now() >= until) return false;
  }
  return true;
}

/** Ends a process: SIGTERM, and SIGKILL where it has not gone after `graceMs` milliseconds. Whether it is gone. */
export async function endProcess(record: ProcessRecord, graceMs: number): Promise<boolean> {
  for (const [signal, ms] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 2_000],
  ] as const) {
    if (!isAlive(record)) return true;
    try {
      process.kill(record.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    if (await gone(record, ms)) return true;
  }
  return false;
}

/** What a process was started as, its arguments apart by spaces; empty where it can't be read. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Every process of this machine but this one. */
export function processes(): { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), command: commandLine(Number(name)) }));
}
