import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Change, Migrations, Watch } from './store.ts';

export interface ChangeFeedTables {
  change_feed: { sequence: number; topic: string; key: string };
}

export const changeFeedMigrations: Migrations = {
  '000-change-feed': {
    async up(db) {
      await db.schema
        .createTable('change_feed')
        .addColumn('sequence', 'integer', (column) => column.primaryKey())
        .addColumn('topic', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .execute();
    },
  },
};

/** How many changes the feed keeps for a watcher that comes back. */
const kept = 10_000;
const firstPauseMs = 100;
const longestPauseMs = 10_000;

/** Hands committed changes to those who watch their topics. */
export class ChangeFeed {
  readonly #db: Kysely<ChangeFeedTables>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watchers = new Map<string, Set<Watcher>>();
  #sequence = 0;

  constructor(db: Kysely<ChangeFeedTables>, clock: Clock, log: Logger) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reads where the feed stands. Before the first append. */
  async open(): Promise<void> {
    const row = await this.#db
      .selectFrom('change_feed')
      .select((eb) => eb.fn.max('sequence').as('last'))
      .executeTakeFirst();
    this.#sequence = Number(row?.last ?? 0);
  }

  /** Writes the changes of a transaction into it, at its end; `publish` what it answers once the transaction has committed. */
  async append(
    db: Kysely<ChangeFeedTables>,
    changes: Iterable<readonly [topic: string, key: string]>,
  ): Promise<Change[]> {
    const rows = Array.from(changes, ([topic, key]) => ({ sequence: ++this.#sequence, topic, key }));
    for (let start = 0; start < rows.length; start += 200) {
      await db
        .insertInto('change_feed')
        .values(rows.slice(start, start + 200))
        .execute();
    }
    if (rows.some((row) => row.sequence % 1000 === 0)) {
      await db
        .deleteFrom('change_feed')
        .where('sequence', '<=', this.#sequence - kept)
        .execute();
    }
    return rows;
  }

  publish(changes: readonly Change[]): void {
    for (const change of changes) for (const watcher of this.#watchers.get(change.topic) ?? []) watcher.add(change);
  }

  watch(topics: readonly string[], react: (changes: readonly Change[]) => Promise<void>, from?: number): Watch {
    const watcher = new Watcher(topics, react, this.#clock, this.#log);
    for (const topic of topics) {
      const set = this.#watchers.get(topic) ?? new Set();
      this.#watchers.set(topic, set.add(watcher));
    }
    if (from !== undefined) watcher.replay(() => this.#since(topics, from));
    return {
      stop: async () => {
        for (const topic of topics) this.#watchers.get(topic)?.delete(watcher);
        await watcher.stop();
      },
    };
  }

  async stop(): Promise<void> {
    const all = new Set([...this.#watchers.values()].flatMap((set) => [...set]));
    this.#watchers.clear();
    await Promise.all([...all].map((watcher) => watcher.stop()));
  }

  #since(topics: readonly string[], from: number): Promise<Change[]> {
    return this.#db
      .selectFrom('change_feed')
      .selectAll()
      .where('sequence', '>', from)
      .where('topic', 'in', topics)
      .orderBy('sequence')
      .execute();
  }
}

/** One watch: collects changes while `react` runs, and calls it again with what has come. */
class Watcher {
  readonly #topics: readonly string[];
  readonly #react: (changes: readonly Change[]) => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ended = new AbortController();
  #pending: Change[] = [];
  #replay: (() => Promise<readonly Change[]>) | undefined;
  #running: Promise<void> | undefined;

  constructor(
    topics: readonly string[],
    react: (changes: readonly Change[]) => Promise<void>,
    clock: Clock,
    log: Logger,
  ) {
    this.#topics = topics;
    this.#react = react;
    this.#clock = clock;
    this.#log = log;
  }

  add(change: Change): void {
    this.#pending.push(change);
    this.#running ??= this.#run();
  }

  replay(read: () => Promise<readonly Change[]>): void {
    this.#replay = read;
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pause = firstPauseMs;
    // Lets the publisher finish its own batch first, so that one transaction's changes come together.
    await Promise.resolve();
    while (!this.#ended.signal.aborted && (this.#pending.length > 0 || this.#replay)) {
      let batch: readonly Change[] = [];
      try {
        if (this.#replay) {
          const missed = await this.#replay();
          this.#replay = undefined;
          const last = missed.at(-1)?.sequence ?? 0;
          this.#pending = [...missed, ...this.#pending.filter((change) => change.sequence > last)];
        }
        batch = this.#pending;
        this.#pending = [];
        if (batch.length > 0) await this.#react(batch);
        pause = firstPauseMs;
      } catch (error) {
        this.#pending = [...batch, ...this.#pending];
        this.#log.error({ err: error, topics: this.#topics, retryInMs: pause }, 'reacting to changes failed');
        await this.#clock.sleep(pause, this.#ended.signal).catch(() => undefined);
        pause = Math.min(pause * 2, longestPauseMs);
      }
    }
    this.#running = undefined;
  }
}
