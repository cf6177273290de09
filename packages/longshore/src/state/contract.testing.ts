import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Migrations, Store } from './store.ts';

interface Tables {
  boat: { name: string; berth: number; doc: string | null };
}

const migrations: Migrations = {
  'boat-001': {
    async up(db) {
      await db.schema
        .createTable('boat')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('berth', 'integer', (column) => column.notNull())
        .addColumn('doc', 'text')
        .execute();
    },
  },
};

/** Opens a backend on the same data each time it is called with the same `place`. */
export type OpenStore = (place: string, migrations: Migrations) => Promise<Store<unknown>>;

/** The promises of `Store`, as tests that any backend can be run against. */
export function storeContract(name: string, open: OpenStore): void {
  let place = 0;
  const withStore = async (run: (store: Store<Tables>, place: string) => Promise<void>) => {
    const here = `place-${++place}`;
    const store = (await open(here, migrations)) as Store<Tables>;
    try {
      await run(store, here);
    } finally {
      await store.close();
    }
  };
  const insert = (store: Store<Tables>, boat: string, berth = 1) =>
    store.transaction(async (tx) => {
      await tx.db.insertInto('boat').values({ name: boat, berth, doc: null }).execute();
      tx.changed('boat', boat);
    });
  const names = async (store: Store<Tables>) =>
    (await store.db.selectFrom('boat').select('name').orderBy('name').execute()).map((row) => row.name);
  const collect = (store: Store<Tables>, from?: number) => {
    const seen: Change[] = [];
    const watch = store.watch(['boat'], async (changes) => void seen.push(...changes), from);
    return { seen, watch };
  };

  test(`${name}: a committed transaction is there for readers and after opening again`, async () => {
    await withStore(async (store, here) => {
      await insert(store, 'ada');
      assert.deepEqual(await names(store), ['ada']);
      await store.close();
      const again = (await open(here, migrations)) as Store<Tables>;
      try {
        assert.deepEqual(await names(again), ['ada']);
      } finally {
        await again.close();
      }
    });
  });

  test(`${name}: a transaction that throws leaves nothing, announces nothing, and its error comes out`, async () => {
    await withStore(async (store) => {
      const { seen } = collect(store);
      const sunk = new Error('sunk');
      await assert.rejects(
        store.transaction(async (tx) => {
          await tx.db.insertInto('boat').values({ name: 'ada', berth: 1, doc: null }).execute();
          tx.changed('boat', 'ada');
          throw sunk;
        }),
        sunk,
      );
      await insert(store, 'bea');
      await eventually(() => seen.length > 0);
      assert.deepEqual(await names(store), ['bea']);
      assert.deepEqual(
        seen.map((change) => change.key),
        ['bea'],
      );
    });
  });

  test(`${name}: transactions run one after another: read-modify-write loses no update`, async () => {
    await withStore(async (store) => {
      await insert(store, 'ada', 0);
      await Promise.all(
        Array.from({ length: 50 }, () =>
          store.transaction(async (tx) => {
            const { berth } = await tx.db
              .selectFrom('boat')
              .select('berth')
              .where('name', '=', 'ada')
              .executeTakeFirstOrThrow();
            await new Promise((resolve) => setImmediate(resolve));
            await tx.db
              .updateTable('boat')
              .set({ berth: berth + 1 })
              .where('name', '=', 'ada')
              .execute();
          }),
        ),
      );
      const row = await store.db.selectFrom('boat').selectAll().executeTakeFirstOrThrow();
      assert.equal(row.berth, 50);
    });
  });

  test(`${name}: readers do not see a transaction that has not committed`, async () => {
    await withStore(async (store) => {
      await store.transaction(async (tx) => {
        await tx.db.insertInto('boat').values({ name: 'ada', berth: 1, doc: null }).execute();
        assert.deepEqual(await names(store), []);
      });
      assert.deepEqual(await names(store), ['ada']);
    });
  });

  test(`${name}: a transaction inside a transaction is refused, not waited for`, async () => {
    await withStore(async (store) => {
      await assert.rejects(
        store.transaction(() => insert(store, 'ada')),
        /inside another/,
      );
      await insert(store, 'bea');
      assert.deepEqual(await names(store), ['bea']);
    });
  });

  test(`${name}: emptied, it has no rows, and goes on from there`, async () => {
    await withStore(async (store) => {
      await insert(store, 'ada');
      const { seen } = collect(store);
      await store.empty();
      assert.deepEqual(await names(store), []);
      await insert(store, 'bea');
      await eventually(() => seen.length === 1);
      assert.deepEqual(await names(store), ['bea']);
    });
  });

  test(`${name}: a watcher gets its topics' changes in order, each once, and no others`, async () => {
    await withStore(async (store) => {
      const { seen } = collect(store);
      await store.transaction(async (tx) => tx.changed('harbour', 'x'));
      for (const boat of ['ada', 'bea', 'cleo']) await insert(store, boat);
      await eventually(() => seen.length >= 3);
      assert.deepEqual(
        seen.map((change) => change.key),
        ['ada', 'bea', 'cleo'],
      );
      assert.ok(seen.every((change, at) => at === 0 || change.sequence > (seen[at - 1]?.sequence ?? 0)));
    });
  });

  test(`${name}: a watcher's calls never overlap; what comes meanwhile comes in the next`, async () => {
    await withStore(async (store) => {
      let running = 0;
      const batches: string[][] = [];
      store.watch(['boat'], async (changes) => {
        assert.equal(++running, 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
        batches.push(changes.map((change) => change.key));
        running--;
      });
      for (const boat of ['ada', 'bea', 'cleo', 'dora']) await insert(store, boat);
      await eventually(() => batches.flat().length === 4);
      assert.deepEqual(batches.flat(), ['ada', 'bea', 'cleo', 'dora']);
      assert.ok(batches.length < 4, 'changes that came during a call were put together');
    });
  });

  test(`${name}: a watcher that throws gets the same changes again`, async () => {
    await withStore(async (store) => {
      const tries: string[][] = [];
      store.watch(['boat'], async (changes) => {
        tries.push(changes.map((change) => change.key));
        if (tries.length === 1) throw new Error('not yet');
      });
      await insert(store, 'ada');
      await eventually(() => tries.length === 2);
      assert.deepEqual(tries, [['ada'], ['ada']]);
    });
  });

  test(`${name}: a watcher that was away gets what it missed, across opening again`, async () => {
    await withStore(async (store, here) => {
      await insert(store, 'ada');
      const first = collect(store, 0);
      await eventually(() => first.seen.length === 1);
      await first.watch.stop();
      await insert(store, 'bea');
      assert.equal(first.seen.length, 1);
      await store.close();
      const again = (await open(here, migrations)) as Store<Tables>;
      try {
        const { seen } = collect(again, first.seen[0]?.sequence ?? 0);
        await insert(again, 'cleo');
        await eventually(() => seen.length >= 2);
        assert.deepEqual(
          seen.map((change) => change.key),
          ['bea', 'cleo'],
        );
      } finally {
        await again.close();
      }
    });
  });
}

async function eventually(holds: () => boolean): Promise<void> {
  const end = Date.now() + 3_000;
  while (!holds()) {
    assert.ok(Date.now() < end, 'waited 3 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
