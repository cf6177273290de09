import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteLogStreamCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  type InputLogEvent,
  ListTagsForResourceCommand,
  ListTagsLogGroupCommand,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { account, openTestAccount, region, type TestAccount } from '../iam/iam.testing.ts';
import { logsService } from './service.ts';
import { createState } from './state.ts';
import { sweeper } from './sweeper.ts';
import { logsMigrations } from './tables.ts';

const day = 86_400_000;
let offset = 0;
const clock = { ...systemClock, now: () => Date.now() + offset };
const now = Date.now();

let opened: TestAccount;
let logs: CloudWatchLogsClient;
before(async () => {
  opened = await openTestAccount({
    migrations: logsMigrations,
    services: (parts) => [logsService({ ...parts, clock })],
  });
  logs = new CloudWatchLogsClient(opened.client());
});
after(async () => {
  logs.destroy();
  await opened.close();
});

async function makeStream(logGroupName: string, ...streams: string[]): Promise<void> {
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  for (const logStreamName of streams) await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
}

const put = (logGroupName: string, logStreamName: string, logEvents: InputLogEvent[]) =>
  logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
const lines = (count: number, from = now - 10_000): InputLogEvent[] =>
  Array.from({ length: count }, (_, i) => ({ timestamp: from + i, message: `line ${i}` }));
const texts = (events: readonly { message?: string | undefined }[] | undefined) =>
  events!.map((event) => event.message);

test('groups: made, listed by prefix and in pages, tagged, deleted', async () => {
  for (const name of ['/ecs/a', '/ecs/b', '/other']) {
    await logs.send(new CreateLogGroupCommand({ logGroupName: name, tags: { team: 'x' } }));
  }
  await assert.rejects(logs.send(new CreateLogGroupCommand({ logGroupName: '/other' })), {
    name: 'ResourceAlreadyExistsException',
    message: 'The specified log group already exists',
  });
  const names: string[] = [];
  for await (const page of paginateDescribeLogGroups({ client: logs, pageSize: 1 }, { logGroupNamePrefix: '/ecs/' })) {
    names.push(...page.logGroups!.map((group) => group.logGroupName!));
  }
  assert.deepEqual(names, ['/ecs/a', '/ecs/b']);
  const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePattern: 'ther' }));
  assert.equal(logGroups![0]!.arn, `arn:aws:logs:${region}:${account}:log-group:/other:*`);

  const resourceArn = logGroups![0]!.logGroupArn!;
  await logs.send(new TagResourceCommand({ resourceArn, tags: { a: '1' } }));
  await logs.send(new UntagResourceCommand({ resourceArn, tagKeys: ['team'] }));
  assert.deepEqual((await logs.send(new ListTagsForResourceCommand({ resourceArn }))).tags, { a: '1' });
  assert.deepEqual((await logs.send(new ListTagsLogGroupCommand({ logGroupName: '/other' }))).tags, { a: '1' });

  await logs.send(new DeleteLogGroupCommand({ logGroupName: '/other' }));
  await assert.rejects(logs.send(new DeleteLogGroupCommand({ logGroupName: '/other' })), {
    name: 'ResourceNotFoundException',
    message: 'The specified log group does not exist.',
  });
});

test('streams: ordered by name or by last event', async () => {
  await makeStream('streams', 'b', 'a', 'c');
  await put('streams', 'b', lines(1, now));
  await put('streams', 'c', lines(1, now - 5_000));
  const order = async (more: object) => {
    const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: 'streams', ...more }));
    return logStreams!.map((stream) => stream.logStreamName).join('');
  };
  assert.equal(await order({}), 'abc');
  assert.equal(await order({ descending: true }), 'cba');
  assert.equal(await order({ orderBy: 'LastEventTime', descending: true }), 'bca');
  assert.equal(await order({ logStreamNamePrefix: 'c' }), 'c');
  await assert.rejects(order({ orderBy: 'LastEventTime', logStreamNamePrefix: 'c' }), {
    message: 'Cannot order by LastEventTime with a logStreamNamePrefix.',
  });
  const page = await logs.send(new DescribeLogStreamsCommand({ logGroupName: 'streams', limit: 2 }));
  assert.equal(await order({ nextToken: page.nextToken }), 'c');
  await logs.send(new DeleteLogStreamCommand({ logGroupName: 'streams', logStreamName: 'c' }));
  await assert.rejects(put('streams', 'c', lines(1)), { message: 'The specified log stream does not exist.' });
});

