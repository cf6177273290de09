import type { Gatekeeper } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Uploads } from './storage/uploads.ts';
import type { EcrTables } from './tables.ts';
import type { Signer } from './token.ts';

/** What the operations and the registry's handlers share. */
export interface Ecr extends ServiceParts<EcrTables> {
  readonly gatekeeper: Gatekeeper;
  readonly files: BlobStore;
  readonly uploads: Uploads;
  readonly signer: Signer;
}
