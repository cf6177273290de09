import type { UpdateImageStorageClassRequest, UpdateImageStorageClassResponse } from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault, imageNotFound } from '../faults.ts';
import { findManifestFacts, indexesOf } from '../images.ts';
import { setImageStatus } from '../lifecycle-controller.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { onRepository } from './access.ts';
import { locate } from './identifiers.ts';

/**
 * Archives an image, with its signatures and SBOMs, or brings it back, which takes AWS up to 20 minutes and us none.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdateImageStorageClass.html
 */
export function updateImageStorageClass(
  ecr: Ecr,
): Operation<UpdateImageStorageClassRequest, UpdateImageStorageClassResponse> {
  const { store, settings, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const imageId = input.imageId ?? {};
      const status = input.targetStorageClass === 'ARCHIVE' ? 'ARCHIVED' : 'ACTIVE';
      return store.transaction(async (tx) => {
        const { name } = await requireRepository(tx.db, settings, input);
        const found = await locate(tx.db, name, imageId);
        const image = 'digest' in found ? await findManifestFacts(tx.db, name, found.digest) : undefined;
        if (!image) throw imageNotFound(settings.accountId, name, imageId.imageDigest, imageId.imageTag);
        const unsupported = (why: string) => fault('ImageStorageClassUpdateNotSupportedException', why);
        if (image.image_status === status)
          throw unsupported(`The image is already in the storage class ${input.targetStorageClass}`);
        const indexes = await indexesOf(tx.db, name, image.digest);
        if (indexes.length > 0 && status === 'ARCHIVED')
          throw unsupported(`The image is referenced by manifest list: [${indexes.join(', ')}]`);
        const referrers = await tx.db
          .selectFrom('ecr_referrer')
          .select('digest')
          .where('repository', '=', name)
          .where('subject', '=', image.digest)
          .execute();
        for (const { digest } of [image, ...referrers]) await setImageStatus(tx, name, digest, status, clock.now());
        return {
          registryId: settings.accountId,
          repositoryName: name,
          imageId: { ...imageId, imageDigest: image.digest },
          imageStatus: status,
        };
      });
    },
  };
}
