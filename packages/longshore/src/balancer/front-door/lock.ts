import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs `work` while holding flock(2) on `file`, which keeps Longshores of one machine apart. The lock is held by a helper whose
 * input is a pipe from us: however we end, it ends too and the lock is free.
 */
export async function locked<Answer>(file: string, work: () => Promise<Answer>, timeoutSeconds = 15): Promise<Answer> {
  const child = spawn('flock', ['-w', String(timeoutSeconds), file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close').catch(() => undefined);
  child.stdin.on('error', () => undefined);
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!held) throw new Error(`Another Longshore has held ${file} for ${timeoutSeconds} seconds.`);
  try {
    return await work();
  } finally {
    child.stdin.end();
    await ended;
  }
}
