import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, table } from './table.ts';

test('columns are as wide as they need, and no line passes the width', () => {
  assert.deepEqual(table(['A', 'BB'], [['one', 'two']], 80), ['A    BB', 'one  two']);
  const lines = table(['NAME', 'WHY'], [['a', 'x'.repeat(100)]], 30);
  assert.ok(lines.every((line) => line.length <= 30));
  assert.ok(lines[1]?.endsWith('…'));
});

test('ages are told in one unit', () => {
  const told = [0, 119, 120, 7199, 7200, 172_800].map((seconds) => age(0, seconds * 1000));
  assert.deepEqual(told, ['0 s', '119 s', '2 min', '119 min', '2 h', '2 d']);
});
