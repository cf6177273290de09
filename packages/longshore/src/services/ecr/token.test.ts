import assert from 'node:assert/strict';
import { test } from 'node:test';
import { user } from './rig.testing.ts';
import { signer, tokenMilliseconds } from './token.ts';

const mine = signer(Buffer.alloc(32, 1));
const other = signer(Buffer.alloc(32, 2));

test('a password names its caller for twelve hours', () => {
  const { password, expiresAt } = mine.password(user('ann'), 1000);
  assert.equal(expiresAt, 1000 + tokenMilliseconds);
  assert.deepEqual(mine.verify(password, expiresAt - 1), { caller: user('ann') });
  assert.deepEqual(mine.verify(password, expiresAt), { refused: 'expired' });
});

test('a password ends with the session that asked for it', () => {
  const { password, expiresAt } = mine.password(user('ann'), 1000, 5000);
  assert.equal(expiresAt, 5000);
  assert.deepEqual(mine.verify(password, 5000), { refused: 'expired' });
});

test("a password that was changed, or is another registry's, is none", () => {
  const { password } = mine.password(user('ann'), 1000);
  const { password: bob } = mine.password(user('bob'), 1000);
  const forged = `${bob.split('.')[0]}.${password.split('.')[1]}`;
  for (const text of [
    forged,
    `${password}x`,
    `${password}.x`,
    '',
    '.',
    'hunter2',
    other.password(user('ann'), 0).password,
  ])
    assert.deepEqual(mine.verify(text, 2000), { refused: 'invalid' }, text);
});

test('a download URL is good for one blob and an hour', () => {
  const query = new URLSearchParams(mine.downloadQuery('app', 'sha256:aa', 0));
  assert.equal(mine.verifyDownload('app', 'sha256:aa', query, 10), true);
  assert.equal(mine.verifyDownload('app', 'sha256:ab', query, 10), false);
  assert.equal(mine.verifyDownload('apq', 'sha256:aa', query, 10), false);
  assert.equal(mine.verifyDownload('app', 'sha256:aa', query, 3_600_000), false);
  query.set('expires', '99999999999');
  assert.equal(mine.verifyDownload('app', 'sha256:aa', query, 10), false);
});
