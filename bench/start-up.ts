/**
 * `longshore up` → the first answered API call: the very first after set-up, on a new data directory, and on one that was used. Idle
 * memory of its Node processes after the very first start, and after use: fifty tasks run and ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescribeServicesResponse } from '@aws-sdk/client-ecs';
import { awsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { readConnection } from '../packages/longshore/src/cli/data-dir.ts';
import { must } from '../packages/longshore/test/e2e/longshore.ts';
import { bound, finish, median, prepareTask, show, subnets, totalMb, withFolder } from './lib.ts';

const rounds = 5;
const idleMs = 10_000;
const tasks = 50;
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
async function start(
  dataDir: string,
  port: number,
  cache: string,
): Promise<{ readonly child: ChildProcess; readonly ms: number }> {
  const began = performance.now();
  const child = spawn(door, ['up', '--data-dir', dataDir, '--port', String(port), ...process.argv.slice(2)], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, NODE_COMPILE_CACHE: cache },
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

/** Runs fifty tasks by one service, and ends them. */
async function use(dataDir: string): Promise<void> {
  const client = awsClient(readConnection(dataDir));
  const { taskDefinition } = await prepareTask(client, 'bench');
  const networkConfiguration = { awsvpcConfiguration: { subnets: await subnets(client), assignPublicIp: 'ENABLED' } };
  const service = 'fifty';
  await client.call('ecs', 'CreateService', {
    ...{ serviceName: service, taskDefinition, desiredCount: tasks, launchType: 'FARGATE', networkConfiguration },
  });
  const reach = async (wanted: number) => {
    for (const until = Date.now() + 120_000; Date.now() < until; await sleep(100)) {
      const { services } = await client.call<DescribeServicesResponse>('ecs', 'DescribeServices', {
        services: [service],
      });
      if (services?.[0]?.runningCount === wanted) return;
    }
    throw new Error(`the service did not come to ${wanted} tasks within 120 s`);
  };
  await reach(tasks);
  await client.call('ecs', 'DeleteService', { service, force: true });
  await reach(0);
}

const first: number[] = [];
const again: number[] = [];
const memory = { veryFirst: 0, idle: 0, used: 0 };
let veryFirstMs = 0;

await withFolder(async (cache) => {
  // What the last step of set-up does.
  await must(process.execPath, ['--max-semi-space-size=2', join(import.meta.dirname, '../scripts/compile.mjs')], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  for (let round = -1; round < rounds; round++) {
    await withFolder(async (dataDir) => {
      const port = await freePort();
      try {
        const fresh = await start(dataDir, port, cache);
        const pid = fresh.child.pid as number;
        if (round < 0) {
          veryFirstMs = fresh.ms;
          await sleep(idleMs);
          memory.veryFirst = totalMb(pid);
        } else first.push(fresh.ms);
        if (round === 0) {
          await sleep(idleMs);
          memory.idle = totalMb(pid);
          if (!process.argv.includes('simulated')) {
            await use(dataDir);
            await sleep(idleMs);
            memory.used = totalMb(pid);
          }
        }
        await stop(fresh.child);
        const used = await start(dataDir, port, cache);
        if (round >= 0) again.push(used.ms);
        await stop(used.child);
      } finally {
        await must(process.execPath, [door, 'down', '--data-dir', dataDir]);
      }
    });
  }
});
show('up → first answered call, new data directory', first);
show('up → first answered call, used before', again);
console.log(`the very first after set-up: ${veryFirstMs.toFixed(0)} ms`);
console.log(
  `memory of its Node processes: ${memory.veryFirst.toFixed(0)} MB after the very first start, ${memory.idle.toFixed(0)} MB after any other (goal ≤ 200), ${memory.used.toFixed(0)} MB once ${tasks} tasks have run and ended`,
);
const ratio = median(first) / 1500;
console.log(`ratio to the goal of 1.5 s: ${ratio.toFixed(2)}`);
finish('start-up', {
  veryFirstMs: Math.round(veryFirstMs),
  firstMs: Math.round(median(first)),
  againMs: Math.round(median(again)),
  ratioToGoal: Number(ratio.toFixed(3)),
  veryFirstMb: Math.round(memory.veryFirst),
  idleMb: Math.round(memory.idle),
  usedMb: Math.round(memory.used),
  reached: median(first) <= 1500 && Math.max(memory.veryFirst, memory.idle) <= 200,
});