test('GetLogEvents: from the tail or the head, and the same token at the end', async () => {
  await makeStream('reading', 's');
  await put('reading', 's', lines(10));
  const get = (more: object) =>
    logs.send(new GetLogEventsCommand({ logGroupName: 'reading', logStreamName: 's', ...more }));
  const tail = await get({ limit: 3 });
  assert.deepEqual(texts(tail.events), ['line 7', 'line 8', 'line 9']);
  const earlier = await get({ limit: 3, nextToken: tail.nextBackwardToken });
  assert.deepEqual(texts(earlier.events), ['line 4', 'line 5', 'line 6']);
  const again = await get({ limit: 3, nextToken: earlier.nextForwardToken });
  assert.deepEqual(texts(again.events), ['line 7', 'line 8', 'line 9']);

  const head = await get({ limit: 6, startFromHead: true });
  assert.match(head.nextForwardToken!, /^f\/\d{56}\/s$/);
  const rest = await get({ limit: 6, nextToken: head.nextForwardToken, startFromHead: true });
  assert.deepEqual(texts(rest.events), ['line 6', 'line 7', 'line 8', 'line 9']);
  const end = await get({ nextToken: rest.nextForwardToken, startFromHead: true });
  assert.deepEqual(end.events, []);
  assert.equal(end.nextForwardToken, rest.nextForwardToken);
  assert.deepEqual(texts((await get({ nextToken: end.nextBackwardToken, limit: 1 })).events), ['line 9']);

  await put('reading', 's', [{ timestamp: now, message: 'late' }]);
  assert.deepEqual(texts((await get({ nextToken: end.nextForwardToken })).events), ['late']);
  const between = await get({ startTime: now - 9_999, endTime: now - 9_997 });
  assert.deepEqual(texts(between.events), ['line 1', 'line 2']);
  await assert.rejects(get({ nextToken: 'f/1' }), { name: 'InvalidParameterException' });
});

test('an empty stream can be followed from its first token on', async () => {
  await makeStream('empty', 's');
  const get = (nextToken?: string) =>
    logs.send(new GetLogEventsCommand({ logGroupName: 'empty', logStreamName: 's', nextToken }));
  const first = await get();
  assert.deepEqual(first.events, []);
  await put('empty', 's', lines(2));
  assert.deepEqual(texts((await get(first.nextForwardToken)).events), ['line 0', 'line 1']);
});

test('PutLogEvents: what is out of bounds is refused or left out', async () => {
  await makeStream('limits', 's');
  const one = (timestamp: number, message = 'm') => ({ timestamp, message });
  await assert.rejects(put('limits', 's', [one(now), one(now - 1)]), {
    name: 'InvalidParameterException',
    message: 'Log events in a single PutLogEvents request must be in chronological order.',
  });
  await assert.rejects(put('limits', 's', [one(now - day - 1), one(now)]), {
    message: /cannot span more than 24 hours/,
  });
  await assert.rejects(put('limits', 's', [one(now, 'x'.repeat(1_048_576))]), { message: /^Log event too large/ });
  await assert.rejects(put('limits', 's', [one(now, 'x'.repeat(600_000)), one(now, 'x'.repeat(600_000))]), {
    message: /^Upload too large: 1200052 bytes exceeds limit of 1048576$/,
  });
  await put('limits', 's', [one(now, 'x'.repeat(1_000_000))]);
  const old = await put('limits', 's', [one(now - 14 * day - 60_000), one(now - 14 * day + 3_600_000)]);
  assert.deepEqual(old.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 });
  const future = await put('limits', 's', [one(now), one(now + 3 * 3_600_000)]);
  assert.deepEqual(future.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 1 });
  await assert.rejects(put('nowhere', 's', [one(now)]), { message: 'The specified log group does not exist.' });
});

