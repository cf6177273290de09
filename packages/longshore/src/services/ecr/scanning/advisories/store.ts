import { setImmediate as breathe } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Clock } from '../../../../base/clock.ts';
import type { Random } from '../../../../base/random.ts';
import type { Store } from '../../../../state/store.ts';
import type { EcrTables } from '../../tables.ts';
import type { Format, Statement } from './model.ts';

/** Rows written or removed in one transaction, so that an import of a million holds nobody up. */
const batch = 300;

export interface SourceSummary {
  readonly name: string;
  readonly format: string;
  /** Milliseconds since the epoch. */
  readonly importedAt: number;
  readonly updatedAt: number;
  readonly advisories: number;
  readonly overlays: number;
  readonly ecosystems: readonly string[];
}

/** The advisories that images are compared with. Announces `ecr.advisories`, key: the source. */
export interface AdvisoryStore {
  list(): Promise<readonly SourceSummary[]>;
  /**
   * Replaces all that a source said by what it says now. Readers see the old statements or the new ones, never some of each; where
   * `statements` throws, the old ones stay.
   */
  replace(name: string, format: Format, statements: AsyncIterable<Statement>): Promise<SourceSummary>;
  /** Whether there was such a source. */
  remove(name: string): Promise<boolean>;
  /** Removes what imports left behind that a crash cut off. At start, before the first import. */
  sweep(): Promise<void>;
  /** Documents of the advisories of these packages, which are JSON text. */
  advisories(keys: readonly { readonly ecosystem: string; readonly name: string }[]): Promise<readonly string[]>;
  overlays(ids: readonly string[]): Promise<readonly string[]>;
}

