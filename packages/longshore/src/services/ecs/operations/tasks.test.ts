import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DescribeNetworkInterfacesCommand } from '@aws-sdk/client-ec2';
import {
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { eventually } from '../../../base/eventually.testing.ts';
import type { PayloadMessage } from '../../../protocol/payload.ts';
import { joinAgent, obedient, type TestAgent } from '../agents/agent.testing.ts';
import { accountId, type EcsBench, openEcs, region } from '../ecs.testing.ts';

let bench: EcsBench;
let agent: TestAgent;
before(async () => {
  bench = await openEcs();
  agent = await joinAgent(bench);
});
after(async () => {
  await agent?.close();
  await bench?.close();
});

const run = (taskDefinition: string, over: Partial<RunTaskCommandInput> = {}) =>
  bench.ecs.send(
    new RunTaskCommand({
      taskDefinition,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } },
      ...over,
    }),
  );
const reaches = (arn: string, status: string) =>
  eventually(`${status} of the task`, async () => {
    const task = await bench.task(arn);
    return task.lastStatus === status && task;
  });

test('a task runs, with an interface of the VPC, and stops when it is told', async () => {
  const definition = await bench.define('run');
  const { tasks, failures } = await run(definition, { tags: [{ key: 'a', value: 'b' }], startedBy: 'me' });
  assert.deepEqual(failures, []);
  const [made] = tasks ?? [];
  assert.equal(made?.lastStatus, 'PROVISIONING');
  assert.equal(made.attachments?.[0]?.type, 'ElasticNetworkInterface');
  const arn = made.taskArn ?? '';
  const running = await reaches(arn, 'RUNNING');
  const details = new Map(running.attachments?.[0]?.details?.map(({ name, value }) => [name, value]));
  const container = running.containers?.[0];
  assert.equal(running.attachments?.[0]?.status, 'ATTACHED');
  assert.deepEqual(
    [
      container?.lastStatus,
      container?.runtimeId,
      container?.imageDigest,
      container?.networkInterfaces?.[0]?.privateIpv4Address,
    ],
    ['RUNNING', 'rt-app', 'sha256:abc', details.get('privateIPv4Address')],
  );
  assert.ok(
    running.pullStartedAt && running.startedAt && running.connectivity === 'CONNECTED' && (running.version ?? 0) > 1,
  );
  assert.deepEqual([running.tags, running.startedBy, running.group], [[{ key: 'a', value: 'b' }], 'me', 'family:run']);
  assert.equal(running.containerInstanceArn, undefined, "Fargate's machines are not shown");
  const interfaceId = details.get('networkInterfaceId') ?? '';
  const seen = await bench.ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [interfaceId] }));
  assert.equal(seen.NetworkInterfaces?.[0]?.PrivateIpAddress, details.get('privateIPv4Address'));

  const { task: stopping } = await bench.ecs.send(new StopTaskCommand({ task: arn, reason: 'enough' }));
  assert.deepEqual([stopping?.lastStatus, stopping?.desiredStatus], ['RUNNING', 'STOPPED']);
  const stopped = await reaches(arn, 'STOPPED');
  assert.deepEqual(
    [stopped.stopCode, stopped.stoppedReason, stopped.containers?.[0]?.exitCode],
    ['UserInitiated', 'enough', 143],
  );
  assert.ok(stopped.stoppingAt && stopped.stoppedAt && stopped.executionStoppedAt);
  await assert.rejects(
    bench.ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [interfaceId] })),
    /does not exist/,
  );
});

test('the payload holds what an agent needs, after the networks that it depends on', async () => {
  const trust = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  });
  const { Role } = await bench.iam.send(
    new CreateRoleCommand({ RoleName: 'execution', AssumeRolePolicyDocument: trust }),
  );
  const definition = await bench.define('payload', {
    executionRoleArn: Role?.Arn,
    containerDefinitions: [
      {
        name: 'app',
        image: `${accountId}.dkr.ecr.${region}.amazonaws.com/app:1`,
        environment: [{ name: 'A', value: '1' }],
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': 'g', 'awslogs-region': region, 'awslogs-stream-prefix': 'p' },
        },
      },
    ],
  });
  const { tasks } = await run(definition, {
    overrides: { containerOverrides: [{ name: 'app', command: ['sh'], environment: [{ name: 'B', value: '2' }] }] },
  });
  const arn = tasks?.[0]?.taskArn ?? '';
  const task = await eventually('the payload', () => agent.tasks.get(arn));
  const [container] = task.containers;
  assert.deepEqual(
    [container?.command, container?.environment, task.cpu, task.memory],
    [['sh'], { A: '1', B: '2' }, 0.25, 512],
  );
  assert.deepEqual(container?.registryAuthentication?.ecrAuthData?.registryId, accountId);
  assert.equal(task.executionRoleCredentials?.roleArn, Role?.Arn);
  const log = JSON.parse(container?.dockerConfig.hostConfig ?? '').LogConfig;
  assert.equal(log.Config['awslogs-stream'], `p/app/${arn.split('/').at(-1)}`);
  const eni = task.elasticNetworkInterfaces?.[0];
  const payloadAt = agent.received.findIndex(
    (one) => one.type === 'PayloadMessage' && (one.message as PayloadMessage).tasks[0]?.arn === arn,
  );
  const networks = agent.received
    .slice(0, payloadAt)
    .findLast(
      (one) => one.type === 'LongshoreDocumentMessage' && (one.message as { kind: string }).kind === 'networks',
    );
  assert.match(JSON.stringify(networks?.message), new RegExp(eni?.ec2Id ?? 'none'));
});

