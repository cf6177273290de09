import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import {
  DescribeContainerInstancesCommand,
  ListClustersCommand,
  ListContainerInstancesCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { CreateRoleCommand } from '@aws-sdk/client-iam';
import { WebSocket } from 'ws';
import { eventually } from '../../../base/eventually.testing.ts';
import { sign } from '../../../node/session/sigv4.ts';
import type { DocumentMessage } from '../../../protocol/documents.ts';
import type {
  IAMRoleCredentialsMessage,
  PayloadMessage,
  TaskManifestMessage,
  TaskStopVerificationAck,
} from '../../../protocol/payload.ts';
import { type EcsBench, openEcs, region } from '../ecs.testing.ts';
import { joinAgent, TestAgent } from './agent.testing.ts';

let bench: EcsBench;
const agents: TestAgent[] = [];
before(async () => {
  bench = await openEcs();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
});
after(async () => {
  await bench?.close();
});

async function join(): Promise<TestAgent> {
  const agent = await joinAgent(bench);
  agents.push(agent);
  return agent;
}
const run = async (definition: string) => {
  const { tasks } = await bench.ecs.send(
    new RunTaskCommand({
      taskDefinition: definition,
      networkConfiguration: { awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } },
    }),
  );
  return tasks?.[0]?.taskArn ?? '';
};
const messages = <T>(agent: TestAgent, type: string) =>
  agent.received.filter((one) => one.type === type).map((one) => one.message as T);
const instance = async (arn: string) =>
  (
    await bench.ecs.send(
      new DescribeContainerInstancesCommand({ cluster: 'longshore-fargate', containerInstances: [arn] }),
    )
  ).containerInstances?.[0];

test('an instance is registered with every attribute echoed, in a cluster that is not listed', async () => {
  const agent = await join();
  const found = await eventually('the agent is seen', async () => {
    const one = await instance(agent.arn);
    return one?.agentConnected && one;
  });
  const names = found.attributes?.map((one) => one.name) ?? [];
  assert.ok(['ecs.os-type', 'test.only', 'ecs.availability-zone'].every((name) => names.includes(name)));
  const { clusterArns } = await bench.ecs.send(new ListClustersCommand({}));
  assert.ok(!clusterArns?.some((arn) => arn.includes('longshore-fargate')));
  await agent.disconnect();
  await eventually('the agent is missed', async () => (await instance(agent.arn))?.agentConnected === false);
});

test('documents come first when an agent connects, then the manifest', async () => {
  const agent = await join();
  await eventually('the manifest', () => agent.types().includes('TaskManifestMessage'));
  const types = agent.types();
  const kinds = messages<DocumentMessage>(agent, 'LongshoreDocumentMessage').map((one) => one.kind);
  assert.deepEqual([...new Set(kinds)].sort(), ['load-balancers', 'names', 'networks']);
  assert.ok(types.lastIndexOf('LongshoreDocumentMessage') < types.indexOf('TaskManifestMessage'));
});

test('numbers grow over restarts, and an agent that returns is told of what it must run', async () => {
  const agent = await join();
  const first = await run(await bench.define('restart'));
  await eventually('RUNNING', async () => (await bench.task(first)).lastStatus === 'RUNNING');
  agent.acks = false;
  const second = await run(await bench.define('restart'));
  await bench.restart();
  const seen = Math.max(
    ...messages<TaskManifestMessage>(agent, 'TaskManifestMessage').map((one) => one.timeline),
    ...messages<PayloadMessage>(agent, 'PayloadMessage').map((one) => one.seqNum),
    ...messages<DocumentMessage>(agent, 'LongshoreDocumentMessage').map((one) => one.version),
  );
  agent.received.length = 0;
  agent.acks = true;
  await agent.register();
  await agent.connect();
  await eventually('the second task runs', async () => (await bench.task(second)).lastStatus === 'RUNNING');
  const manifest = messages<TaskManifestMessage>(agent, 'TaskManifestMessage')[0];
  assert.ok((manifest?.timeline ?? 0) > seen);
  assert.ok(messages<DocumentMessage>(agent, 'LongshoreDocumentMessage').every((one) => one.version > seen));
  assert.ok(manifest?.tasks.some((one) => one.taskArn === first && one.desiredStatus === 'RUNNING'));
  assert.equal(
    messages<PayloadMessage>(agent, 'PayloadMessage').filter((one) => one.tasks[0]?.arn === first).length,
    0,
    'a task that runs is not sent again',
  );
});

test('a payload is sent again until it is acknowledged', async () => {
  const agent = await join();
  agent.acks = false;
  const arn = await run(await bench.define('resend'));
  const sent = () => messages<PayloadMessage>(agent, 'PayloadMessage').filter((one) => one.tasks[0]?.arn === arn);
  await eventually('a second time', () => sent().length >= 2);
  assert.equal(new Set(sent().map((one) => one.messageId)).size, 1);
});

test('a task that is stopped while its agent is away is stopped when it returns', async () => {
  const agent = await join();
  const arn = await run(await bench.define('away'));
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  await agent.disconnect();
  await bench.ecs.send(new StopTaskCommand({ task: arn }));
  await agent.connect();
  await eventually('STOPPED', async () => (await bench.task(arn)).lastStatus === 'STOPPED');
});

