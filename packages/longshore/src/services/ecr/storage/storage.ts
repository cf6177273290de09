import { join } from 'node:path';
import type { Controller } from '../../../base/controller.ts';
import type { ServiceParts } from '../../contract.ts';
import type { EcrTables } from '../tables.ts';
import { blobFiles } from './blob-files.ts';
import type { BlobStore } from './blob-store.ts';
import { type GarbageCollector, garbageCollector } from './garbage.ts';
import { type GarbagePeriods, garbagePeriods, type Leases, leases } from './leases.ts';
import { blobObjects } from './s3/blob-objects.ts';
import { s3Location } from './s3/location.ts';
import { garbageController, uploadSweeper } from './sweeper.ts';
import { openUploads, type Uploads } from './uploads.ts';

/** Where the registry keeps bytes, and what keeps that clean. */
export interface RegistryStorage {
  readonly files: BlobStore;
  readonly uploads: Uploads;
  readonly leases: Leases;
  readonly garbage: GarbageCollector;
  prepare(): Promise<void>;
  readonly controllers: readonly Controller[];
}

/** The storage that the settings choose. */
export function registryStorage(
  parts: ServiceParts<EcrTables>,
  periods: GarbagePeriods = garbagePeriods,
): RegistryStorage {
  const { blobStore, dataDir } = parts.settings;
  const files =
    blobStore === undefined
      ? blobFiles(join(dataDir, 'registry'))
      : blobObjects(s3Location(blobStore, process.env), parts.clock);
  const uploads = openUploads({ ...parts, files, registryId: parts.settings.accountId });
  const garbage = garbageCollector({ ...parts, files, periods });
  const sweep = { ...parts, uploads, garbage };
  return {
    files,
    uploads,
    leases: leases(parts.store, parts.clock, periods),
    garbage,
    async prepare() {
      await files.prepare();
      await garbage.finishRemovals();
    },
    controllers: [uploadSweeper(sweep), garbageController(sweep)],
  };
}