test('large events are answered in pages of a megabyte', async () => {
  await makeStream('large', 's');
  for (let i = 0; i < 3; i++) await put('large', 's', [{ timestamp: now + i, message: String(i).repeat(700_000) }]);
  const first = await logs.send(
    new GetLogEventsCommand({ logGroupName: 'large', logStreamName: 's', startFromHead: true }),
  );
  assert.equal(first.events!.length, 1);
  const found: string[] = [];
  for await (const page of paginateFilterLogEvents({ client: logs }, { logGroupName: 'large' })) {
    assert.ok(page.events!.length <= 1);
    found.push(...page.events!.map((event) => event.message![0]!));
  }
  assert.deepEqual(found, ['0', '1', '2']);
});

test('FilterLogEvents: interleaved over streams, in pages, with a pattern', async () => {
  await makeStream('many', 'web/1', 'web/2', 'db/1');
  for (const [index, stream] of ['web/1', 'web/2', 'db/1'].entries()) {
    const events = Array.from({ length: 4 }, (_, i) => ({
      timestamp: now + 10 * i + index,
      message: JSON.stringify({ stream, i, level: i % 2 ? 'error' : 'info' }),
    }));
    await put('many', stream, events);
  }
  const all: { at: number; id: string }[] = [];
  for await (const page of paginateFilterLogEvents({ client: logs, pageSize: 5 }, { logGroupName: 'many' })) {
    all.push(...page.events!.map((event) => ({ at: event.timestamp!, id: event.eventId! })));
  }
  assert.equal(all.length, 12);
  assert.equal(new Set(all.map((event) => event.id)).size, 12);
  assert.deepEqual(
    all.map((event) => event.at),
    all.map((event) => event.at).toSorted((a, b) => a - b),
  );
  const filter = async (more: object) =>
    (await logs.send(new FilterLogEventsCommand({ logGroupName: 'many', ...more }))).events!.length;
  assert.equal(await filter({ filterPattern: '{ $.level = "error" }' }), 6);
  assert.equal(await filter({ logStreamNamePrefix: 'web/' }), 8);
  assert.equal(await filter({ logStreamNames: ['db/1'], startTime: now + 12, endTime: now + 22 }), 2);
  await assert.rejects(filter({ logStreamNames: ['nope'] }), { name: 'ResourceNotFoundException' });
  await assert.rejects(filter({ filterPattern: '{ $.level' }), { name: 'InvalidParameterException' });
  await assert.rejects(filter({ nextToken: 'x' }), { name: 'InvalidParameterException' });
});

test('a thousand events go in at once and come out in order', async () => {
  await makeStream('bulk', 's');
  await put('bulk', 's', lines(1000));
  await put('bulk', 's', lines(1000));
  const { events } = await logs.send(
    new GetLogEventsCommand({ logGroupName: 'bulk', logStreamName: 's', startFromHead: true }),
  );
  assert.equal(events!.length, 2000);
  assert.deepEqual(texts(events!.slice(0, 4)), ['line 0', 'line 0', 'line 1', 'line 1']);
});

test('retention hides at once and deletes in time; deleted streams leave nothing', async () => {
  await makeStream('kept', 's', 'gone');
  await assert.rejects(logs.send(new PutRetentionPolicyCommand({ logGroupName: 'kept', retentionInDays: 2 })), {
    name: 'InvalidParameterException',
  });
  await put('kept', 's', [
    { timestamp: now - 12 * 3_600_000, message: 'old' },
    { timestamp: now, message: 'new' },
  ]);
  await put('kept', 'gone', lines(5));
  await logs.send(new DeleteLogStreamCommand({ logGroupName: 'kept', logStreamName: 'gone' }));
  await logs.send(new PutRetentionPolicyCommand({ logGroupName: 'kept', retentionInDays: 1 }));
  offset = 13 * 3_600_000;
  try {
    const { events } = await logs.send(new GetLogEventsCommand({ logGroupName: 'kept', logStreamName: 's' }));
    assert.deepEqual(texts(events), ['new']);
    const state = createState({ ...opened.parts, clock });
    await sweeper(state, silentLogger).sweep();
    const group = await state.db.selectFrom('logs_group').selectAll().where('name', '=', 'kept').executeTakeFirst();
    const left = await state.db.selectFrom('logs_event').select('message').where('group_id', '=', group!.id).execute();
    assert.deepEqual(texts(left), ['new']);
    assert.equal(group!.stored_bytes, 29);
    assert.deepEqual(await state.db.selectFrom('logs_garbage').selectAll().execute(), []);
  } finally {
    offset = 0;
  }
});
