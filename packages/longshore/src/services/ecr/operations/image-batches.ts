import type {
  BatchDeleteImageRequest,
  BatchDeleteImageResponse,
  BatchGetImageRequest,
  BatchGetImageResponse,
  Image,
  ImageFailure,
  ImageIdentifier,
  PutImageRequest,
  PutImageResponse,
} from '@aws-sdk/client-ecr';
import type { Tx } from '../../../state/store.ts';
import type { Operation } from '../../../wire/service.ts';
import { fault, invalidParameter } from '../faults.ts';
import { imageDeleted, imagePushed } from '../image-events.ts';
import { deleteManifest, findManifest, indexesOf, putManifest, tagsOf } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { recordPull } from '../pulls.ts';
import { requireRepository } from '../repositories.ts';
import { isTag, parseDigest } from '../rules/grammar.ts';
import type { EcrTables } from '../tables.ts';
import { onRepository } from './access.ts';
import { locate, longestTag } from './identifiers.ts';

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html */
export function batchGetImage(ecr: Ecr): Operation<BatchGetImageRequest, BatchGetImageResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input, context) {
      const { name } = await requireRepository(store.db, settings, input);
      const images: Image[] = [];
      const failures: ImageFailure[] = [];
      for (const imageId of input.imageIds ?? []) {
        const found = await locate(store.db, name, imageId);
        const manifest = 'digest' in found ? await findManifest(store.db, name, found.digest) : undefined;
        if (!manifest) {
          failures.push({ imageId, ...found });
          continue;
        }
        if (manifest.image_status === 'ARCHIVED') {
          const failureReason = 'The image is archived: restore it with UpdateImageStorageClass';
          failures.push({ imageId, failureCode: 'ImageInaccessible', failureReason });
          continue;
        }
        await recordPull(ecr, manifest, context.caller);
        images.push({
          registryId: settings.accountId,
          repositoryName: name,
          imageId: { imageDigest: manifest.digest, ...(imageId.imageTag ? { imageTag: imageId.imageTag } : {}) },
          imageManifest: manifest.content,
          imageManifestMediaType: manifest.media_type,
        });
      }
      return { images, failures };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html */
export function batchDeleteImage(ecr: Ecr): Operation<BatchDeleteImageRequest, BatchDeleteImageResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    handle: (input) =>
      store.transaction(async (tx) => {
        const { name } = await requireRepository(tx.db, settings, input);
        const imageIds: ImageIdentifier[] = [];
        const failures: ImageFailure[] = [];
        // An index may stand after its children in the request; it goes before them.
        let waiting = [...(input.imageIds ?? [])];
        for (;;) {
          const held: { imageId: ImageIdentifier; failure: ImageFailure }[] = [];
          for (const imageId of waiting) {
            const outcome = await deleteOne(tx, name, imageId);
            if ('deleted' in outcome) {
              imageIds.push(...outcome.deleted);
              for (const gone of outcome.deleted)
                await imageDeleted(ecr, tx, name, gone.imageDigest ?? '', gone.imageTag);
            } else if (outcome.failureCode === 'ImageReferencedByManifestList')
              held.push({ imageId, failure: { imageId, ...outcome } });
            else failures.push({ imageId, ...outcome });
          }
          if (held.length === 0 || held.length === waiting.length) {
            failures.push(...held.map((one) => one.failure));
            return { imageIds, failures };
          }
          waiting = held.map((one) => one.imageId);
        }
      }),
  };
}

/** By tag only the tag goes, and the image with its last tag; by digest the image with all its tags. */
async function deleteOne(
  tx: Tx<EcrTables>,
  repository: string,
  imageId: ImageIdentifier,
): Promise<{ readonly deleted: readonly ImageIdentifier[] } | Pick<ImageFailure, 'failureCode' | 'failureReason'>> {
  const found = await locate(tx.db, repository, imageId);
  if (!('digest' in found)) return found;
  const { digest } = found;
  const { imageTag } = imageId;
  const tags = (await tagsOf(tx.db, repository, [digest])).get(digest) ?? [];
  if (imageTag !== undefined && tags.length > 1) {
    await tx.db.deleteFrom('ecr_tag').where('repository', '=', repository).where('tag', '=', imageTag).execute();
    tx.changed('ecr.image', `${repository}@${digest}`);
    return { deleted: [{ imageDigest: digest, imageTag }] };
  }
  const indexes = await indexesOf(tx.db, repository, digest);
  if (indexes.length > 0)
    return {
      failureCode: 'ImageReferencedByManifestList',
      failureReason: `Requested image referenced by manifest list: [${indexes.join(', ')}]`,
    };
  await deleteManifest(tx, repository, digest);
  return {
    deleted: tags.length > 0 ? tags.map((tag) => ({ imageDigest: digest, imageTag: tag })) : [{ imageDigest: digest }],
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html */
export function putImage(ecr: Ecr): Operation<PutImageRequest, PutImageResponse> {
  const { settings, store, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { imageManifest = '', imageTag: tag } = input;
      if (tag !== undefined && !isTag(tag, longestTag))
        throw invalidParameter('imageTag', "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,299}'");
      const digest = input.imageDigest === undefined ? undefined : parseDigest(input.imageDigest);
      if (input.imageDigest !== undefined && !digest)
        throw invalidParameter('imageDigest', "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
      const pushed = await store.transaction(async (tx) => {
        const { name } = await requireRepository(tx.db, settings, input);
        const result = await putManifest(tx, settings, {
          repository: name,
          content: Buffer.from(imageManifest),
          mediaType: input.imageManifestMediaType,
          tag,
          digest,
          now: clock.now(),
        });
        await imagePushed(ecr, tx, name, result, tag);
        if (result.unchanged)
          throw fault(
            'ImageAlreadyExistsException',
            `Image with digest '${result.digest}'${tag === undefined ? '' : ` and tag '${tag}'`} already exists in the repository with name '${name}' in registry with id '${settings.accountId}'`,
          );
        return { name, ...result };
      });
      return {
        image: {
          registryId: settings.accountId,
          repositoryName: pushed.name,
          imageId: { imageDigest: pushed.digest, ...(tag === undefined ? {} : { imageTag: tag }) },
          imageManifest,
          imageManifestMediaType: pushed.parsed.mediaType,
        },
      };
    },
  };
}
