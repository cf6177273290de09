import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFilters, exactValues, type Filter } from './filters.ts';

interface Thing {
  readonly id: string;
  readonly flag: boolean;
  readonly groups: readonly string[];
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
}

const things: readonly Thing[] = [
  { id: 'vpc-1', flag: true, groups: ['a', 'b'], tags: [{ Key: 'Name', Value: 'web*prod' }] },
  { id: 'vpc-12', flag: false, groups: [], tags: [{ Key: 'Name', Value: 'webXprod' }] },
  { id: 'subnet-1', flag: false, groups: ['b'], tags: [] },
];

function matching(...filters: Filter[]): string[] {
  const matches = compileFilters(
    filters,
    { id: (thing: Thing) => thing.id, flag: (thing) => thing.flag, 'group-id': (thing) => thing.groups },
    (thing) => thing.tags,
    (name) => {
      throw new Error(`unknown ${name}`);
    },
  );
  return things.filter(matches).map((thing) => thing.id);
}

test('any value of a filter and all filters must match', () => {
  assert.deepEqual(matching(), ['vpc-1', 'vpc-12', 'subnet-1']);
  assert.deepEqual(matching({ Name: 'id', Values: ['vpc-1', 'subnet-1'] }), ['vpc-1', 'subnet-1']);
  assert.deepEqual(matching({ Name: 'group-id', Values: ['b'] }, { Name: 'flag', Values: ['false'] }), ['subnet-1']);
  assert.deepEqual(matching({ Name: 'id', Values: [] }), []);
  assert.throws(() => matching({ Name: 'toString', Values: ['x'] }), /unknown toString/);
});

test('wildcards match, and a backslash makes them plain', () => {
  assert.deepEqual(matching({ Name: 'id', Values: ['vpc-*'] }), ['vpc-1', 'vpc-12']);
  assert.deepEqual(matching({ Name: 'id', Values: ['vpc-??'] }), ['vpc-12']);
  assert.deepEqual(matching({ Name: 'id', Values: ['*-1'] }), ['vpc-1', 'subnet-1']);
  assert.deepEqual(matching({ Name: 'tag:Name', Values: ['web*prod'] }), ['vpc-1', 'vpc-12']);
  assert.deepEqual(matching({ Name: 'tag:Name', Values: ['web\\*prod'] }), ['vpc-1']);
  assert.deepEqual(matching({ Name: 'id', Values: ['vpc.1'] }), []);
});

test('a pattern made to stall a matcher does not', () => {
  const pattern = `${'*a'.repeat(200)}b`;
  const matches = compileFilters(
    [{ Name: 'id', Values: [pattern] }],
    { id: (text: string) => text },
    () => [],
    () => {
      throw new Error('unknown');
    },
  );
  const started = performance.now();
  assert.equal(matches('a'.repeat(10_000)), false);
  assert.ok(performance.now() - started < 2000);
});

test('tags are found by key and by value', () => {
  assert.deepEqual(matching({ Name: 'tag-key', Values: ['Name'] }), ['vpc-1', 'vpc-12']);
  assert.deepEqual(matching({ Name: 'tag-value', Values: ['webXprod'] }), ['vpc-12']);
  assert.deepEqual(exactValues([{ Name: 'id', Values: ['a', 'b'] }], 'id'), ['a', 'b']);
  assert.equal(exactValues([{ Name: 'id', Values: ['a*'] }], 'id'), undefined);
});
