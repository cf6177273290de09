/** DescribeTasks of ten tasks a second, signed and authorised, against moto's server (`pip install 'moto[server]'`) where it is there. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunTaskResponse } from '@aws-sdk/client-ecs';
import { type AwsClient, awsClient } from '../packages/longshore/src/cli/aws-client.ts';
import { findProgram } from '../packages/longshore/src/cli/checks.ts';
import { type Connection, readConnection } from '../packages/longshore/src/cli/data-dir.ts';
import { signedHeaders } from '../packages/longshore/src/cli/sigv4.ts';
import { must } from '../packages/longshore/test/e2e/longshore.ts';
import { bound, finish, subnets, withFolder, withLongshore } from './lib.ts';

const seconds = 5;
const connections = 16;
bound(5);

/** Ten tasks of a cluster; their ARNs. */
async function prepare(client: AwsClient): Promise<readonly string[]> {
  await client.call('ecs', 'CreateCluster', { clusterName: 'default' });
  await client.call('ecs', 'RegisterTaskDefinition', {
    family: 'bench',
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: '256',
    memory: '512',
    containerDefinitions: [{ name: 'app', image: 'app:1', essential: true, memory: 128 }],
  });
  const { tasks = [] } = await client.call<RunTaskResponse>('ecs', 'RunTask', {
    cluster: 'default',
    taskDefinition: 'bench',
    launchType: 'FARGATE',
    count: 10,
    networkConfiguration: { awsvpcConfiguration: { subnets: await subnets(client), securityGroups: [] } },
  });
  if (tasks.length !== 10) throw new Error(`only ${tasks.length} of 10 tasks were accepted`);
  return tasks.map((task) => task.taskArn as string);
}

/** wrk sends the same signed request again and again: each is checked anew. Requests a second; throws where one was refused. */
async function load(connection: Connection, tasks: readonly string[]): Promise<number> {
  const body = JSON.stringify({ cluster: 'default', tasks });
  const headers = signedHeaders({
    host: new URL(connection.endpoint).host,
    service: 'ecs',
    region: connection.region,
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerServiceV20141113.DescribeTasks',
    },
    body,
    key: connection,
    now: Date.now(),
  });
  return withFolder(async (folder) => {
    const script = join(folder, 'request.lua');
    const set = Object.entries(headers).map(
      ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
    );
    writeFileSync(script, ['wrk.method = "POST"', `wrk.body = ${JSON.stringify(body)}`, ...set].join('\n'));
    const text = await must('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, connection.endpoint], {
      timeoutMs: 60_000,
    });
    if (/Non-2xx/.test(text)) throw new Error(`requests were refused:\n${text}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  });
}

async function motoRate(): Promise<number | undefined> {
  const program = findProgram('moto_server');
  if (!program) return undefined;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const connection = {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    accountId: '',
    accessKeyId: 'test',
    secretAccessKey: 'test',
  };
  try {
    const client = awsClient(connection);
    for (let round = 0; ; round++, await sleep(250)) {
      const up = await client.call('sts', 'GetCallerIdentity').then(
        () => true,
        () => false,
      );
      if (up) break;
      if (round > 120) throw new Error('moto_server did not answer within 30 s');
    }
    return await load(connection, await prepare(client));
  } finally {
    child.kill('SIGKILL');
  }
}

await withLongshore(['--runtime', 'simulated'], async (longshore, client) => {
  const tasks = await prepare(client);
  await sleep(3_000);
  const connection = readConnection(longshore.dataDir);
  await load(connection, tasks);
  const ours = await load(connection, tasks);
  console.log(`Longshore, signature checked, authorised   ${ours.toFixed(0)} requests a second`);
  const moto = await motoRate();
  if (moto === undefined) console.log('moto_server is not there: pip install "moto[server]"');
  else
    console.log(
      `moto_server, neither                       ${moto.toFixed(0)} requests a second\nratio ${(ours / moto).toFixed(2)}`,
    );
  finish('describe-tasks', {
    perSecond: Math.round(ours),
    motoPerSecond: moto === undefined ? null : Math.round(moto),
    ratio: moto === undefined ? null : Number((ours / moto).toFixed(3)),
  });
});
