import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs `work` while holding flock(2) on `file`, which keeps Longshores of one machine apart. The lock is held by a helper whose
 * input is a pipe from us: however we end, it ends too and the lock is free.
 */
export async function locked<Answer>(file: string, work: () => Promise<Answer>, timeoutSeconds = 15): Promise<Answer> {
  // The file may have been removed by who held it before: then the lock is on a file that nobody else finds, and is taken anew.
  const script = `while :; do
    mkdir -p "\${1%/*}" && exec 9>"$1" && flock -w ${timeoutSeconds} 9 || exit 1
    [ "$(stat -c %i "$1" 2>/dev/null)" = "$(stat -L -c %i /proc/self/fd/9)" ] && break
  done
  echo held; exec cat >/dev/null`;
  const child = spawn('sh', ['-c', script, 'sh', file], { stdio: ['pipe', 'pipe', 'ignore'] });
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