export function advisoryStore({
  store,
  clock,
  random,
}: {
  readonly store: Store<EcrTables>;
  readonly clock: Clock;
  readonly random: Random;
}): AdvisoryStore {
  const running = new Set<string>();

  /** Removes a source's rows of another generation than the one that counts. */
  async function prune(source: string, generation: string | undefined): Promise<void> {
    for (const table of ['ecr_advisory', 'ecr_advisory_overlay'] as const)
      for (;;) {
        const old = await store.db
          .selectFrom(table)
          .select(['generation', 'sequence'])
          .where('source', '=', source)
          .$if(generation !== undefined, (query) => query.where('generation', '!=', generation as string))
          .limit(1)
          .executeTakeFirst();
        if (!old) break;
        await store.transaction(async (tx) => {
          await tx.db
            .deleteFrom(table)
            .where('source', '=', source)
            .where('generation', '=', old.generation)
            .where('sequence', 'in', (select) =>
              select
                .selectFrom(table)
                .select('sequence')
                .where('source', '=', source)
                .where('generation', '=', old.generation)
                .orderBy('sequence')
                .limit(batch * 4),
            )
            .execute();
        });
        await breathe();
      }
  }

  return {
    async list() {
      const rows = await store.db.selectFrom('ecr_advisory_source').selectAll().orderBy('name').execute();
      return rows.map((row) => ({
        name: row.name,
        format: row.format,
        importedAt: row.imported_at,
        updatedAt: row.updated_at,
        advisories: row.advisories,
        overlays: row.overlays,
        ecosystems: JSON.parse(row.ecosystems) as string[],
      }));
    },

    async replace(name, format, statements) {
      if (running.has(name)) throw new Error(`advisories of ${name} are being imported already`);
      running.add(name);
      const generation = random.uuid();
      const ecosystems = new Set<string>();
      let updatedAt = 0;
      let advisories = 0;
      let overlays = 0;
      let waiting: Statement[] = [];
      const flush = async () => {
        const rows = waiting;
        waiting = [];
        const common = (sequence: number) => ({ source: name, generation, sequence });
        const firstAdvisory = advisories;
        const firstOverlay = overlays;
        const advisoryRows = rows.flatMap((row) => ('advisory' in row ? [row.advisory] : []));
        const overlayRows = rows.flatMap((row) => ('overlay' in row ? [row.overlay] : []));
        advisories += advisoryRows.length;
        overlays += overlayRows.length;
        await store.transaction(async (tx) => {
          if (advisoryRows.length > 0)
            await tx.db
              .insertInto('ecr_advisory')
              .values(
                advisoryRows.map((advisory, index) => ({
                  ...common(firstAdvisory + index),
                  ecosystem: advisory.ecosystem,
                  name: advisory.name,
                  document: JSON.stringify(advisory),
                })),
              )
              .execute();
          if (overlayRows.length > 0)
            await tx.db
              .insertInto('ecr_advisory_overlay')
              .values(
                overlayRows.map((overlay, index) => ({
                  ...common(firstOverlay + index),
                  id: overlay.id,
                  document: JSON.stringify(overlay),
                })),
              )
              .execute();
        });
        await breathe();
      };
      try {
        for await (const statement of statements) {
          if ('advisory' in statement) {
            ecosystems.add(statement.advisory.ecosystem);
            updatedAt = Math.max(updatedAt, statement.advisory.modifiedAt ?? 0);
          }
          waiting.push(statement);
          if (waiting.length >= batch) await flush();
        }
        await flush();
        const row = {
          name,
          format,
          generation,
          imported_at: clock.now(),
          updated_at: updatedAt || clock.now(),
          advisories,
          overlays,
          ecosystems: JSON.stringify([...ecosystems].sort()),
        };
        await store.transaction(async (tx) => {
          const { name: _, ...rest } = row;
          await tx.db
            .insertInto('ecr_advisory_source')
            .values(row)
            .onConflict((conflict) => conflict.column('name').doUpdateSet(rest))
            .execute();
          tx.changed('ecr.advisories', name);
        });
        await prune(name, generation);
        return {
          name,
          format,
          importedAt: row.imported_at,
          updatedAt: row.updated_at,
          advisories,
          overlays,
          ecosystems: [...ecosystems].sort(),
        };
      } catch (error) {
        await prune(name, await generationOf(store.db, name)).catch(() => {});
        throw error;
      } finally {
        running.delete(name);
      }
    },

    async remove(name) {
      const removed = await store.transaction(async (tx) => {
        const { numDeletedRows } = await tx.db
          .deleteFrom('ecr_advisory_source')
          .where('name', '=', name)
          .executeTakeFirst();
        if (numDeletedRows > 0n) tx.changed('ecr.advisories', name);
        return numDeletedRows > 0n;
      });
      if (!running.has(name)) await prune(name, undefined);
      return removed;
    },

    async sweep() {
      for (const table of ['ecr_advisory', 'ecr_advisory_overlay'] as const)
        for (let after = ''; ; ) {
          const next = await store.db
            .selectFrom(table)
            .select('source')
            .where('source', '>', after)
            .orderBy('source')
            .limit(1)
            .executeTakeFirst();
          if (!next) break;
          after = next.source;
          if (!running.has(after)) await prune(after, await generationOf(store.db, after));
        }
    },

    async advisories(keys) {
      const found: string[] = [];
      for (let at = 0; at < keys.length; at += 100) {
        const wanted = keys.slice(at, at + 100);
        const rows = await store.db
          .selectFrom('ecr_advisory')
          .innerJoin('ecr_advisory_source', (join) =>
            join
              .onRef('ecr_advisory_source.name', '=', 'ecr_advisory.source')
              .onRef('ecr_advisory_source.generation', '=', 'ecr_advisory.generation'),
          )
          .select('ecr_advisory.document')
          .where(({ or, and, eb }) =>
            or(
              wanted.map(({ ecosystem, name }) =>
                and([eb('ecr_advisory.ecosystem', '=', ecosystem), eb('ecr_advisory.name', '=', name)]),
              ),
            ),
          )
          .execute();
        for (const row of rows) found.push(row.document);
        await breathe();
      }
      return found;
    },

    async overlays(ids) {
      const found: string[] = [];
      for (let at = 0; at < ids.length; at += batch) {
        const rows = await store.db
          .selectFrom('ecr_advisory_overlay')
          .innerJoin('ecr_advisory_source', (join) =>
            join
              .onRef('ecr_advisory_source.name', '=', 'ecr_advisory_overlay.source')
              .onRef('ecr_advisory_source.generation', '=', 'ecr_advisory_overlay.generation'),
          )
          .select('ecr_advisory_overlay.document')
          .where('ecr_advisory_overlay.id', 'in', ids.slice(at, at + batch))
          .execute();
        for (const row of rows) found.push(row.document);
        await breathe();
      }
      return found;
    },
  };
}

async function generationOf(db: Kysely<EcrTables>, name: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('ecr_advisory_source')
    .select('generation')
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.generation;
}
