import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CreateLogGroupCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  type Target,
} from '@aws-sdk/client-eventbridge';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { eventually } from '../../base/eventually.testing.ts';
import { Fault } from '../../wire/fault.ts';
import { account, type EventsBench, openEvents, region } from './events.testing.ts';
import { pauseAfter } from './targets/attempt.ts';

interface Call {
  readonly body: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A webhook that answers as `answer` says. */
async function openHook(t: TestContext, answer: (call: Call) => number = () => 200) {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const call = { body, path: request.url ?? '', headers: request.headers };
      calls.push(call);
      response.writeHead(answer(call)).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { calls, url, arn: `arn:aws:events:${region}:${account}:webhook/${url}/hook` };
}

async function open(t: TestContext, options?: Parameters<typeof openEvents>[0]): Promise<EventsBench> {
  const bench = await openEvents(options);
  t.after(() => bench.close());
  return bench;
}

async function rule(bench: EventsBench, name: string, pattern: object, ...targets: Target[]): Promise<void> {
  await bench.events.send(new PutRuleCommand({ Name: name, EventPattern: JSON.stringify(pattern) }));
  await bench.events.send(new PutTargetsCommand({ Rule: name, Targets: targets }));
}

const put = (bench: EventsBench, detail: object, DetailType = 'Order') =>
  bench.events.send(
    new PutEventsCommand({ Entries: [{ Source: 'shop', DetailType, Detail: JSON.stringify(detail) }] }),
  );

const shop = { source: ['shop'] };
const pending = async (bench: EventsBench) =>
  (await bench.store.db.selectFrom('events_delivery').selectAll().execute()).length;

test('events go to log groups and webhooks of the rules that ask for them', async (t) => {
  const bench = await open(t);
  const hook = await openHook(t);
  const group = '/aws/events/orders';
  await bench.logs.send(new CreateLogGroupCommand({ logGroupName: group }));
  const arn = `arn:aws:logs:${region}:${account}:log-group:${group}:*`;
  await rule(
    bench,
    'orders',
    { ...shop, detail: { total: [{ numeric: ['>', 10] }] } },
    { Id: 'log', Arn: arn },
    {
      Id: 'hook',
      Arn: hook.arn,
      InputTransformer: { InputPathsMap: { n: '$.detail.total' }, InputTemplate: '{"text": "order of <n>"}' },
      HttpParameters: { HeaderParameters: { 'x-team': 'a' }, QueryStringParameters: { q: '1 2' } },
    },
  );
  await put(bench, { total: 5 });
  const { Entries } = await put(bench, { total: 50 });
  const call = await eventually('a call', () => hook.calls[0]);
  assert.equal(call.body, '{"text": "order of 50"}');
  assert.equal(call.path, '/hook?q=1+2');
  assert.equal(call.headers['x-team'], 'a');
  assert.equal(call.headers['x-amz-event-id'], Entries?.[0]?.EventId);
  const message = await eventually('a log event', async () => {
    const { events } = await bench.logs.send(new FilterLogEventsCommand({ logGroupName: group }));
    return events?.[0]?.message;
  });
  assert.deepEqual(
    { ...(JSON.parse(message) as object), time: '' },
    {
      version: '0',
      id: Entries?.[0]?.EventId,
      'detail-type': 'Order',
      source: 'shop',
      account,
      time: '',
      region,
      resources: [],
      detail: { total: 50 },
    },
  );
  await eventually('nothing waits', async () => (await pending(bench)) === 0);
  assert.equal(hook.calls.length, 1);
});

test('what a target can’t take is tried again, what it refuses is not', async (t) => {
  const bench = await open(t);
  let failures = 1;
  const hook = await openHook(t, ({ body }) => (body.includes('bad') ? 400 : failures-- > 0 ? 503 : 200));
  await rule(bench, 'r', shop, { Id: 'h', Arn: hook.arn, InputPath: '$.detail' });
  await put(bench, { a: 'bad' });
  await put(bench, { a: 'good' });
  await eventually('three calls', () => hook.calls.length >= 3);
  await eventually('nothing waits', async () => (await pending(bench)) === 0);
  assert.deepEqual(hook.calls.map((call) => call.body).sort(), ['{"a":"bad"}', '{"a":"good"}', '{"a":"good"}']);
});

test('a target that is away holds up no other, and its events wait over a restart', async (t) => {
  const bench = await open(t);
  let up = false;
  const slow = await openHook(t, () => (up ? 200 : 500));
  const fast = await openHook(t);
  await rule(bench, 'r', shop, { Id: 'slow', Arn: slow.arn }, { Id: 'fast', Arn: fast.arn });
  for (let i = 0; i < 20; i++) await put(bench, { i });
  await eventually('all at the one that is there', () => fast.calls.length === 20);
  await eventually('tries at the one that is away', () => slow.calls.length > 0);
  await bench.restart(async () => {
    up = true;
    await bench.store.transaction(async ({ db }) => {
      await db.updateTable('events_delivery').set({ next_at: 0 }).execute();
    });
  });
  await eventually('nothing waits', async () => (await pending(bench)) === 0);
  const seen = new Set(slow.calls.map((call) => (JSON.parse(call.body) as { detail: { i: number } }).detail.i));
  assert.equal(seen.size, 20);
  assert.equal(fast.calls.length, 20);
});

test('events that came while nothing dispatched are dispatched once it does, and none twice', async (t) => {
  const bench = await open(t);
  const hook = await openHook(t);
  await rule(bench, 'r', shop, { Id: 'h', Arn: hook.arn, InputPath: '$.detail.i' });
  await put(bench, { i: 1 });
  await eventually('the first', () => hook.calls.length === 1);
  await bench.restart(async () => {
    await put(bench, { i: 2 });
  });
  await eventually('the second', () => hook.calls.length === 2);
  await bench.restart();
  await put(bench, { i: 3 });
  await eventually('the third', () => hook.calls.length === 3);
  assert.deepEqual(
    hook.calls.map((call) => call.body),
    ['1', '2', '3'],
  );
});

test('retry policies end it, and so does the end of a target', async (t) => {
  const bench = await open(t);
  const hook = await openHook(t, () => 500);
  await rule(
    bench,
    'r',
    shop,
    { Id: 'once', Arn: hook.arn, RetryPolicy: { MaximumRetryAttempts: 0 } },
    { Id: 'on', Arn: hook.arn },
  );
  await put(bench, {});
  await eventually('one waits', async () => hook.calls.length === 2 && (await pending(bench)) === 1);
  await bench.events.send(new RemoveTargetsCommand({ Rule: 'r', Ids: ['on'] }));
  assert.equal(await pending(bench), 0);
});

test('an event stands or falls with the transaction that it was emitted in', async (t) => {
  const bench = await open(t);
  const { contract } = bench.service;
  const emit = { source: 'aws.ecs', detailType: 'x', resources: [], detail: { at: new Date(0) } };
  await assert.rejects(
    bench.store.transaction(async (tx) => {
      await contract.emit(tx as never, emit);
      throw new Error('no');
    }),
  );
  assert.equal((await bench.store.db.selectFrom('events_event').selectAll().execute()).length, 0);
  await bench.store.transaction((tx) => contract.emit(tx as never, emit));
  const [row] = await bench.store.db.selectFrom('events_event').selectAll().execute();
  assert.deepEqual((JSON.parse(row?.body ?? '') as { detail: object }).detail, { at: '1970-01-01T00:00:00.000Z' });
});

test('tasks are run as the target’s role, once for each event', async (t) => {
  const inputs: Record<string, unknown>[] = [];
  let trouble: Error | undefined = new Fault('ServerException', 'busy');
  const bench = await open(t, {
    async runTask(credentials, input) {
      assert.equal(credentials.roleArn, role);
      inputs.push(input);
      if (trouble) {
        const thrown = trouble;
        trouble = undefined;
        throw thrown;
      }
      return { failures: [] };
    },
  });
  const iam = new IAMClient(bench.client());
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName: 'events',
      AssumeRolePolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sts:AssumeRole' }],
      }),
    }),
  );
  iam.destroy();
  const role = Role?.Arn;
  const cluster = `arn:aws:ecs:${region}:${account}:cluster/default`;
  await assert.rejects(rule(bench, 'r', shop, { Id: 't', Arn: cluster, RoleArn: role }), {
    message: 'Parameter(s) EcsParameters must be specified for target: t.',
  });
  await rule(bench, 'r', shop, {
    Id: 't',
    Arn: cluster,
    RoleArn: role,
    EcsParameters: {
      TaskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/app:1`,
      LaunchType: 'FARGATE',
      NetworkConfiguration: { awsvpcConfiguration: { Subnets: ['subnet-1'], AssignPublicIp: 'ENABLED' } },
      Tags: [{ Key: 'a', Value: '1' }],
    },
    InputTransformer: {
      InputPathsMap: { f: '$.detail.file' },
      InputTemplate: '{"containerOverrides": [{"name": "app", "environment": [{"name": "FILE", "value": <f>}]}]}',
    },
  });
  await put(bench, { file: 'a.csv' });
  await eventually('two attempts', () => inputs.length === 2);
  await eventually('nothing waits', async () => (await pending(bench)) === 0);
  assert.deepEqual(inputs[0], inputs[1]);
  const { clientToken, ...input } = inputs[0] ?? {};
  assert.match(String(clientToken), /^[0-9a-f-]{36}$/);
  assert.deepEqual(input, {
    cluster,
    taskDefinition: `arn:aws:ecs:${region}:${account}:task-definition/app:1`,
    count: 1,
    launchType: 'FARGATE',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'ENABLED' } },
    tags: [{ key: 'a', value: '1' }],
    overrides: { containerOverrides: [{ name: 'app', environment: [{ name: 'FILE', value: 'a.csv' }] }] },
    startedBy: 'events-rule/r',
  });
});

test('pauses between attempts double, and stay below a quarter of an hour', () => {
  assert.deepEqual(
    [1, 2, 3, 10, 185].map((attempt) => pauseAfter(attempt, 0)),
    [1_000, 2_000, 4_000, 512_000, 600_000],
  );
  assert.equal(pauseAfter(185, 1), 900_000);
});
