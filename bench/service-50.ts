/** Fifty tasks by one service until all are RUNNING, against a bare launcher on the same containerd, and `ctr run -d`. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescribeServicesResponse } from '@aws-sdk/client-ecs';
import type { AwsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { BareLauncher } from './bare-launcher.ts';
import { bound, ctrOf, finish, instanceIdOf, median, prepareTask, subnets, withLongshore } from './lib.ts';

const tasks = Number(process.env.TASKS ?? 50);
const rounds = Number(process.env.ROUNDS ?? 3);
/** Launches at once among which the bare launcher's best is looked for in each round. */
const widths = [2, 4, 16, 32].map((width) => (width * availableParallelism()) / 2);
/** A look at the service costs what a task's start would use: not more often than makes 2 % of the figure. */
const lookMs = 80;
bound(10);

async function countsOf(client: AwsClient, service: string) {
  const { services } = await client.call<DescribeServicesResponse>('ecs', 'DescribeServices', { services: [service] });
  return services?.[0];
}

async function reach(client: AwsClient, service: string, running: number): Promise<void> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(lookMs)) {
    const found = await countsOf(client, service);
    if (found?.runningCount === running && (running > 0 || found.pendingCount === 0)) return;
  }
  const found = await countsOf(client, service);
  throw new Error(`${found?.runningCount} of ${running} tasks ran after 120 s: ${found?.events?.[0]?.message}`);
}

await withLongshore([], async (longshore, client) => {
  const { taskDefinition } = await prepareTask(client, 'bench');
  const networkConfiguration = { awsvpcConfiguration: { subnets: await subnets(client), assignPublicIp: 'ENABLED' } };
  const create = (serviceName: string, desiredCount: number) =>
    client.call('ecs', 'CreateService', {
      serviceName,
      taskDefinition,
      desiredCount,
      launchType: 'FARGATE',
      networkConfiguration,
    });
  await create('warm', 1);
  await reach(client, 'warm', 1);
  const bare = await BareLauncher.like(instanceIdOf(longshore));
  const ctr = await ctrOf(longshore);

  const bareRate = async (round: string, atOnce: number) => {
    const ids = Array.from({ length: tasks }, (_, index) => `bare-${round}-${atOnce}-${index}`);
    const rate = await bare.rate(ids, atOnce);
    await Promise.all(ids.map((id) => bare.remove(id)));
    await sleep(1_000);
    return rate;
  };
  const ourRate = async (service: string) => {
    const began = performance.now();
    await create(service, tasks);
    await reach(client, service, tasks);
    const rate = tasks / ((performance.now() - began) / 1000);
    await client.call('ecs', 'DeleteService', { service, force: true });
    await reach(client, service, 0);
    await sleep(4_000);
    return rate;
  };

  const ours: number[] = [];
  const bares: number[][] = widths.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const rate = await ourRate(`fifty-${round}`);
    ours.push(rate);
    for (const [index, width] of widths.entries()) bares[index]?.push(await bareRate(String(round), width));
    const list = widths.map((width, index) => `${width}: ${bares[index]?.at(-1)?.toFixed(1)}`).join('  ');
    console.log(`round ${round + 1}: ours ${rate.toFixed(1)} a second; bare, by launches at once  ${list}`);
  }
  bare.close();

  const ids = Array.from({ length: 20 }, (_, index) => `ctr-${index}`);
  const queue = [...ids];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: availableParallelism() * 2 }, async () => {
      for (let id = queue.shift(); id; id = queue.shift()) await ctr.run(id);
    }),
  );
  const byCtr = ids.length / ((performance.now() - began) / 1000);
  for (const id of ids) await ctr.remove(id);

  const best = Math.max(...bares.map(median));
  const ratio = median(ours) / best;
  console.log(`${tasks} tasks by one service         ${median(ours).toFixed(1)} a second`);
  console.log(`bare launcher at its best       ${best.toFixed(1)} a second, with no network`);
  console.log(`ctr run -d, several at once     ${byCtr.toFixed(1)} a second, with no network`);
  console.log(`ratio to the bare launcher ${ratio.toFixed(2)} (goal ≥ 0.7)`);
  finish('service-50', {
    tasks,
    rounds,
    perSecond: Number(median(ours).toFixed(2)),
    barePerSecond: Number(best.toFixed(2)),
    ctrPerSecond: Number(byCtr.toFixed(2)),
    ratio: Number(ratio.toFixed(3)),
    reached: ratio >= 0.7,
  });
});
