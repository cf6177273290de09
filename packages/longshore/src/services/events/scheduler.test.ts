import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CreateLogGroupCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DisableRuleCommand, EnableRuleCommand, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import { eventually } from '../../base/eventually.testing.ts';
import { account, drivenClock, type EventsBench, openEvents, region } from './events.testing.ts';

const start = Date.parse('2026-11-23T12:00:30Z');
const minute = 60_000;

async function open(t: TestContext) {
  const clock = drivenClock(start);
  const bench = await openEvents({ clock });
  t.after(() => bench.close());
  await bench.logs.send(new CreateLogGroupCommand({ logGroupName: 'runs' }));
  return { clock, bench };
}

async function schedule(bench: EventsBench, name: string, ScheduleExpression: string): Promise<void> {
  await bench.events.send(new PutRuleCommand({ Name: name, ScheduleExpression }));
  const Arn = `arn:aws:logs:${region}:${account}:log-group:runs`;
  await bench.events.send(new PutTargetsCommand({ Rule: name, Targets: [{ Id: 'log', Arn }] }));
}

/** Times of the runs, once there are so many and everything is at rest. */
async function runs(bench: EventsBench, count: number): Promise<string[]> {
  const read = async () => {
    const rows = await bench.store.db.selectFrom('events_event').select('body').orderBy('sequence').execute();
    return rows.map((row) => JSON.parse(row.body) as { time: string });
  };
  await eventually(`${count} runs`, async () => (await read()).length >= count);
  await new Promise((resolve) => setTimeout(resolve, 60));
  return (await read()).map((event) => event.time.slice(11, 19));
}

test('cron and rate run when they are due, and tell their targets', async (t) => {
  const { clock, bench } = await open(t);
  await schedule(bench, 'cron', 'cron(0/5 * * * ? *)');
  clock.pass(4.5 * minute);
  assert.deepEqual(await runs(bench, 1), ['12:05:00']);
  clock.pass(5 * minute);
  assert.deepEqual(await runs(bench, 2), ['12:05:00', '12:10:00']);
  const message = await eventually('both in the log', async () => {
    const { events = [] } = await bench.logs.send(new FilterLogEventsCommand({ logGroupName: 'runs' }));
    return events.length === 2 && events[1]?.message;
  });
  const { id: _, ...event } = JSON.parse(message) as { id: string };
  assert.deepEqual(event, {
    version: '0',
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account,
    time: '2026-11-23T12:10:00Z',
    region,
    resources: [`arn:aws:events:${region}:${account}:rule/cron`],
    detail: {},
  });
});

test('a rate counts from the rule’s making; disabled it does not run', async (t) => {
  const { clock, bench } = await open(t);
  await schedule(bench, 'rate', 'rate(2 minutes)');
  clock.pass(2 * minute);
  assert.deepEqual(await runs(bench, 1), ['12:02:30']);
  await bench.events.send(new DisableRuleCommand({ Name: 'rate' }));
  clock.pass(10 * minute);
  assert.equal((await runs(bench, 1)).length, 1);
  await bench.events.send(new EnableRuleCommand({ Name: 'rate' }));
  clock.pass(2 * minute);
  assert.deepEqual(await runs(bench, 2), ['12:02:30', '12:14:30']);
});

test('nothing runs twice over restarts, and what was missed is not made up', async (t) => {
  const { clock, bench } = await open(t);
  await schedule(bench, 'cron', 'cron(* * * * ? *)');
  clock.pass(minute / 2);
  assert.deepEqual(await runs(bench, 1), ['12:01:00']);
  await bench.restart();
  await bench.restart();
  assert.deepEqual(await runs(bench, 1), ['12:01:00']);
  await bench.restart(() => clock.pass(10 * minute + 1_000));
  assert.deepEqual(await runs(bench, 1), ['12:01:00']);
  clock.pass(minute);
  assert.deepEqual(await runs(bench, 2), ['12:01:00', '12:12:00']);
});

test('a rule that is put again as it was goes on as it was', async (t) => {
  const { clock, bench } = await open(t);
  await schedule(bench, 'rate', 'rate(2 minutes)');
  clock.pass(minute);
  await schedule(bench, 'rate', 'rate(2 minutes)');
  clock.pass(minute);
  assert.deepEqual(await runs(bench, 1), ['12:02:30']);
});
