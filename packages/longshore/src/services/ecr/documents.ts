import type { Kysely } from 'kysely';
import type { Controller } from '../../base/controller.ts';
import type { Store, Tx, Watch } from '../../state/store.ts';
import type { Ecr } from './parts.ts';
import { type PullThroughRule, ruleFor } from './pull-through/rules.ts';
import type { EcrTables } from './tables.ts';

/** What the registry keeps as one JSON document each. */
export type DocumentName = 'policy' | 'replication' | 'signing' | `setting:${string}`;

/** Documents and rules of the whole registry, kept in memory: they are asked at every pull. */
export interface RegistryDocuments {
  /** The text of a document; undefined where it was not put. */
  text(name: DocumentName): string | undefined;
  /** Puts a document, or takes it away where undefined is given. Announces `ecr.registry`, key: its name. */
  write(name: DocumentName, text: string | undefined, also?: (tx: Tx<EcrTables>) => Promise<void>): Promise<void>;
  /** The pull-through cache rule that covers a repository. */
  ruleFor(repository: string): PullThroughRule | undefined;
  /** Reads everything anew: at start, and after another process wrote. */
  load(): Promise<void>;
}

export function registryDocuments(store: Store<EcrTables>): RegistryDocuments {
  let known: ReadonlyMap<string, string> = new Map();
  let rules: readonly PullThroughRule[] = [];
  const load = async () => {
    known = await readAll(store.db);
    rules = await store.db.selectFrom('ecr_pull_through_rule').selectAll().execute();
  };
  return {
    text: (name) => known.get(name),
    ruleFor: (repository) => ruleFor(rules, repository),
    async write(name, text, also) {
      await store.transaction(async (tx) => {
        await tx.db.deleteFrom('ecr_registry_document').where('name', '=', name).execute();
        if (text !== undefined)
          await tx.db.insertInto('ecr_registry_document').values({ name, document: text }).execute();
        await also?.(tx);
        tx.changed('ecr.registry', name);
      });
      await load();
    },
    load,
  };
}

async function readAll(db: Kysely<EcrTables>): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom('ecr_registry_document').selectAll().execute();
  return new Map(rows.map((row) => [row.name, row.document]));
}

/** Reads the documents anew when any process wrote one. */
export function documentsKeeper({ store, documents }: Pick<Ecr, 'store' | 'documents'>): Controller {
  let watch: Watch | undefined;
  return {
    name: 'ecr.documents',
    async start() {
      await documents.load();
      watch = store.watch(['ecr.registry'], () => documents.load());
    },
    async stop() {
      await watch?.stop();
    },
  };
}
