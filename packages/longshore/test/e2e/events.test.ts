import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateServiceCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { signedHeaders } from '../../src/cli/sigv4.ts';
import { Longshore, until } from './longshore.ts';

/** EventBridge on a real Longshore whose tasks only pretend: what ECS tells, who hears of it, and how an operator watches. */
const bin = join(import.meta.dirname, '../../bin/longshore.mjs');
const account = '000000000000';
const arn = (service: string, resource: string) => `arn:aws:${service}:us-east-1:${account}:${resource}`;

interface Shown {
  readonly source: string;
  readonly 'detail-type': string;
  readonly resources: readonly string[];
  readonly detail: Record<string, unknown>;
}

let longshore: Longshore;
let ecs: ECSClient;
let events: EventBridgeClient;
let iam: IAMClient;
let subnets: string[];
before(async () => {
  longshore = await Longshore.create('--runtime', 'simulated');
  await longshore.up();
  ecs = new ECSClient(longshore.sdk());
  events = new EventBridgeClient(longshore.sdk());
  iam = new IAMClient(longshore.sdk());
  const { Subnets = [] } = await new EC2Client(longshore.sdk()).send(new DescribeSubnetsCommand({}));
  subnets = Subnets.map((subnet) => subnet.SubnetId ?? '').slice(0, 1);
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'app',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: 'public.example/app:1' }],
    }),
  );
});
after(() => longshore.destroy());

const network = () => ({ awsvpcConfiguration: { subnets } });
const shown = async (...args: string[]): Promise<Shown[]> =>
  (await longshore.cli('events', '--json', '--no-follow', '--since', '1h', ...args))
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Shown);

test('a task’s way is told change by change, as DescribeTasks shows it', async () => {
  const { tasks = [] } = await ecs.send(
    new RunTaskCommand({ taskDefinition: 'app', launchType: 'FARGATE', networkConfiguration: network() }),
  );
  const task = tasks[0]?.taskArn ?? '';
  const wait = { client: ecs, maxWaitTime: 20, minDelay: 1, maxDelay: 1 };
  await waitUntilTasksRunning(wait, { tasks: [task] });
  await ecs.send(new StopTaskCommand({ task, reason: 'enough' }));
  await waitUntilTasksStopped(wait, { tasks: [task] });
  const told = (await shown('--pattern', '{"detail-type": ["ECS Task State Change"]}')).filter((event) =>
    event.resources.includes(task),
  );
  const versions = told.map((event) => event.detail.version);
  assert.deepEqual(
    versions,
    versions.map((_, index) => index + 1),
  );
  const statuses = [...new Set(told.map((event) => event.detail.lastStatus))];
  assert.deepEqual([statuses[0], statuses.at(-1)], ['PROVISIONING', 'STOPPED']);
  assert.ok(statuses.includes('RUNNING'), String(statuses));
  const { tasks: found = [] } = await ecs.send(new DescribeTasksCommand({ tasks: [task] }));
  const last = told.at(-1)?.detail ?? {};
  const described = JSON.parse(JSON.stringify(found[0])) as Record<string, unknown>;
  for (const member of ['version', 'containers', 'attachments', 'stoppedAt', 'group', 'cpu', 'overrides'])
    assert.deepEqual(last[member], described[member], member);
  assert.equal(last.stoppedReason, 'enough');
  assert.equal(told.at(-1)?.source, 'aws.ecs');
});

test('services tell of deployments and of their actions; machines of their agents', async () => {
  await ecs.send(
    new CreateServiceCommand({
      serviceName: 'web',
      taskDefinition: 'app',
      desiredCount: 1,
      launchType: 'FARGATE',
      networkConfiguration: network(),
    }),
  );
  const named = (event: Shown) => `${event['detail-type']}: ${event.detail.eventName}`;
  const told = await until('a steady state', 20_000, async () => {
    const all = await shown('--pattern', '{"resources": [{"suffix": ":service/default/web"}]}');
    return all.some((event) => event.detail.eventName === 'SERVICE_STEADY_STATE') && all;
  });
  const names = told.map(named);
  assert.equal(names[0], 'ECS Deployment State Change: SERVICE_DEPLOYMENT_IN_PROGRESS');
  assert.ok(names.includes('ECS Deployment State Change: SERVICE_DEPLOYMENT_COMPLETED'), names.join());
  assert.ok(names.includes('ECS Service Action: SERVICE_STEADY_STATE'), names.join());
  assert.match(String(told[0]?.detail.deploymentId), /^ecs-svc\/\d+$/);
  await ecs.send(new UpdateServiceCommand({ service: 'web', desiredCount: 0 }));
  const machines = await shown('--pattern', '{"detail-type": ["ECS Container Instance State Change"]}');
  assert.deepEqual([...new Set(machines.map((event) => event.detail.agentConnected))], [false, true]);
});

