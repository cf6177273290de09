import { type Kysely, type Selectable, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../../state/store.ts';
import type { ParsedManifest } from '../rules/manifest.ts';
import type { EcrTables } from '../tables.ts';
import { frequencyOf, readConfiguration, type ScanningConfiguration, scanningDocument } from './configuration.ts';

export type ScanRow = Selectable<EcrTables['ecr_image_scan']>;

const imageConfigs: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);

/** Whether a manifest is an image of a container: an index, a signature or an SBOM is none. */
export function isScannable(manifest: Pick<ParsedManifest, 'isIndex' | 'artifactType'>): boolean {
  return !manifest.isIndex && imageConfigs.has(manifest.artifactType ?? '');
}

export async function configurationOf(db: Kysely<EcrTables>): Promise<ScanningConfiguration> {
  const row = await db
    .selectFrom('ecr_registry_document')
    .select('document')
    .where('name', '=', scanningDocument)
    .executeTakeFirst();
  return readConfiguration(row?.document);
}

/** Called in the transaction of a push: asks for a scan where the repository's images are scanned then. Nothing is lost by a crash. */
export async function requestScanOnPush(
  tx: Tx<EcrTables>,
  repository: { readonly name: string; readonly scan_on_push: number },
  digest: string,
  manifest: ParsedManifest,
  now: number,
): Promise<void> {
  if (!isScannable(manifest)) return;
  if (frequencyOf(await configurationOf(tx.db), repository).frequency === 'MANUAL') return;
  await requestScan(tx, repository.name, digest, now);
}

/** Asks for a scan. Findings of an earlier one stay until there are new ones. Announces `ecr.image-scan`, key `REPOSITORY@DIGEST`. */
export async function requestScan(tx: Tx<EcrTables>, repository: string, digest: string, now: number): Promise<void> {
  const fresh = { status: 'PENDING', description: null, requested_at: now, attempts: 0 };
  await tx.db
    .insertInto('ecr_image_scan')
    .values({ repository, digest, ...fresh, completed_at: null, advisories_at: null, counts: null, run: null })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet(fresh))
    .execute();
  tx.changed('ecr.image-scan', `${repository}@${digest}`);
}

export async function findScan(
  db: Kysely<EcrTables>,
  repository: string,
  digest: string,
): Promise<ScanRow | undefined> {
  return db
    .selectFrom('ecr_image_scan')
    .selectAll()
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst();
}

/** Leaves out of a list of `ecr_manifest` the SBOMs that scans stored: whoever counts images finds those that were pushed. */
export const isNoSbom = sql<SqlBool>`not exists (select 1 from ecr_image_sbom
  where ecr_image_sbom.repository = ecr_manifest.repository and ecr_image_sbom.digest = ecr_manifest.digest)`;

/** The scans of images, by digest. */
export async function scansOf(
  db: Kysely<EcrTables>,
  repository: string,
  digests: readonly string[],
): Promise<ReadonlyMap<string, ScanRow>> {
  const scans = new Map<string, ScanRow>();
  for (let at = 0; at < digests.length; at += 500) {
    const rows = await db
      .selectFrom('ecr_image_scan')
      .selectAll()
      .where('repository', '=', repository)
      .where('digest', 'in', digests.slice(at, at + 500))
      .execute();
    for (const row of rows) scans.set(row.digest, row);
  }
  return scans;
}

/**
 * Called when a manifest is deleted: its scan goes, and the SBOMs that we stored for it; their digests, whose own rows the caller deletes.
 */
export async function forgetScan(tx: Tx<EcrTables>, repository: string, digest: string): Promise<readonly string[]> {
  for (const table of ['ecr_image_scan', 'ecr_image_finding'] as const)
    await tx.db.deleteFrom(table).where('repository', '=', repository).where('digest', '=', digest).execute();
  await tx.db
    .deleteFrom('ecr_image_inventory')
    .where('digest', '=', digest)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('ecr_image_scan').select('ecr_image_scan.digest').where('ecr_image_scan.digest', '=', digest),
        ),
      ),
    )
    .execute();
  const sboms = await tx.db
    .selectFrom('ecr_image_sbom')
    .select('digest')
    .where('repository', '=', repository)
    .where('subject', '=', digest)
    .execute();
  await tx.db
    .deleteFrom('ecr_image_sbom')
    .where('repository', '=', repository)
    .where(({ or, eb }) => or([eb('subject', '=', digest), eb('digest', '=', digest)]))
    .execute();
  return sboms.map((row) => row.digest);
}
