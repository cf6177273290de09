import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  DescribeEventBusCommand,
  DescribeRuleCommand,
  DisableRuleCommand,
  EnableRuleCommand,
  EventBridgeClient,
  ListEventBusesCommand,
  ListRuleNamesByTargetCommand,
  ListRulesCommand,
  ListTagsForResourceCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  TagResourceCommand,
  TestEventPatternCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-eventbridge';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { account, type EventsBench, openEvents, region } from '../events.testing.ts';

const pattern = '{"source":["shop"]}';
const group = `arn:aws:logs:${region}:${account}:log-group:/aws/events/all`;
const ruleArn = (name: string) => `arn:aws:events:${region}:${account}:rule/${name}`;

let bench: EventsBench;
let events: EventBridgeClient;
before(async () => {
  bench = await openEvents();
  events = bench.events;
});
after(() => bench.close());

test('rules: made, shown as they were given, replaced, disabled, deleted', async () => {
  const { RuleArn } = await events.send(
    new PutRuleCommand({ Name: 'orders', EventPattern: pattern, Description: 'd' }),
  );
  assert.equal(RuleArn, ruleArn('orders'));
  const { $metadata: _, ...shown } = await events.send(new DescribeRuleCommand({ Name: 'orders' }));
  assert.deepEqual(shown, {
    Name: 'orders',
    Arn: RuleArn,
    EventPattern: pattern,
    State: 'ENABLED',
    Description: 'd',
    EventBusName: 'default',
    CreatedBy: account,
  });
  await events.send(new PutTargetsCommand({ Rule: 'orders', Targets: [{ Id: 'a', Arn: group }] }));
  await events.send(new PutRuleCommand({ Name: 'orders', ScheduleExpression: 'rate(5 minutes)' }));
  const replaced = await events.send(new DescribeRuleCommand({ Name: 'orders' }));
  assert.equal(replaced.EventPattern, undefined);
  assert.equal(replaced.Description, undefined);
  assert.equal(replaced.ScheduleExpression, 'rate(5 minutes)');
  const kept = await events.send(new ListTargetsByRuleCommand({ Rule: 'orders' }));
  assert.deepEqual(kept.Targets, [{ Id: 'a', Arn: group }]);
  await events.send(new DisableRuleCommand({ Name: 'orders' }));
  assert.equal((await events.send(new DescribeRuleCommand({ Name: 'orders' }))).State, 'DISABLED');
  await events.send(new EnableRuleCommand({ Name: 'orders' }));
  assert.equal((await events.send(new DescribeRuleCommand({ Name: 'orders' }))).State, 'ENABLED');
  await assert.rejects(events.send(new DeleteRuleCommand({ Name: 'orders' })), {
    name: 'ValidationException',
    message: "Rule can't be deleted since it has targets.",
  });
  await events.send(new RemoveTargetsCommand({ Rule: 'orders', Ids: ['a'] }));
  await events.send(new DeleteRuleCommand({ Name: 'orders' }));
  await events.send(new DeleteRuleCommand({ Name: 'orders' }));
  await assert.rejects(events.send(new DescribeRuleCommand({ Name: 'orders' })), {
    name: 'ResourceNotFoundException',
    message: 'Rule orders does not exist on EventBus default.',
  });
});

