/** Fifty tasks by one service until all are RUNNING, against a bare launcher: `ctr run -d`, several at once, on the same containerd. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescribeServicesResponse } from '@aws-sdk/client-ecs';
import { bound, ctrOf, finish, prepareTask, subnets, withLongshore } from './lib.ts';

const tasks = Number(process.env.TASKS ?? 50);
/** More at once make `ctr` no faster on so many processors. */
const atOnce = availableParallelism() * 2;
bound(10);

await withLongshore([], async (longshore, client) => {
  const { taskDefinition } = await prepareTask(client, 'bench');
  const networkConfiguration = { awsvpcConfiguration: { subnets: await subnets(client), assignPublicIp: 'ENABLED' } };
  const running = async (service: string, wanted: number) => {
    for (const until = Date.now() + 180_000; Date.now() < until; await sleep(20)) {
      const { services } = await client.call<DescribeServicesResponse>('ecs', 'DescribeServices', {
        services: [service],
      });
      if (services?.[0]?.runningCount === wanted) return;
    }
    const { services } = await client.call<DescribeServicesResponse>('ecs', 'DescribeServices', {
      services: [service],
    });
    throw new Error(
      `${services?.[0]?.runningCount} of ${wanted} tasks were RUNNING after 180 s: ${services?.[0]?.events?.[0]?.message}`,
    );
  };
  const create = (serviceName: string, desiredCount: number) =>
    client.call('ecs', 'CreateService', {
      serviceName,
      taskDefinition,
      desiredCount,
      launchType: 'FARGATE',
      networkConfiguration,
    });

  await create('warm', 1);
  await running('warm', 1);
  const began = performance.now();
  await create('fifty', tasks);
  await running('fifty', tasks);
  const ours = tasks / ((performance.now() - began) / 1000);
  for (const service of ['fifty', 'warm']) await client.call('ecs', 'DeleteService', { service, force: true });
  await sleep(15_000);

  const ctr = await ctrOf(longshore);
  const ids = Array.from({ length: tasks }, (_, index) => `bare-${index}`);
  const queue = [...ids];
  const bareBegan = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let id = queue.shift(); id; id = queue.shift()) await ctr.run(id);
    }),
  );
  const bare = tasks / ((performance.now() - bareBegan) / 1000);
  for (const id of ids) await ctr.remove(id);

  const ratio = ours / bare;
  console.log(`${tasks} tasks by one service                 ${ours.toFixed(1)} a second`);
  console.log(`ctr run -d, ${atOnce} at once, no network       ${bare.toFixed(1)} a second`);
  console.log(`ratio ${ratio.toFixed(2)} (goal ≥ 0.7)`);
  finish('service-50', {
    tasks,
    perSecond: Number(ours.toFixed(2)),
    barePerSecond: Number(bare.toFixed(2)),
    ratio: Number(ratio.toFixed(3)),
    reached: ratio >= 0.7,
  });
});
