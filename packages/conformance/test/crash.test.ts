import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from '../../longshore/src/services/ecr/storage/crash-rounds.testing.ts';

test('200 times kill -9 at random moments of pushes: what was answered is there, what is there is whole', {
  timeout: 580_000,
}, async (t) => {
  const figures = await crashRounds(200);
  t.diagnostic(JSON.stringify(figures));
  assert.equal(figures.kills, 200);
  assert.ok(figures.acknowledged > 20 && figures.broken > 20, 'kills came before and after answers');
});