test('rules: what PutRule refuses, in AWS’s words', async () => {
  const put = (input: object) => events.send(new PutRuleCommand({ Name: 'wrong', ...input }));
  await assert.rejects(put({}), {
    name: 'ValidationException',
    message: 'Parameter(s) EventPattern or ScheduleExpression must be specified.',
  });
  await assert.rejects(put({ ScheduleExpression: 'rate(1 minutes)' }), {
    name: 'ValidationException',
    message: 'Parameter ScheduleExpression is not valid.',
  });
  await assert.rejects(put({ EventPattern: '{"source": "shop"}' }), {
    name: 'InvalidEventPatternException',
    message: /^Event pattern is not valid. Reason: "source" must be an object or an array\n at \[Source: /,
  });
  await assert.rejects(put({ EventPattern: pattern, EventBusName: 'nowhere' }), {
    name: 'ResourceNotFoundException',
    message: 'Event bus nowhere does not exist.',
  });
  await assert.rejects(put({ EventPattern: pattern, State: 'MAYBE' }), { name: 'ValidationException' });
});

test('lists come in pages', async () => {
  for (const name of ['page-1', 'page-2', 'page-3'])
    await events.send(new PutRuleCommand({ Name: name, EventPattern: pattern }));
  const first = await events.send(new ListRulesCommand({ NamePrefix: 'page-', Limit: 2 }));
  assert.deepEqual(
    first.Rules?.map((rule) => rule.Name),
    ['page-1', 'page-2'],
  );
  const second = await events.send(new ListRulesCommand({ NamePrefix: 'page-', Limit: 2, NextToken: first.NextToken }));
  assert.deepEqual(
    second.Rules?.map((rule) => rule.Name),
    ['page-3'],
  );
  assert.equal(second.NextToken, undefined);
  await assert.rejects(events.send(new ListRulesCommand({ NextToken: 'x' })), { name: 'ValidationException' });
});

test('targets: kept whole, found by ARN, at most five', async () => {
  await events.send(new PutRuleCommand({ Name: 'targets', EventPattern: pattern }));
  const hook = `arn:aws:events:${region}:${account}:webhook/http://127.0.0.1:9/hook?a=1`;
  const targets = [
    {
      Id: 'hook',
      Arn: hook,
      InputPath: '$.detail',
      RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 },
    },
    { Id: 'log', Arn: group, InputTransformer: { InputPathsMap: { s: '$.source' }, InputTemplate: '"from <s>"' } },
  ];
  const put = await events.send(new PutTargetsCommand({ Rule: 'targets', Targets: targets }));
  assert.deepEqual([put.FailedEntryCount, put.FailedEntries], [0, []]);
  assert.deepEqual((await events.send(new ListTargetsByRuleCommand({ Rule: 'targets' }))).Targets, targets);
  assert.deepEqual((await events.send(new ListRuleNamesByTargetCommand({ TargetArn: hook }))).RuleNames, ['targets']);
  const many = Array.from({ length: 4 }, (_, i) => ({ Id: `x${i}`, Arn: group }));
  await assert.rejects(events.send(new PutTargetsCommand({ Rule: 'targets', Targets: many })), {
    name: 'LimitExceededException',
    message: 'The requested resource exceeds the maximum number allowed.',
  });
  assert.equal((await events.send(new ListTargetsByRuleCommand({ Rule: 'targets' }))).Targets?.length, 2);
});

test('targets: what PutTargets refuses', async () => {
  await events.send(new PutRuleCommand({ Name: 'refused', EventPattern: pattern }));
  const put = (target: object) =>
    events.send(new PutTargetsCommand({ Rule: 'refused', Targets: [{ Id: 't', Arn: group, ...target }] }));
  await assert.rejects(put({ Arn: 'nonsense' }), {
    name: 'ValidationException',
    message: 'Parameter nonsense is not valid. Reason: Provided Arn is not in correct format.',
  });
  await assert.rejects(put({ Arn: `arn:aws:lambda:${region}:${account}:function:f` }), {
    name: 'NotImplementedException',
  });
  await assert.rejects(put({ Arn: `arn:aws:events:${region}:${account}:webhook/file:///etc/passwd` }), {
    name: 'NotImplementedException',
  });
  // No one was handed in who could run tasks.
  await assert.rejects(put({ Arn: `arn:aws:ecs:${region}:${account}:cluster/default` }), {
    name: 'NotImplementedException',
  });
  await assert.rejects(put({ InputPath: '$.a', InputTransformer: { InputTemplate: '"x"' } }), {
    message: 'Only one of Input, InputPath, or InputTransformer must be provided for target t.',
  });
  await assert.rejects(put({ Input: '"x"' }), { name: 'ValidationException', message: /only valid form of input/ });
  await assert.rejects(put({ DeadLetterConfig: { Arn: 'arn:aws:sqs:eu-west-1:111122223333:q' } }), {
    name: 'NotImplementedException',
  });
  await assert.rejects(events.send(new PutTargetsCommand({ Rule: 'gone', Targets: [{ Id: 't', Arn: group }] })), {
    name: 'ResourceNotFoundException',
  });
});