test('what ends by itself, and what never starts, says why', async () => {
  const definition = await bench.define('ends');
  const arn = (await run(definition)).tasks?.[0]?.taskArn ?? '';
  await reaches(arn, 'RUNNING');
  await agent.report(arn, 'STOPPED', { exitCode: 3 });
  const ended = await reaches(arn, 'STOPPED');
  assert.deepEqual(
    [ended.stopCode, ended.stoppedReason, ended.containers?.[0]?.exitCode],
    ['EssentialContainerExited', 'Essential container in task exited', 3],
  );
  agent.behaviour = (one, task) => one.report(task.arn, 'STOPPED', { reason: 'CannotPullContainerError: not found' });
  const failing = (await run(definition)).tasks?.[0]?.taskArn ?? '';
  const failed = await reaches(failing, 'STOPPED');
  agent.behaviour = obedient;
  assert.deepEqual(
    [failed.stopCode, failed.stoppedReason],
    ['TaskFailedToStart', 'CannotPullContainerError: not found'],
  );
  // Reports that come late change nothing.
  await agent.report(failing, 'RUNNING');
  assert.equal((await bench.task(failing)).lastStatus, 'STOPPED');
});

test('a task that no machine can hold fails at once, with both sizes', async () => {
  const definition = await bench.define('huge', { cpu: '16384', memory: '32768' });
  const { tasks, failures } = await run(definition);
  assert.deepEqual(tasks, []);
  assert.match(failures?.[0]?.reason ?? '', /^Capacity is unavailable at this time\. Please try again later/);
  assert.match(
    failures?.[0]?.detail ?? '',
    /asks for 16 vCPU and 32768 MiB; the largest machine has 4 vCPU and 8192 MiB/,
  );
});

test('the same client token makes tasks once', async () => {
  const definition = await bench.define('token');
  const first = await run(definition, { clientToken: 'once', count: 2 });
  const again = await run(definition, { clientToken: 'once', count: 2 });
  const arns = (answer: typeof first) => answer.tasks?.map((task) => task.taskArn).sort();
  assert.deepEqual(arns(again), arns(first));
  await assert.rejects(run(definition, { clientToken: 'once', count: 3 }), { name: 'ConflictException' });
});

test('refusals have the names and words of AWS', async () => {
  const definition = await bench.define('refused');
  await assert.rejects(run(definition, { cluster: 'nowhere' }), {
    name: 'ClusterNotFoundException',
    message: 'Cluster not found.',
  });
  await assert.rejects(run('refused:99'), { name: 'ClientException', message: 'TaskDefinition not found.' });
  await assert.rejects(run(definition, { count: 11 }), { name: 'InvalidParameterException' });
  await assert.rejects(bench.ecs.send(new RunTaskCommand({ taskDefinition: definition })), {
    message: "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
  });
  await assert.rejects(
    run(definition, { networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0'] } } }),
    /The subnet ID 'subnet-0' does not exist/,
  );
  await assert.rejects(run(definition, { overrides: { containerOverrides: [{ name: 'other' }] } }), {
    message: 'Override for container named other is not a container in the TaskDefinition.',
  });
  await assert.rejects(run(definition, { launchType: 'EC2' }), { name: 'NotImplementedException' });
  await assert.rejects(bench.ecs.send(new StopTaskCommand({ task: '0'.repeat(32) })), {
    name: 'InvalidParameterException',
    message: 'The referenced task was not found.',
  });
  const { failures } = await bench.ecs.send(new DescribeTasksCommand({ tasks: ['0'.repeat(32)] }));
  assert.equal(failures?.[0]?.reason, 'MISSING');
});

test('lists are filtered', async () => {
  const definition = await bench.define('listed');
  const arn = (await run(definition, { startedBy: 'lister' })).tasks?.[0]?.taskArn;
  const list = async (input: object) => (await bench.ecs.send(new ListTasksCommand(input))).taskArns;
  assert.deepEqual(await list({ startedBy: 'lister' }), [arn]);
  assert.deepEqual(await list({ family: 'listed' }), [arn]);
  assert.deepEqual(await list({ family: 'listed', desiredStatus: 'STOPPED' }), []);
});

test('a caller must be allowed to pass the roles, and a role must trust ECS', async () => {
  const { iam } = bench;
  await iam.send(new CreateUserCommand({ UserName: 'runner' }));
  const allow = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
  await iam.send(
    new PutUserPolicyCommand({
      UserName: 'runner',
      PolicyName: 'p',
      PolicyDocument: allow({ Effect: 'Allow', Action: 'ecs:*', Resource: '*' }),
    }),
  );
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'runner' }));
  const credentials = { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  const runner = new ECSClient({ endpoint: bench.endpoint, region, credentials, maxAttempts: 1 });
  const trusting = (Service: string) => allow({ Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole' });
  const role = await iam.send(
    new CreateRoleCommand({ RoleName: 'passed', AssumeRolePolicyDocument: trusting('ecs-tasks.amazonaws.com') }),
  );
  const other = await iam.send(
    new CreateRoleCommand({ RoleName: 'not-for-ecs', AssumeRolePolicyDocument: trusting('lambda.amazonaws.com') }),
  );
  const networkConfiguration = { awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } };
  try {
    const taskDefinition = await bench.define('passing', { taskRoleArn: role.Role?.Arn });
    await assert.rejects(
      runner.send(new RunTaskCommand({ taskDefinition, networkConfiguration })),
      (error: Error) => error.name === 'AccessDeniedException' && error.message.includes('iam:PassRole'),
    );
    assert.equal((await run(taskDefinition)).tasks?.length, 1);
    const distrusted = await bench.define('distrusted', { taskRoleArn: other.Role?.Arn });
    await assert.rejects(run(distrusted), { name: 'ClientException', message: /^ECS was unable to assume the role/ });
  } finally {
    runner.destroy();
  }
});
