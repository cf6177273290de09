import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextRun, parseSchedule, type Schedule } from './schedule.ts';

const schedule = (expression: string): Schedule => {
  const parsed = parseSchedule(expression);
  assert.ok(parsed, expression);
  return parsed;
};

/** The next runs as text, from a time on. */
function runs(expression: string, from: string, count: number): string[] {
  const parsed = schedule(expression);
  const found: string[] = [];
  let at = Date.parse(from);
  while (found.length < count) {
    const next = nextRun(parsed, at, at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
  return found;
}

test('rates: one minute, two minutes, and nothing that AWS refuses', () => {
  assert.deepEqual(parseSchedule('rate(1 minute)'), { everyMs: 60_000 });
  assert.deepEqual(parseSchedule('rate(12 hours)'), { everyMs: 43_200_000 });
  assert.deepEqual(parseSchedule('rate(1 day)'), { everyMs: 86_400_000 });
  for (const wrong of [
    'rate(1 minutes)',
    'rate(2 minute)',
    'rate(0 minutes)',
    'rate(-1 minutes)',
    'rate(10 seconds)',
    'rate()',
    'rate(10)',
    'rate( 10 minutes )',
    ' rate(10 minutes)',
    'rate(10 MINUTES)',
    'rate(1e9 days)',
    'at(2030-01-01T00:00:00)',
    '',
  ])
    assert.equal(parseSchedule(wrong), undefined, wrong);
});

test('a late run does not move those that follow; missed ones are left out', () => {
  const everyFive = schedule('rate(5 minutes)');
  assert.equal(nextRun(everyFive, 0, 0), 300_000);
  assert.equal(nextRun(everyFive, 310_000, 300_000), 600_000);
  assert.equal(nextRun(everyFive, 1_000_000, 300_000), 1_200_000);
});

test('cron: which expressions are valid', () => {
  for (const right of [
    'cron(0 12 * * ? *)',
    'cron(5,35 14 * * ? *)',
    'cron(0/15 * * * ? *)',
    'cron(15 10 ? * 6L 2002-2005)',
    'cron(0 2 ? * SAT#3 *)',
    'cron(0 18 ? * MON-FRI *)',
    'cron(0 8 L * ? *)',
    'cron(0 8 15W * ? *)',
    'cron(0/5 8-17 ? jan mon-fri *)',
    'cron(0 0 LW * ? *)',
    'cron(1-10/3 * * * ? 2030/2)',
  ])
    schedule(right);
  for (const wrong of [
    'cron(0 1 * * * *)',
    'cron(0 1 ? * ? *)',
    'cron(* * * * *)',
    'cron(60 * * * ? *)',
    'cron(* 24 * * ? *)',
    'cron(* * 0 * ? *)',
    'cron(* * 32 * ? *)',
    'cron(* * * 13 ? *)',
    'cron(* * ? * 8 *)',
    'cron(* * ? * MON#6 *)',
    'cron(* * * * ? 1969)',
    'cron(*/60 * * * ? *)',
    'cron(5-1 * * * ? *)',
    'cron(a * * * ? *)',
    'cron(,* * * * ? *)',
    'cron(1/2/3 * * * ? *)',
    'cron()',
    'cron',
  ])
    assert.equal(parseSchedule(wrong), undefined, wrong);
});

test('cron: when it runs, in UTC', () => {
  assert.deepEqual(runs('cron(0 12 * * ? *)', '2026-11-23T12:00:00Z', 2), ['2026-11-24T12:00', '2026-11-25T12:00']);
  assert.deepEqual(runs('cron(0/20 8-9 ? * MON-FRI *)', '2026-11-20T09:35:00Z', 3), [
    '2026-11-20T09:40',
    '2026-11-23T08:00',
    '2026-11-23T08:20',
  ]);
  assert.deepEqual(runs('cron(0 0 L * ? *)', '2027-01-31T00:00:00Z', 3), [
    '2027-02-28T00:00',
    '2027-03-31T00:00',
    '2027-04-30T00:00',
  ]);
  assert.deepEqual(runs('cron(0 0 L-2 2 ? *)', '2027-12-01T00:00:00Z', 1), ['2028-02-27T00:00']);
  assert.deepEqual(runs('cron(0 0 29 FEB ? *)', '2026-01-01T00:00:00Z', 2), ['2028-02-29T00:00', '2032-02-29T00:00']);
  assert.deepEqual(runs('cron(0 2 ? * SAT#3 *)', '2026-11-23T00:00:00Z', 2), ['2026-12-19T02:00', '2027-01-16T02:00']);
  assert.deepEqual(runs('cron(15 10 ? * 6L *)', '2026-11-23T00:00:00Z', 2), ['2026-11-27T10:15', '2026-12-25T10:15']);
  // 15 August 2026 is a Saturday, 15 November a Sunday.
  assert.deepEqual(runs('cron(0 0 15W 8,11 ? *)', '2026-08-01T00:00:00Z', 2), ['2026-08-14T00:00', '2026-11-16T00:00']);
  assert.deepEqual(runs('cron(0 0 1W 8 ? *)', '2026-01-01T00:00:00Z', 1), ['2026-08-03T00:00']);
  assert.deepEqual(runs('cron(0 0 LW * ? *)', '2026-10-01T00:00:00Z', 2), ['2026-10-30T00:00', '2026-11-30T00:00']);
});

test('cron: what never comes any more', () => {
  assert.deepEqual(runs('cron(15 10 ? * 6L 2002-2005)', '2026-01-01T00:00:00Z', 1), []);
  assert.deepEqual(runs('cron(0 0 31 2 ? *)', '2026-01-01T00:00:00Z', 1), []);
});
