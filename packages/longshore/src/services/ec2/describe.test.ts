import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescribeRequest, describe } from './describe.ts';

test('pages follow each other, also where the item that a token names is gone', () => {
  const page = (ids: readonly string[], request: DescribeRequest) =>
    describe(ids, request, { id: (id) => id, tags: () => [], fields: {} });
  const first = page(['c', 'a', 'b', 'd'], { MaxResults: 2 });
  assert.deepEqual(first.items, ['a', 'b']);
  const rest = page(['c', 'a', 'd'], { MaxResults: 2, NextToken: first.next.NextToken });
  assert.deepEqual(rest, { items: ['c', 'd'], next: {} });
  assert.throws(() => page(['a'], { NextToken: 'nonsense' }), { code: 'InvalidNextToken' });
});
