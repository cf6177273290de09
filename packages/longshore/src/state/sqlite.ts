import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, Migrator, sql } from 'kysely';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { ChangeFeed, type ChangeFeedTables, changeFeedMigrations } from './change-feed.ts';
import { sqliteDialect } from './sqlite-dialect.ts';
import type { Migrations, Store } from './store.ts';

export interface SqliteStoreOptions {
  /** A file, or `:memory:` for a store that is gone when it closes. */
  readonly path: string;
  readonly migrations: Migrations;
  readonly log: Logger;
  readonly clock?: Clock;
}

const longestTransactionMs = 30_000;

/**
 * Opens state in a SQLite file, migrated. One connection writes, one reads; in WAL mode neither waits for the other.
 * `synchronous=FULL`: a committed transaction survives a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
// biome-ignore lint/suspicious/noExplicitAny: each service sees the tables that it knows of; the store knows none.
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store<any>> {
  const { log, clock = systemClock } = options;
  // Two connections can't share a ':memory:' database, so a store in memory is a file in a folder that goes with it.
  const folder = options.path === ':memory:' ? mkdtempSync(join(tmpdir(), 'longshore-store-')) : undefined;
  const path = folder ? join(folder, 'state.db') : options.path;
  const writer = openDatabase(path, folder ? 'off' : 'full');
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const writing = new Kysely<any>({ dialect: sqliteDialect(writer) });
  await migrate(writing, { ...changeFeedMigrations, ...options.migrations });
  const reader = openDatabase(path, 'off');
  reader.exec('pragma query_only = on');
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const reading = new Kysely<any>({ dialect: sqliteDialect(reader) });
  const feed = new ChangeFeed(reading as Kysely<ChangeFeedTables>, clock, log);
  await feed.open();

  const inside = new AsyncLocalStorage<true>();
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  const store: Store<ChangeFeedTables> = {
    db: reading,
    watch: (topics, react, from) => feed.watch(topics, (changes) => inside.exit(() => react(changes)), from),
    transaction(work) {
      if (closed) return Promise.reject(new Error('the store is closed'));
      if (inside.getStore()) {
        return Promise.reject(
          new Error('a transaction was opened inside another one, which would wait for itself for ever'),
        );
      }
      const run = async () => {
        const changes = new Map<string, readonly [string, string]>();
        const committed = await writing.transaction().execute(async (db) => {
          const tx = {
            db,
            changed: (topic: string, key: string) => void changes.set(`${topic}\n${key}`, [topic, key]),
          };
          const result = await bounded(
            inside.run(true, () => work(tx)),
            clock,
          );
          return {
            result,
            published:
              changes.size > 0 ? await feed.append(db as unknown as Kysely<ChangeFeedTables>, changes.values()) : [],
          };
        });
        feed.publish(committed.published);
        return committed.result;
      };
      const result = queue.then(run);
      queue = result.catch(() => undefined);
      return result;
    },
    async empty() {
      const tables = await reading.introspection.getTables();
      await store.transaction(async (tx) => {
        // Foreign keys are checked at the commit, so that the order of the tables does not matter.
        await sql`pragma defer_foreign_keys = on`.execute(tx.db);
        for (const { name } of tables)
          if (name !== 'change_feed') await sql`delete from ${sql.table(name)}`.execute(tx.db);
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      await queue;
      await feed.stop();
      reader.close();
      writer.close();
      if (folder) rmSync(folder, { recursive: true, force: true });
    },
  };
  return store;
}

function openDatabase(path: string, synchronous: 'full' | 'off'): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec(
    `pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma foreign_keys = on; pragma temp_store = memory`,
  );
  return database;
}

// biome-ignore lint/suspicious/noExplicitAny: migrations make the tables that types describe
async function migrate(db: Kysely<any>, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // Names are ordered within a service, not between services that came at different times.
    allowUnorderedMigrations: true,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return;
  const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'reading the migrations';
  throw new Error(`the database could not be brought up to date (${failed})`, { cause: error });
}

/** A transaction holds up all writers: one that never ends must not. */
async function bounded<T>(work: Promise<T>, clock: Clock): Promise<T> {
  let cancel: (() => void) | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    cancel = clock.after(longestTransactionMs, () =>
      reject(new Error(`a transaction took longer than ${longestTransactionMs} ms and was rolled back`)),
    );
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    cancel?.();
  }
}
