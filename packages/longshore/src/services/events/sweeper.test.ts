import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import { drivenClock } from './events.testing.ts';
import { ingest } from './ingest.ts';
import { createState } from './state.ts';
import { kept, sweeper } from './sweeper.ts';
import { eventsMigrations } from './tables.ts';

test('events go after a day; the newest stays, so that no number comes twice', async (t) => {
  const store = await openSqliteStore({ path: ':memory:', migrations: eventsMigrations, log: silentLogger });
  t.after(() => store.close());
  const clock = drivenClock(Date.parse('2026-11-23T12:00:00Z'));
  const settings = { region: 'eu-west-1', accountId: '111122223333' } as never;
  const state = createState({ store, clock, random: systemRandom, settings, log: silentLogger });
  const put = () =>
    store.transaction((tx) => ingest(state, tx, { source: 'shop', detailType: 'Order', resources: [], detail: '{}' }));
  const sequences = async () => {
    const rows = await state.db.selectFrom('events_event').select('sequence').orderBy('sequence').execute();
    return rows.map((row) => row.sequence);
  };
  await put();
  await put();
  clock.pass(kept.ms / 2);
  await put();
  await sweeper(state).sweep();
  assert.deepEqual(await sequences(), [1, 2, 3]);
  clock.pass(kept.ms / 2 + 1);
  await sweeper(state).sweep();
  assert.deepEqual(await sequences(), [3]);
  clock.pass(kept.ms);
  await sweeper(state).sweep();
  assert.deepEqual(await sequences(), [3]);
  await put();
  assert.deepEqual(await sequences(), [3, 4]);
});