test('buses: the default is there; others come and go', async () => {
  const busArn = (name: string) => `arn:aws:events:${region}:${account}:event-bus/${name}`;
  const { EventBusArn } = await events.send(new CreateEventBusCommand({ Name: 'shop', Description: 'orders' }));
  assert.equal(EventBusArn, busArn('shop'));
  await assert.rejects(events.send(new CreateEventBusCommand({ Name: 'shop' })), {
    name: 'ResourceAlreadyExistsException',
    message: 'Event bus shop already exists.',
  });
  const listed = await events.send(new ListEventBusesCommand({}));
  assert.deepEqual(
    listed.EventBuses?.map((bus) => bus.Name),
    ['default', 'shop'],
  );
  const shown = await events.send(new DescribeEventBusCommand({ Name: EventBusArn }));
  assert.equal(shown.Description, 'orders');
  assert.equal((await events.send(new DescribeEventBusCommand({}))).Arn, busArn('default'));
  const rule = await events.send(new PutRuleCommand({ Name: 'r', EventPattern: pattern, EventBusName: 'shop' }));
  assert.equal(rule.RuleArn, ruleArn('shop/r'));
  await assert.rejects(
    events.send(new PutRuleCommand({ Name: 's', ScheduleExpression: 'rate(1 day)', EventBusName: 'shop' })),
    { message: 'ScheduleExpression is supported only on the default event bus.' },
  );
  await assert.rejects(events.send(new DeleteEventBusCommand({ Name: 'shop' })), { name: 'ValidationException' });
  await events.send(new DeleteRuleCommand({ Name: 'r', EventBusName: 'shop' }));
  await events.send(new DeleteEventBusCommand({ Name: 'shop' }));
  await assert.rejects(events.send(new DeleteEventBusCommand({ Name: 'shop' })), {
    name: 'ResourceNotFoundException',
    message: 'Event bus shop does not exist.',
  });
  await assert.rejects(events.send(new DeleteEventBusCommand({ Name: 'default' })), {
    message: 'Cannot delete event bus default.',
  });
});

test('tags of rules and buses', async () => {
  const { RuleArn: arn } = await events.send(
    new PutRuleCommand({ Name: 'tagged', EventPattern: pattern, Tags: [{ Key: 'a', Value: '1' }] }),
  );
  await events.send(new TagResourceCommand({ ResourceARN: arn, Tags: [{ Key: 'b', Value: '2' }] }));
  await events.send(new UntagResourceCommand({ ResourceARN: arn, TagKeys: ['a'] }));
  const { Tags } = await events.send(new ListTagsForResourceCommand({ ResourceARN: arn }));
  assert.deepEqual(Tags, [{ Key: 'b', Value: '2' }]);
  await assert.rejects(events.send(new ListTagsForResourceCommand({ ResourceARN: ruleArn('gone') })), {
    name: 'ResourceNotFoundException',
    message: 'Rule gone does not exist on EventBus default.',
  });
  await assert.rejects(
    events.send(
      new TagResourceCommand({
        ResourceARN: arn,
        Tags: [
          { Key: 'c', Value: '' },
          { Key: 'c', Value: '' },
        ],
      }),
    ),
    { name: 'ValidationException' },
  );
});

