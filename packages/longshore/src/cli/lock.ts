import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CommandError } from './output.ts';
import { readRecord } from './processes.ts';

/**
 * Takes a data directory for this process until it ends, however it ends: SQLite's exclusive lock is the kernel's, so no stale
 * lock is ever left. Throws CommandError naming the holder where another Longshore has the directory. The answer lets it go.
 */
export function lockDataDir(dataDir: string): () => void {
  const db = new DatabaseSync(join(dataDir, 'lock'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!/locked|busy/i.test((error as Error).message)) throw error;
    const holder = readRecord(pidFile(dataDir));
    throw new CommandError(
      `${dataDir} is already in use by another Longshore${holder ? ` (pid ${holder.pid})` : ''}.`,
      {
        hint: 'Use that one, end it with `longshore down`, or start this one with a --data-dir and --port of its own.',
      },
    );
  }
  const unlock = () => {
    process.off('exit', unlock);
    if (db.isOpen) db.close();
  };
  // Also what keeps the connection from being collected as garbage, and the lock with it, where the answer is not kept.
  process.once('exit', unlock);
  return unlock;
}

/** Where `longshore up` says which process it is. */
export function pidFile(dataDir: string): string {
  return join(dataDir, 'up.pid');
}
