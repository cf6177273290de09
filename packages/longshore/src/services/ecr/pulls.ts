import type { ManifestFacts } from './images.ts';
import type { Ecr } from './parts.ts';

/** ECR promises lastRecordedPullTime to a day (API reference, ImageDetail); a minute spares pulls a write each. */
const precisionMilliseconds = 60_000;

/** Notes that an image was pulled. Never fails a pull. */
export async function recordPull({ store, clock, log }: Ecr, manifest: ManifestFacts): Promise<void> {
  const now = clock.now();
  if (manifest.pulled_at !== null && now - manifest.pulled_at < precisionMilliseconds) return;
  try {
    await store.transaction(async (tx) => {
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