test('PutEvents takes what is whole and says what is wrong with the rest', async () => {
  const entry = { Source: 'shop', DetailType: 'Order', Detail: '{"id": 12345678901234567890}' };
  const answer = await events.send(
    new PutEventsCommand({
      Entries: [
        entry,
        { ...entry, Source: undefined },
        { ...entry, Detail: '[1]' },
        { ...entry, Detail: '{' },
        { ...entry, Source: 'aws.ecs' },
        { ...entry, EventBusName: 'nowhere' },
        { ...entry, Time: new Date(Date.UTC(20_000, 0)) },
        { ...entry, Detail: `${'{"a":'.repeat(1001)}1${'}'.repeat(1001)}` },
      ],
    }),
  );
  assert.equal(answer.FailedEntryCount, 6);
  assert.deepEqual(
    answer.Entries?.map((one) => one.ErrorCode ?? typeof one.EventId),
    [
      'string',
      'InvalidArgument',
      'MalformedDetail',
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'string',
      'InvalidArgument',
      'MalformedDetail',
    ],
  );
  const rows = await bench.store.db.selectFrom('events_event').selectAll().execute();
  assert.equal(rows.length, 1);
  assert.match(rows[0]?.body ?? '', /"detail":\{"id": 12345678901234567890\}\}$/);
  await assert.rejects(
    events.send(new PutEventsCommand({ Entries: [{ ...entry, Detail: JSON.stringify({ a: 'x'.repeat(262_144) }) }] })),
    { name: 'ValidationException', message: 'Total size of the entries in the request is over the limit.' },
  );
});

test('TestEventPattern', async () => {
  const event = { id: '1', account, source: 'shop', time: '2026-11-23T12:00:00Z', region, 'detail-type': 'x' };
  const ask = (EventPattern: string, Event: string) =>
    events.send(new TestEventPatternCommand({ EventPattern, Event }));
  assert.equal((await ask(pattern, JSON.stringify(event))).Result, true);
  assert.equal((await ask('{"source":["other"]}', JSON.stringify(event))).Result, false);
  await assert.rejects(ask(pattern, '{"source":"shop"}'), { message: 'Parameter Event is not valid.' });
  await assert.rejects(ask(pattern, 'x'), { message: 'Parameter Event is not valid.' });
  await assert.rejects(ask('{}', JSON.stringify(event)), { name: 'InvalidEventPatternException' });
});

test('policies decide on bus, source and rule', async () => {
  const iam = new IAMClient(bench.client());
  await iam.send(new CreateUserCommand({ UserName: 'eve' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'eve' }));
  const statement = (Action: string, Resource: string, more: object = {}) => ({
    Effect: 'Allow',
    Action,
    Resource,
    ...more,
  });
  await iam.send(
    new PutUserPolicyCommand({
      UserName: 'eve',
      PolicyName: 'p',
      PolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          statement('events:PutEvents', '*', { Condition: { StringEquals: { 'events:source': 'shop' } } }),
          statement('events:PutRule', ruleArn('eve-*')),
        ],
      }),
    }),
  );
  iam.destroy();
  const eve = new EventBridgeClient(
    bench.client({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' }),
  );
  const entry = { DetailType: 'x', Detail: '{}' };
  await eve.send(new PutEventsCommand({ Entries: [{ ...entry, Source: 'shop' }] }));
  await assert.rejects(
    eve.send(
      new PutEventsCommand({
        Entries: [
          { ...entry, Source: 'shop' },
          { ...entry, Source: 'bank' },
        ],
      }),
    ),
    { name: 'AccessDeniedException' },
  );
  await eve.send(new PutRuleCommand({ Name: 'eve-1', EventPattern: pattern }));
  await assert.rejects(eve.send(new PutRuleCommand({ Name: 'mallory', EventPattern: pattern })), {
    name: 'AccessDeniedException',
  });
  eve.destroy();
});
