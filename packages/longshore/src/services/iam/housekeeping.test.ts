import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { housekeeping } from './housekeeping.ts';
import { openTestAccount } from './iam.testing.ts';
import { createIdentities } from './identities.ts';
import { sessionWriter } from './session-writer.ts';
import { createState } from './state.ts';

test('temporary credentials end, and leave the store', async () => {
  let now = Date.now();
  const opened = await openTestAccount();
  try {
    const state = createState({ ...opened.parts, clock: { ...systemClock, now: () => now } });
    const gatekeeper = createGatekeeper(state, createIdentities(state), true);
    const openSession = sessionWriter(state);
    const root = { principal_id: 'root', session_name: null, policies: null, tags: '{}', source_identity: null };
    const short = await openSession(root, 900);
    const long = await openSession(root, 3600);
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

test('sessions asked for at once are written together, and each is there', async () => {
  const opened = await openTestAccount();
  try {
    let transactions = 0;
    const { store } = opened.parts;
    const counted: typeof store = {
      ...store,
      transaction: (work) => {
        transactions++;
        return store.transaction(work);
      },
    };
    const state = createState({ ...opened.parts, store: counted });
    const openSession = sessionWriter(state);
    const root = { principal_id: 'root', session_name: null, policies: null, tags: '{}', source_identity: null };
    const made = await Promise.all(Array.from({ length: 50 }, () => openSession(root, 900)));
    assert.ok(transactions <= 2, `${transactions} transactions`);
    const kept = await state.db.selectFrom('iam_session').select('access_key_id').execute();
    assert.deepEqual(
      kept.map((row) => row.access_key_id).toSorted(),
      made.map((session) => session.accessKeyId).toSorted(),
    );
  } finally {
    await opened.close();
  }
});

test('a session that could not be written is not handed out, and the next one is', async () => {
  const opened = await openTestAccount();
  try {
    let full = true;
    const { store } = opened.parts;
    const failing: typeof store = {
      ...store,
      transaction: (work) => (full ? Promise.reject(new Error('disk full')) : store.transaction(work)),
    };
    const openSession = sessionWriter(createState({ ...opened.parts, store: failing }));
    const root = { principal_id: 'root', session_name: null, policies: null, tags: '{}', source_identity: null };
    await assert.rejects(openSession(root, 900), /disk full/);
    full = false;
    assert.match((await openSession(root, 900)).accessKeyId, /^ASIA/);
  } finally {
    await opened.close();
  }
});
