import type { Service, ServiceParts } from '../contract.ts';
import type { EcrContract } from './contract.ts';
import { tellingOfFullDisk } from './disk-full.ts';
import { registryDocuments } from './documents.ts';
import { governanceControllers } from './governance.ts';
import { resolveReference } from './images.ts';
import { getAuthorizationToken } from './operations/authorization.ts';
import { governanceOperations } from './operations/governance.ts';
import { batchDeleteImage, batchGetImage, putImage } from './operations/image-batches.ts';
import { describeImages, listImages } from './operations/images.ts';
import {
  batchCheckLayerAvailability,
  completeLayerUpload,
  getDownloadUrlForLayer,
  initiateLayerUpload,
  uploadLayerPart,
} from './operations/layers.ts';
import { createRepository, deleteRepository, describeRepositories } from './operations/repositories.ts';
import { putImageScanningConfiguration, putImageTagMutability } from './operations/repository-settings.ts';
import { listTagsForResource, tagResource, untagResource } from './operations/tags.ts';
import type { Ecr, EcrNeighbours } from './parts.ts';
import { openPullThrough } from './pull-through/cache.ts';
import { registryRoute } from './registry/route.ts';
import { sendBuffers } from './registry/send-bytes.ts';
import { imageScanning } from './scanning/scanning.ts';
import { registryStorage } from './storage/storage.ts';
import type { EcrTables } from './tables.ts';
import { openSigner, type Signer } from './token.ts';

export type { EcrNeighbours } from './parts.ts';

/** Amazon ECR and its registry at `/v2/`. Files are kept below `DATA_DIR/registry`. */
export function ecrService(parts: ServiceParts<EcrTables>, neighbours: EcrNeighbours): Service<EcrContract> {
  const storage = registryStorage(parts, neighbours.garbagePeriods);
  let opened: Signer | undefined;
  const signer = () => {
    if (!opened) throw new Error('ECR is asked something before its prepare() was called');
    return opened;
  };
  const ecr: Ecr = {
    ...parts,
    gatekeeper: neighbours.iam.gatekeeper,
    neighbours,
    documents: registryDocuments(parts.store),
    get pullThrough() {
      return pullThrough;
    },
    files: storage.files,
    uploads: storage.uploads,
    leases: storage.leases,
    sendBuffers: sendBuffers(),
    signer: {
      password: (...given) => signer().password(...given),
      verify: (...given) => signer().verify(...given),
      downloadQuery: (...given) => signer().downloadQuery(...given),
      verifyDownload: (...given) => signer().verifyDownload(...given),
    },
  };
  const pullThrough = openPullThrough(ecr);
  const scanning = imageScanning(ecr, parts.settings.scanner?.length ? { external: parts.settings.scanner } : {});
  return {
    definition: {
      name: 'ecr',
      iamPrefix: 'ecr',
      operations: tellingOfFullDisk({
        BatchCheckLayerAvailability: batchCheckLayerAvailability(ecr),
        BatchDeleteImage: batchDeleteImage(ecr),
        BatchGetImage: batchGetImage(ecr),
        CompleteLayerUpload: completeLayerUpload(ecr),
        CreateRepository: createRepository(ecr),
        DeleteRepository: deleteRepository(ecr),
        DescribeImages: describeImages(ecr),
        DescribeRepositories: describeRepositories(ecr),
        GetAuthorizationToken: getAuthorizationToken(ecr),
        GetDownloadUrlForLayer: getDownloadUrlForLayer(ecr),
        InitiateLayerUpload: initiateLayerUpload(ecr),
        ListImages: listImages(ecr),
        ListTagsForResource: listTagsForResource(ecr),
        PutImage: putImage(ecr),
        PutImageScanningConfiguration: putImageScanningConfiguration(ecr),
        PutImageTagMutability: putImageTagMutability(ecr),
        TagResource: tagResource(ecr),
        UntagResource: untagResource(ecr),
        UploadLayerPart: uploadLayerPart(ecr),
        ...governanceOperations(ecr),
        ...scanning.operations,
      }),
      routes: [registryRoute(ecr), ...scanning.routes],
    },
    async prepare() {
      await storage.prepare();
      opened = await openSigner(parts.store);
      await ecr.documents.load();
    },
    controllers: [...storage.controllers, ...governanceControllers(ecr), ...scanning.controllers],
    contract: {
      imageDigest: (repositoryName, reference) => resolveReference(parts.store.db, repositoryName, reference),
    },
  };
}