test('only tasks that are not meant to run there are confirmed as to stop', async () => {
  const agent = await join();
  const arn = await run(await bench.define('candidates'));
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  const candidate = (taskArn: string) => ({ taskArn, taskClusterArn: 'c', desiredStatus: 'STOPPED' });
  const unknown = arn.replace(/[0-9a-f]{32}$/, '0'.repeat(32));
  agent.send('TaskStopVerificationMessage', { messageId: 'v1', stopCandidates: [candidate(arn), candidate(unknown)] });
  const answer = await eventually(
    'the answer',
    () => messages<TaskStopVerificationAck>(agent, 'TaskStopVerificationAck')[0],
  );
  assert.deepEqual([answer.messageId, answer.stopTasks.map((one) => one.taskArn)], ['v1', [unknown]]);
});

test('a process that starts afresh is sent the credentials of its tasks again', async () => {
  const trust = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  });
  const { Role } = await bench.iam.send(
    new CreateRoleCommand({ RoleName: 'task-role', AssumeRolePolicyDocument: trust }),
  );
  const agent = await join();
  const arn = await run(await bench.define('credentials', { taskRoleArn: Role?.Arn }));
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  const before = agent.tasks.get(arn)?.roleCredentials;
  await agent.disconnect();
  const fresh = new TestAgent(bench);
  agents.push(fresh);
  fresh.arn = agent.arn;
  await fresh.register();
  await fresh.connect();
  const again = await eventually('the credentials', () =>
    messages<IAMRoleCredentialsMessage>(fresh, 'IAMRoleCredentialsMessage').find((one) => one.taskArn === arn),
  );
  assert.deepEqual([again.roleType, again.roleCredentials.credentialsId], ['TaskApplication', before?.credentialsId]);
});

test('a second session of an instance takes the place of the first', async () => {
  const agent = await join();
  const ended = agent.closed;
  const second = new TestAgent(bench);
  agents.push(second);
  second.arn = agent.arn;
  await second.connect();
  assert.equal(await ended, 1000);
  await eventually('still connected', async () => (await instance(agent.arn))?.agentConnected === true);
});

test('an agent that lost its state takes the place of what its machine was, and the tasks there are lost', async () => {
  const agent = await join();
  const arn = await run(await bench.define('lost'));
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  await agent.disconnect();
  await eventually('missed', async () => (await instance(agent.arn))?.agentConnected === false);
  const fresh = await join();
  assert.notEqual(fresh.arn, agent.arn);
  const task = await eventually('STOPPED', async () => {
    const one = await bench.task(arn);
    return one.lastStatus === 'STOPPED' && one;
  });
  assert.equal(task.stopCode, 'InfrastructureHealth');
  const { containerInstanceArns } = await bench.ecs.send(
    new ListContainerInstancesCommand({ cluster: 'longshore-fargate' }),
  );
  assert.ok(!containerInstanceArns?.includes(agent.arn));
});

test('who is not known is turned away with the name of the error', async () => {
  const stranger = new TestAgent(bench);
  agents.push(stranger);
  stranger.arn = 'arn:aws:ecs:eu-west-1:111122223333:container-instance/longshore-fargate/none';
  await assert.rejects(stranger.connect(), /400 \{"InvalidInstanceException"/);
  const url = await stranger.url();
  url.protocol = 'ws:';
  const unsigned = new WebSocket(url);
  const status = await new Promise((resolve) => {
    unsigned.on('unexpected-response', (_, response) => resolve(response.statusCode));
    unsigned.on('error', () => undefined);
  });
  assert.ok(status === 403 || status === 400, String(status));
});

test('telemetry is acknowledged, with header lines before it or without, and health reaches the task', async () => {
  const agent = await join();
  const arn = await run(await bench.define('telemetry'));
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  const url = new URL(`${bench.endpoint}/ecs/tcs/ws`);
  url.searchParams.set('cluster', 'longshore-fargate');
  url.searchParams.set('containerInstance', agent.arn);
  const headers = sign({ method: 'GET', url, headers: {} }, bench.nodeCredentials, {
    service: 'ecs',
    region,
    now: Date.now(),
  });
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers });
  const answers: string[] = [];
  try {
    socket.on('message', (data) => answers.push(JSON.parse(data.toString()).type));
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    const tasks = [{ taskArn: arn, containers: [{ containerName: 'app', healthStatus: 'HEALTHY', statusSince: 1 }] }];
    socket.send(
      `Host: x\r\nX-Amz-Date: y\r\n\r\n${JSON.stringify({ type: 'PublishHealthRequest', message: { tasks, timestamp: 1 } })}`,
    );
    socket.send(JSON.stringify({ type: 'PublishMetricsRequest', message: { timestamp: 1 } }));
    await eventually('both answers', () => answers.length === 2);
    assert.deepEqual(answers, ['AckPublishHealth', 'AckPublishMetric']);
    await eventually('the health', async () => (await bench.task(arn)).healthStatus === 'HEALTHY');
  } finally {
    socket.terminate();
  }
});
