import type { Caller } from '../../wire/service.ts';
import type { ManifestFacts } from './images.ts';
import type { Ecr } from './parts.ts';

/** ECR promises lastRecordedPullTime to a day (API reference, ImageDetail); a minute spares pulls a write each. */
const precisionMilliseconds = 60_000;

/** Notes that an image was pulled, unless by one whose pulls are registered not to count. Never fails a pull. */
export async function recordPull(
  { store, clock, log }: Ecr,
  manifest: ManifestFacts,
  caller?: Caller | undefined,
): Promise<void> {
  const now = clock.now();
  if (manifest.pulled_at !== null && now - manifest.pulled_at < precisionMilliseconds) return;
  try {
    const puller = caller?.roleArn ?? caller?.arn;
    await store.transaction(async (tx) => {
      const excluded =
        puller !== undefined &&
        (await tx.db
          .selectFrom('ecr_pull_time_exclusion')
          .select('principal_arn')
          .where('principal_arn', '=', puller)
          .executeTakeFirst());
      if (excluded) return;
      await tx.db
        .updateTable('ecr_manifest')
        .set({ pulled_at: now })
        .where('repository', '=', manifest.repository)
        .where('digest', '=', manifest.digest)
        .execute();
    });
  } catch (error) {
    log.warn({ err: error, repository: manifest.repository, digest: manifest.digest }, 'could not note a pull');
  }
}
