import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { housekeeping } from './housekeeping.ts';
import { createIdentities } from './identities.ts';
import { openSession } from './sessions.ts';
import { createState } from './state.ts';
import { openTestAccount } from './test-support.ts';

test('temporary credentials end, and leave the store', async () => {
  let now = Date.now();
  const opened = await openTestAccount();
  try {
    const state = createState({ ...opened.parts, clock: { ...systemClock, now: () => now } });
    const gatekeeper = createGatekeeper(state, createIdentities(state), true);
    const root = { principal_id: 'root', session_name: null, policies: null, tags: '{}', source_identity: null };
    const short = await openSession(state, root, 900);
    const long = await openSession(state, root, 3600);
    assert.equal((await gatekeeper.credential(short.accessKeyId))!.expiresAt, now + 900_000);
    now += 901_000;
    await housekeeping(state, gatekeeper, silentLogger).sweep();
    assert.equal(await gatekeeper.credential(short.accessKeyId), undefined);
    assert.ok(await gatekeeper.credential(long.accessKeyId));
    assert.equal((await state.db.selectFrom('iam_session').selectAll().execute()).length, 1);
  } finally {
    await opened.close();
  }
});

test('what another process changed is forgotten', async () => {
  const opened = await openTestAccount();
  const { store } = opened.parts;
  const state = createState(opened.parts);
  const gatekeeper = createGatekeeper(state, createIdentities(state), true);
  const controller = housekeeping(state, gatekeeper, silentLogger);
  await controller.start();
  try {
    assert.ok(await gatekeeper.credential(opened.root.accessKeyId));
    await store.transaction(async (tx) => {
      await tx.db.updateTable('iam_access_key').set({ status: 'Inactive' }).execute();
      tx.changed('iam.identity', 'elsewhere');
    });
    const end = Date.now() + 2_000;
    while ((await gatekeeper.credential(opened.root.accessKeyId)) && Date.now() < end) await systemClock.sleep(10);
    assert.equal(await gatekeeper.credential(opened.root.accessKeyId), undefined);
  } finally {
    await controller.stop();
    await opened.close();
  }
});
