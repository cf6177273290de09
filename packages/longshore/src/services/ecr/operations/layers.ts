import type {
  BatchCheckLayerAvailabilityRequest,
  BatchCheckLayerAvailabilityResponse,
  CompleteLayerUploadRequest,
  CompleteLayerUploadResponse,
  GetDownloadUrlForLayerRequest,
  GetDownloadUrlForLayerResponse,
  InitiateLayerUploadRequest,
  InitiateLayerUploadResponse,
  Layer,
  LayerFailure,
  UploadLayerPartRequest,
  UploadLayerPartResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { blobSize, heldBlobs } from '../blobs.ts';
import { fault, invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { parseDigest } from '../rules/grammar.ts';
import { UploadFlaw } from '../storage/uploads.ts';
import { onRepository } from './access.ts';

/** The part size that ECR asks for, and the least that every part but the last may have (API reference, UploadLayerPart). */
const partSize = 10 * 1024 * 1024;
const leastPartSize = 5 * 1024 * 1024;

const layerType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

function uploadNotFound(id: string) {
  return fault('UploadNotFoundException', `The upload with id '${id}' does not exist or has expired`);
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html */
export function initiateLayerUpload(ecr: Ecr): Operation<InitiateLayerUploadRequest, InitiateLayerUploadResponse> {
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(ecr.store.db, ecr.settings, input);
      return { uploadId: await ecr.uploads.begin(name), partSize };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html */
export function uploadLayerPart(ecr: Ecr): Operation<UploadLayerPartRequest, UploadLayerPartResponse> {
  const { settings, store, uploads } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { partFirstByte = 0, partLastByte = 0, layerPartBlob = new Uint8Array() } = input;
      const id = (input.uploadId ?? '').toLowerCase();
      const { name } = await requireRepository(store.db, settings, input);
      const identity = { registryId: settings.accountId, repositoryName: name, uploadId: id };
      if (partLastByte - partFirstByte + 1 !== layerPartBlob.length)
        throw invalidParameter(
          'layerPartBlob',
          `must have the ${partLastByte - partFirstByte + 1} bytes from partFirstByte to partLastByte`,
        );
      try {
        const { offset } = await uploads.append(name, id, {
          body: (async function* () {
            yield layerPartBlob;
          })(),
          start: partFirstByte,
          length: layerPartBlob.length,
        });
        if (layerPartBlob.length < leastPartSize)
          await store.transaction(async (tx) => {
            await tx.db
              .updateTable('ecr_upload')
              .set({ short_part_end: offset })
              .where('id', '=', id)
              .where('short_part_end', 'is', null)
              .execute();
          });
        return { ...identity, lastByteReceived: offset - 1 };
      } catch (error) {
        if (!(error instanceof UploadFlaw)) throw error;
        if (error.reason === 'unknown') throw uploadNotFound(id);
        throw fault('InvalidLayerPartException', `Invalid layer part: ${error.message}`, {
          ...identity,
          lastValidByteReceived: Math.max(0, error.offset - 1),
        });
      }
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CompleteLayerUpload.html */
export function completeLayerUpload(ecr: Ecr): Operation<CompleteLayerUploadRequest, CompleteLayerUploadResponse> {
  const { settings, store, uploads, leases } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const id = (input.uploadId ?? '').toLowerCase();
      const { name } = await requireRepository(store.db, settings, input);
      const layerDigest = (input.layerDigests ?? []).find((text) => parseDigest(text));
      const digest = parseDigest(layerDigest ?? '');
      if (!layerDigest || !digest) throw invalidParameter('layerDigests', 'must have a sha256 digest');
      try {
        const size = await uploads.offset(name, id);
        if (size === 0)
          throw fault('EmptyUploadException', `The upload with id '${id}' does not contain any layer parts`);
        const upload = await store.db
          .selectFrom('ecr_upload')
          .select('short_part_end')
          .where('id', '=', id)
          .executeTakeFirst();
        if (upload && upload.short_part_end !== null && upload.short_part_end < size)
          throw fault('LayerPartTooSmallException', `Layer parts must be at least ${leastPartSize} bytes in size`);
        const there = (await heldBlobs(store.db, name, [layerDigest])).get(layerDigest);
        if (there && (await leases.renew(name, [there])).length === 0) {
          await uploads.cancel(name, id);
          throw fault(
            'LayerAlreadyExistsException',
            `Layer with digest '${layerDigest}' already exists in the repository with name '${name}' in registry with id '${settings.accountId}'`,
          );
        }
        await uploads.finish(name, id, digest);
      } catch (error) {
        if (!(error instanceof UploadFlaw)) throw error;
        if (error.reason === 'unknown') throw uploadNotFound(id);
        throw fault('InvalidLayerException', `Invalid layer: ${error.message}`);
      }
      return { registryId: settings.accountId, repositoryName: name, uploadId: id, layerDigest };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html */
export function batchCheckLayerAvailability(
  ecr: Ecr,
): Operation<BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse> {
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(ecr.store.db, ecr.settings, input);
      const digests = [...new Set(input.layerDigests)];
      const held = await heldBlobs(ecr.store.db, name, digests.filter(parseDigest));
      // Who is told that a layer is there does not upload it: it must stay until the image comes.
      for (const gone of await ecr.leases.renew(name, [...held.values()])) held.delete(gone);
      const layers: Layer[] = [];
      const failures: LayerFailure[] = [];
      for (const layerDigest of digests) {
        const layerSize = held.get(layerDigest)?.size;
        if (layerDigest === '')
          failures.push({
            layerDigest,
            failureCode: 'MissingLayerDigest',
            failureReason: 'Layer digest cannot be empty',
          });
        else if (!parseDigest(layerDigest))
          failures.push({ layerDigest, failureCode: 'InvalidLayerDigest', failureReason: 'Invalid layer digest' });
        else if (layerSize === undefined) layers.push({ layerDigest, layerAvailability: 'UNAVAILABLE' });
        else layers.push({ layerDigest, layerAvailability: 'AVAILABLE', layerSize, mediaType: layerType });
      }
      return { layers, failures };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html */
export function getDownloadUrlForLayer(
  ecr: Ecr,
): Operation<GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse> {
  const { settings, store, signer, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input, context) {
      const { layerDigest = '' } = input;
      const { name } = await requireRepository(store.db, settings, input);
      if ((await blobSize(store.db, name, layerDigest)) === undefined)
        throw fault(
          'LayersNotFoundException',
          `The layer with digest '${layerDigest}' does not exist in the repository with name '${name}' in the registry with id '${settings.accountId}'`,
        );
      const query = signer.downloadQuery(name, layerDigest, clock.now());
      return { downloadUrl: `${context.endpoint}/v2/${name}/blobs/${layerDigest}?${query}`, layerDigest };
    },
  };
}
