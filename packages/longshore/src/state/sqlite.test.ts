import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { storeContract } from './contract.testing.ts';
import { openSqliteStore } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'longshore-state-'));
after(() => rmSync(folder, { recursive: true }));

storeContract('sqlite', (place, migrations) =>
  openSqliteStore({ path: join(folder, `${place}.db`), migrations, log: silentLogger }),
);

test('sqlite: a store in memory leaves no file behind', async () => {
  const store = await openSqliteStore({ path: ':memory:', migrations: {}, log: silentLogger });
  const [{ file }] = (await store.db.selectFrom('pragma_database_list').select('file').execute()) as [{ file: string }];
  assert.ok(existsSync(file));
  await store.close();
  assert.ok(!existsSync(file));
});

test('sqlite: the reading side refuses to write', async () => {
  const store = await openSqliteStore({ path: ':memory:', migrations: {}, log: silentLogger });
  await assert.rejects(store.db.deleteFrom('change_feed').execute(), /readonly|query_only|read/i);
  await store.close();
});
