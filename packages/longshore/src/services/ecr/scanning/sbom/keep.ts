import { createHash } from 'node:crypto';
import type { ManifestFacts } from '../../images.ts';
import { putManifest } from '../../images.ts';
import type { Ecr } from '../../parts.ts';
import { mediaTypes } from '../../rules/manifest.ts';
import { sbomMediaType } from './cyclonedx.ts';

const emptyConfig = '{}';
const emptyMediaType = 'application/vnd.oci.empty.v1+json';

/**
 * Stores an SBOM as an artifact that refers to its image (OCI image spec 1.1, "Guidelines for artifact usage"), found by the referrers
 * API. The same SBOM again changes nothing.
 */
export async function keepSbom(
  ecr: Pick<Ecr, 'store' | 'uploads' | 'settings' | 'clock'>,
  image: Pick<ManifestFacts, 'repository' | 'digest' | 'media_type' | 'size'>,
  text: string,
): Promise<void> {
  const { store, uploads, settings, clock } = ecr;
  const { repository } = image;
  const put = async (content: string) => {
    const bytes = Buffer.from(content);
    const hex = createHash('sha256').update(bytes).digest('hex');
    const body = (async function* () {
      yield bytes;
    })();
    await uploads.store(repository, { algorithm: 'sha256', hex }, { body, length: bytes.length });
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = await put(emptyConfig);
  const layer = await put(text);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: sbomMediaType,
    config: { mediaType: emptyMediaType, ...config },
    layers: [
      { mediaType: sbomMediaType, ...layer, annotations: { 'org.opencontainers.image.title': 'sbom.cdx.json' } },
    ],
    subject: { mediaType: image.media_type, digest: image.digest, size: image.size },
  });
  await store.transaction(async (tx) => {
    const subject = await tx.db
      .selectFrom('ecr_manifest')
      .select('digest')
      .where('repository', '=', repository)
      .where('digest', '=', image.digest)
      .executeTakeFirst();
    if (!subject) return;
    const { digest } = await putManifest(tx, settings, {
      repository,
      content: Buffer.from(manifest),
      mediaType: mediaTypes.ociManifest,
      tag: undefined,
      digest: undefined,
      now: clock.now(),
    });
    await tx.db
      .insertInto('ecr_image_sbom')
      .values({ repository, subject: image.digest, digest })
      .onConflict((conflict) => conflict.columns(['repository', 'digest']).doNothing())
      .execute();
  });
}
