import type { Kysely, Migration, Transaction } from 'kysely';

/** Something that a committed transaction changed, for those who react to it. */
export interface Change {
  /** Grows by one with every change; never reused. */
  readonly sequence: number;
  /** What kind of thing, e.g. `ecs.task`. */
  readonly topic: string;
  /** Which one, e.g. the task's ARN. */
  readonly key: string;
}

/** A transaction: all of it is kept, or none. */
export interface Tx<Tables> {
  readonly db: Transaction<Tables>;
  /** Announces a change to the feed when, and only when, the transaction commits. */
  changed(topic: string, key: string): void;
}

/**
 * State. Knows nothing of its backend: queries are Kysely's, and so run on each.
 * A transaction's work must only await queries of its own `tx` (never I/O or another transaction).
 */
export interface Store<Tables> {
  /** Committed state, for reads that need no transaction. */
  readonly db: Kysely<Tables>;
  /** Runs `work` alone: writers are serialised. What was acknowledged survives a power cut. Throws what `work` throws. */
  transaction<T>(work: (tx: Tx<Tables>) => Promise<T>): Promise<T>;
  /**
   * Calls `react` with the changes of the given topics, in order, in batches, one call at a time: while a call runs further changes
   * collect. A throwing `react` gets the same batch again after a growing pause. The answer ends the watch, after a running call.
   * With `from`, changes after that sequence come first, as far as the feed still has them.
   */
  watch(topics: readonly string[], react: (changes: readonly Change[]) => Promise<void>, from?: number): Watch;
  /** Deletes every row that services have made; tables and the feed's numbering stay. Announces nothing. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface Watch {
  stop(): Promise<void>;
}

/** A service's tables, made in the order of the names; a name never changes once it has landed. */
export type Migrations = Readonly<Record<string, Migration>>;
