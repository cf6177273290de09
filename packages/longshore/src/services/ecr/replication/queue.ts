import type { ReplicationConfiguration } from '@aws-sdk/client-ecr';
import type { Tx } from '../../../state/store.ts';
import type { Ecr } from '../parts.ts';
import type { EcrTables } from '../tables.ts';

/** A registry that images are copied to. */
export interface Destination {
  readonly region: string;
  readonly registryId: string;
}

/** The registry's replication rules, as they were put. */
export function replicationConfiguration({ documents }: Pick<Ecr, 'documents'>): ReplicationConfiguration {
  return JSON.parse(documents.text('replication') ?? '{"rules":[]}') as ReplicationConfiguration;
}

/** Where the rules send the images of a repository; every destination once. */
export function destinationsOf(configuration: ReplicationConfiguration, repository: string): readonly Destination[] {
  const found = new Map<string, Destination>();
  for (const { repositoryFilters, destinations } of configuration.rules ?? []) {
    const filters = repositoryFilters ?? [];
    if (filters.length > 0 && !filters.some(({ filter = '' }) => repository.startsWith(filter))) continue;
    for (const { region = '', registryId = '' } of destinations ?? [])
      found.set(`${region}/${registryId}`, { region, registryId });
  }
  return [...found.values()];
}

/** Notes that an image is to be copied to where the rules say. Announces `ecr.replication`. */
export async function enqueueReplication(
  ecr: Pick<Ecr, 'documents' | 'clock'>,
  tx: Tx<EcrTables>,
  repository: string,
  digest: string,
  tag: string | undefined,
): Promise<void> {
  for (const destination of destinationsOf(replicationConfiguration(ecr), repository))
    await enqueueTo(ecr, tx, destination, repository, digest, tag);
}

/** Notes a copy to one destination; one that failed or was made before is made anew. */
export async function enqueueTo(
  { clock }: Pick<Ecr, 'clock'>,
  tx: Tx<EcrTables>,
  { region, registryId }: Destination,
  repository: string,
  digest: string,
  tag: string | undefined,
): Promise<void> {
  const fresh = { status: 'IN_PROGRESS', failure_code: null, attempts: 0, due_at: clock.now() } as const;
  await tx.db
    .insertInto('ecr_replication')
    .values({ repository, digest, tag: tag ?? '', region, registry_id: registryId, ...fresh })
    .onConflict((conflict) =>
      conflict.columns(['repository', 'digest', 'tag', 'region', 'registry_id']).doUpdateSet(fresh),
    )
    .execute();
  tx.changed('ecr.replication', `${repository}@${digest}`);
}
