import type { HaproxyProcess } from './process.ts';
import { serverId } from './render/names.ts';

/** How many sessions and queued requests a server has in the old workers, and in the present one where it is `here`. */
export async function sessionsOf(
  haproxy: HaproxyProcess,
  workers: readonly number[],
  backend: string,
  server: string,
  here: boolean,
): Promise<number> {
  const question = `show stat ${backend} 4 ${serverId(server)}`;
  let left = here ? counted(await haproxy.command(question)) : 0;
  for (const worker of workers) left += counted(await haproxy.commandTo(worker, question).catch(() => ''));
  return left;
}

/** Ends a server's sessions, in the old workers one by one, since they take no other command. */
export async function endSessionsOf(
  haproxy: HaproxyProcess,
  workers: readonly number[],
  backend: string,
  server: string,
  here: boolean,
): Promise<void> {
  if (here) await haproxy.command(`shutdown sessions server ${backend}/${server}`);
  for (const worker of workers) {
    const list = await haproxy.commandTo(worker, 'show sess').catch(() => '');
    for (const line of list.split('\n')) {
      const session = /^(0x[0-9a-f]+):/.exec(line)?.[1];
      if (!session || !line.includes(` be=${backend} `) || !line.includes(` srv=${server} `)) continue;
      await haproxy.commandTo(worker, `shutdown session ${session}`).catch(() => '');
    }
  }
}

/** Columns `qcur` and `scur` of `show stat` (HAProxy's management guide, section 9.1). */
function counted(statistics: string): number {
  return statistics
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce((sum, line) => sum + Number(line.split(',')[4] ?? 0) + Number(line.split(',')[2] || 0), 0);
}
