import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AwsClient, awsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { readConnection } from '../packages/longshore/src/cli/data-dir.ts';
import { ensureExecutionRole } from '../packages/longshore/src/cli/deploy/foundation.ts';
import { build, ensureRepository, findBuilder, push } from '../packages/longshore/src/cli/deploy/image.ts';
import type { Deployment } from '../packages/longshore/src/cli/deploy/plan.ts';
import { Longshore, must } from '../packages/longshore/test/e2e/longshore.ts';

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

/** A line of figures in milliseconds. */
export function show(name: string, values: readonly number[]): void {
  const ms = (value: number) => `${value.toFixed(0)} ms`.padStart(9);
  console.log(
    `${name.padEnd(44)} median ${ms(median(values))}   p95 ${ms(quantile(values, 0.95))}   (${values.length})`,
  );
}

/** The last line: all figures for programs, and what was reached of the goal. */
export function finish(bench: string, figures: Readonly<Record<string, number | string | boolean | null>>): void {
  console.log(JSON.stringify({ bench, cpus: availableParallelism(), node: process.version, ...figures }));
}

/** Bounds a benchmark as a whole: it must not hang where something never becomes true. */
export function bound(minutes: number): void {
  setTimeout(() => {
    console.error(`stopped after ${minutes} minutes`);
    process.exit(1);
  }, minutes * 60_000).unref();
}

/** Runs with a Longshore of its own, which is removed afterwards whatever happens. */
export async function withLongshore(
  args: readonly string[],
  run: (longshore: Longshore, client: AwsClient) => Promise<void>,
): Promise<void> {
  const longshore = await Longshore.create(...args);
  const interrupted = () => void longshore.destroy().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    await longshore.up();
    await run(longshore, awsClient(readConnection(longshore.dataDir)));
  } finally {
    await longshore.destroy();
  }
}

/** Pushes examples/hello and registers a task definition for it; the family and the image's reference. */
export async function prepareTask(
  client: AwsClient,
  name: string,
): Promise<{ readonly taskDefinition: string; readonly image: string }> {
  const deployment = {
    client,
    region: 'us-east-1',
    tell: () => {},
    request: { name, folder: join(import.meta.dirname, '../examples/hello'), buildArguments: [] },
  } as unknown as Deployment;
  const builder = await findBuilder();
  const local = `localhost/longshore/${name}:latest`;
  await build(builder, deployment, local);
  const image = `${await ensureRepository(deployment)}:1`;
  await push(builder, deployment, local, image);
  const executionRoleArn = await ensureExecutionRole(deployment);
  await client.call('ecs', 'CreateCluster', { clusterName: 'default' });
  await client.call('ecs', 'RegisterTaskDefinition', {
    family: name,
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: '256',
    memory: '512',
    executionRoleArn,
    containerDefinitions: [{ name: 'hello', image, essential: true, portMappings: [{ containerPort: 80 }] }],
  });
  return { taskDefinition: name, image };
}

/** Two default subnets: where tasks go. */
export async function subnets(client: AwsClient): Promise<readonly string[]> {
  const { subnetSet } = await client.call<{ subnetSet: readonly { subnetId: string }[] }>('ec2', 'DescribeSubnets');
  return subnetSet.slice(0, 2).map((subnet) => subnet.subnetId);
}

/** What that Longshore's things on the machine are named by. */
export function instanceIdOf(longshore: Longshore): string {
  const path = join(longshore.dataDir, 'settings.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { instanceId: string }).instanceId;
}

/** The Node processes of `longshore up`, its launcher included where an older Node started it, with their resident memory in MB. */
export function nodeProcesses(pid: number): readonly { readonly pid: number; readonly mb: number }[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  const isNode = /\/?node$/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '');
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return [
    ...(isNode ? [{ pid, mb: Number(kb) / 1024 }] : []),
    ...children.flatMap((child) => nodeProcesses(Number(child))),
  ];
}

export const totalMb = (pid: number): number => nodeProcesses(pid).reduce((sum, { mb }) => sum + mb, 0);

/** containerd's own client on the containerd of that Longshore, with the image that the tasks run. */
export async function ctrOf(longshore: Longshore): Promise<{
  /** Runs one container in the background, as its tasks are run but for the network. */
  run(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}> {
  const base = ['-a', `/run/longshore-${instanceIdOf(longshore)}/containerd.sock`, '-n', 'longshore'];
  const image = (await must('ctr', [...base, 'images', 'ls', '-q'])).trim().split('\n')[0];
  if (!image) throw new Error('containerd holds no image: run a task first');
  return {
    async run(id) {
      await must('ctr', [
        ...base,
        'run',
        '-d',
        '--snapshotter',
        'overlayfs',
        '--env',
        'PORT=80',
        image,
        id,
        '/bin/busybox',
        'sh',
        '/app/start.sh',
      ]);
    },
    async remove(id) {
      await must('ctr', [...base, 'task', 'rm', '-f', id]);
      await must('ctr', [...base, 'container', 'rm', id]);
    },
  };
}

/** A folder that is gone afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
