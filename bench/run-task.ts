/** RunTask accepted → RUNNING seen by DescribeTasks, image there, awsvpc with a security group; against `ctr run -d`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescribeTasksResponse, RunTaskResponse } from '@aws-sdk/client-ecs';
import type { AwsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { bound, ctrOf, finish, median, prepareTask, show, subnets, withLongshore } from './lib.ts';

const rounds = 20;
const pollMs = 3;
bound(8);

async function statusOf(client: AwsClient, task: string): Promise<string | undefined> {
  const { tasks } = await client.call<DescribeTasksResponse>('ecs', 'DescribeTasks', { tasks: [task] });
  if (tasks?.[0]?.lastStatus === 'STOPPED' && tasks[0].stopCode !== 'UserInitiated')
    throw new Error(`the task stopped: ${tasks[0].stoppedReason}`);
  return tasks?.[0]?.lastStatus;
}

async function reach(client: AwsClient, task: string, status: string, everyMs: number): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(everyMs)) {
    if ((await statusOf(client, task)) === status) return;
  }
  throw new Error(`the task was not ${status} after 60 s`);
}

await withLongshore([], async (longshore, client) => {
  const { taskDefinition } = await prepareTask(client, 'bench');
  const networkConfiguration = { awsvpcConfiguration: { subnets: await subnets(client), assignPublicIp: 'ENABLED' } };
  const runOnce = async () => {
    const sent = performance.now();
    const { tasks, failures } = await client.call<RunTaskResponse>('ecs', 'RunTask', {
      taskDefinition,
      launchType: 'FARGATE',
      networkConfiguration,
    });
    const accepted = performance.now();
    const task = tasks?.[0]?.taskArn;
    if (!task) throw new Error(`no task: ${JSON.stringify(failures)}`);
    await reach(client, task, 'RUNNING', pollMs);
    const running = performance.now();
    await client.call('ecs', 'StopTask', { task });
    await reach(client, task, 'STOPPED', 50);
    return { accepted: accepted - sent, running: running - accepted };
  };
  await runOnce();
  const ctr = await ctrOf(longshore);
  const ours: number[] = [];
  const answers: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { accepted, running } = await runOnce();
    answers.push(accepted);
    ours.push(running);
    const id = `bench-${round}`;
    const began = performance.now();
    await ctr.run(id);
    theirs.push(performance.now() - began);
    await ctr.remove(id);
  }
  show('RunTask answered', answers);
  show('RunTask accepted → RUNNING in DescribeTasks', ours);
  show('ctr run -d, without any network', theirs);
  const ratio = median(ours) / median(theirs);
  console.log(`ratio ${ratio.toFixed(2)} (goal ≤ 1.5)`);
  finish('run-task', {
    medianMs: Math.round(median(ours)),
    ctrMedianMs: Math.round(median(theirs)),
    ratio: Number(ratio.toFixed(3)),
    reached: ratio <= 1.5,
  });
});
