/** `longshore up` → the first answered API call, on a new data directory and on one that was used; idle memory of its Node processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { awsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { readConnection } from '../packages/longshore/src/cli/data-dir.ts';
import { must } from '../packages/longshore/test/e2e/longshore.ts';
import { bound, finish, median, show, withFolder } from './lib.ts';

const rounds = 5;
const door = join(import.meta.dirname, '../packages/longshore/bin/longshore.mjs');
bound(5);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts it; milliseconds until a signed call is answered. */
async function start(dataDir: string, port: number): Promise<{ readonly child: ChildProcess; readonly ms: number }> {
  const began = performance.now();
  const child = spawn(door, ['up', '--data-dir', dataDir, '--port', String(port), ...process.argv.slice(2)], {
    stdio: 'ignore',
  });
  for (const until = Date.now() + 30_000; Date.now() < until; await sleep(5)) {
    if (child.exitCode !== null) throw new Error(`longshore up ended with ${child.exitCode}`);
    try {
      await awsClient(readConnection(dataDir)).call('sts', 'GetCallerIdentity');
      return { child, ms: performance.now() - began };
    } catch {
      // Not yet.
    }
  }
  throw new Error('no call was answered within 30 s');
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Resident memory of a process in MB (proc(5), status). */
function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

const first: number[] = [];
const again: number[] = [];
const memory: { control: number; node: number } = { control: 0, node: 0 };
// The first round only fills Node's compile cache, as any first start after set-up or a change of code does.
for (let round = -1; round < rounds; round++) {
  await withFolder(async (dataDir) => {
    const port = await freePort();
    try {
      const fresh = await start(dataDir, port);
      if (round >= 0) first.push(fresh.ms);
      if (round === 0) {
        await sleep(10_000);
        const { pid } = JSON.parse(readFileSync(join(dataDir, 'node.pid'), 'utf8')) as { pid: number };
        memory.control = residentMb(fresh.child.pid as number);
        memory.node = residentMb(pid);
      }
      await stop(fresh.child);
      const used = await start(dataDir, port);
      if (round >= 0) again.push(used.ms);
      await stop(used.child);
    } finally {
      await must(process.execPath, [door, 'down', '--data-dir', dataDir]);
    }
  });
}
show('up → first answered call, new data directory', first);
show('up → first answered call, used before', again);
const total = memory.control + memory.node;
console.log(
  `idle memory: control ${memory.control.toFixed(0)} MB + node ${memory.node.toFixed(0)} MB = ${total.toFixed(0)} MB (goal ≤ 200)`,
);
const ratio = median(first) / 1500;
console.log(`ratio to the goal of 1.5 s: ${ratio.toFixed(2)}`);
finish('start-up', {
  firstMs: Math.round(median(first)),
  againMs: Math.round(median(again)),
  ratioToGoal: Number(ratio.toFixed(3)),
  idleMb: Math.round(total),
  reached: median(first) <= 1500 && total <= 200,
});