test('a rule on a stopped task calls a webhook and writes a log; aws sets it up', async () => {
  const bodies: string[] = [];
  const hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/stopped`;
    await longshore.aws('logs', 'create-log-group', '--log-group-name', '/aws/events/stopped');
    const pattern = {
      source: ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      detail: { lastStatus: ['STOPPED'], startedBy: ['hook-test'] },
    };
    const rule = await longshore.aws(
      'events',
      'put-rule',
      '--name',
      'stopped',
      '--event-pattern',
      JSON.stringify(pattern),
    );
    assert.equal(rule.RuleArn, arn('events', 'rule/stopped'));
    await longshore.aws(
      'events',
      'put-targets',
      '--rule',
      'stopped',
      '--targets',
      JSON.stringify([
        { Id: 'hook', Arn: arn('events', `webhook/${url}`), InputPath: '$.detail.stoppedReason' },
        { Id: 'log', Arn: arn('logs', 'log-group:/aws/events/stopped') },
      ]),
    );
    const { tasks = [] } = await ecs.send(
      new RunTaskCommand({
        taskDefinition: 'app',
        launchType: 'FARGATE',
        startedBy: 'hook-test',
        networkConfiguration: network(),
      }),
    );
    await ecs.send(new StopTaskCommand({ task: tasks[0]?.taskArn, reason: 'for the hook' }));
    await until('the webhook', 20_000, async () => bodies.length > 0);
    assert.deepEqual(bodies, ['"for the hook"']);
    const logged = await until('the log', 10_000, async () => {
      const found = await longshore.aws('logs', 'filter-log-events', '--log-group-name', '/aws/events/stopped');
      return found.events.length > 0 && found.events;
    });
    const event = JSON.parse(logged[0].message) as Shown;
    assert.deepEqual(event.resources, [tasks[0]?.taskArn]);
    const refused = await longshore.awsRefused(
      'events',
      'put-rule',
      '--name',
      'x',
      '--event-pattern',
      '{"source": "x"}',
    );
    assert.match(refused, /InvalidEventPatternException.*Event pattern is not valid\. Reason: "source" must be/s);
  } finally {
    hook.closeAllConnections();
    hook.close();
  }
});

test('a rule runs a task, as its role may', async () => {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  };
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName: 'runner', AssumeRolePolicyDocument: JSON.stringify(trust) }),
  );
  await iam.send(
    new PutRolePolicyCommand({
      RoleName: 'runner',
      PolicyName: 'run',
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 'ecs:RunTask', Resource: arn('ecs', 'task-definition/app:*') }],
      }),
    }),
  );
  await events.send(new PutRuleCommand({ Name: 'on-order', EventPattern: '{"source": ["shop"]}' }));
  await events.send(
    new PutTargetsCommand({
      Rule: 'on-order',
      Targets: [
        {
          Id: 'task',
          Arn: arn('ecs', 'cluster/default'),
          RoleArn: Role?.Arn,
          EcsParameters: {
            TaskDefinitionArn: arn('ecs', 'task-definition/app:1'),
            LaunchType: 'FARGATE',
            NetworkConfiguration: { awsvpcConfiguration: { Subnets: subnets } },
          },
          InputTransformer: {
            InputPathsMap: { id: '$.detail.id' },
            InputTemplate:
              '{"containerOverrides": [{"name": "app", "environment": [{"name": "ORDER", "value": "<id>"}]}]}',
          },
        },
      ],
    }),
  );
  const entry = [{ Source: 'shop', DetailType: 'Order', Detail: '{"id": 7}' }];
  const put = await longshore.aws('events', 'put-events', '--entries', JSON.stringify(entry));
  assert.equal(put.FailedEntryCount, 0);
  const task = await until('the task', 10_000, async () => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ startedBy: 'events-rule/on-order' }));
    return taskArns[0];
  });
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: [task] }));
  assert.deepEqual(tasks[0]?.overrides?.containerOverrides?.[0]?.environment, [{ name: 'ORDER', value: '7' }]);
});

test('longshore events shows what happens as it happens, also over a restart', async () => {
  const child = spawn(process.execPath, [bin, 'events', '--data-dir', longshore.dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  try {
    const entry = (id: number) => JSON.stringify([{ Source: 'shop', DetailType: 'Parcel', Detail: `{"id": ${id}}` }]);
    await until('the first', 20_000, async () => {
      await longshore.aws('events', 'put-events', '--entries', entry(1));
      return /^\d\d:\d\d:\d\d {2}Parcel +shop {2}\{"id":1\}$/m.test(said);
    });
    await longshore.kill();
    await longshore.up();
    await longshore.aws('events', 'put-events', '--entries', entry(2));
    await until('the second', 10_000, async () => said.includes('{"id":2}'));
    assert.equal(said.split('{"id":2}').length, 2);
  } finally {
    child.kill('SIGKILL');
  }
});

test('only the account’s root reads them', async () => {
  const path = '/_longshore/events';
  assert.equal((await fetch(`${longshore.endpoint}${path}`)).status, 403);
  await iam.send(new CreateUserCommand({ UserName: 'eve' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'eve' }));
  const ask = async (key: { readonly accessKeyId: string; readonly secretAccessKey: string }) => {
    const headers = signedHeaders({
      host: new URL(longshore.endpoint).host,
      method: 'GET',
      path,
      service: 'events',
      region: 'us-east-1',
      headers: {},
      body: '',
      key,
      now: Date.now(),
    });
    return fetch(`${longshore.endpoint}${path}`, { headers });
  };
  assert.equal((await ask(longshore.credentials())).status, 200);
  const refused = await ask({
    accessKeyId: AccessKey?.AccessKeyId ?? '',
    secretAccessKey: AccessKey?.SecretAccessKey ?? '',
  });
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /AccessDeniedException.*user\/eve/);
  const wrong = await ask({ ...longshore.credentials(), secretAccessKey: 'wrong' });
  assert.match(await wrong.text(), /InvalidSignatureException/);
});
