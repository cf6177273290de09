import type { Gatekeeper } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { EventsContract } from '../events/contract.ts';
import type { IamContract } from '../iam/contract.ts';
import type { RegistryDocuments } from './documents.ts';
import type { PullThrough } from './pull-through/cache.ts';
import type { Buffers } from './registry/send-bytes.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { GarbagePeriods, Leases } from './storage/leases.ts';
import type { Uploads } from './storage/uploads.ts';
import type { EcrTables } from './tables.ts';
import type { Signer } from './token.ts';

/** What ECR asks of other services. */
export interface EcrNeighbours {
  readonly iam: Pick<IamContract, 'gatekeeper' | 'resourcePolicyFlaw'>;
  /** EventBridge; without it nobody is told of events. */
  readonly events?: Pick<EventsContract, 'emit'>;
  /** Images that tasks use, as ECS tells them; lifecycle policies leave them alone. */
  readonly imagesInUse?: () => Promise<readonly string[]>;
  /** The text of a secret by its ARN; undefined where there is none. Beside it, files are looked into (pull-through/secrets.ts). */
  readonly secret?: (arn: string) => Promise<string | undefined>;
  /** How long clean-up waits, where it is not the usual. */
  readonly garbagePeriods?: GarbagePeriods;
}

/** What the operations and the registry's handlers share. */
export interface Ecr extends ServiceParts<EcrTables> {
  readonly gatekeeper: Gatekeeper;
  readonly neighbours: EcrNeighbours;
  readonly documents: RegistryDocuments;
  readonly pullThrough: PullThrough;
  readonly files: BlobStore;
  readonly uploads: Uploads;
  readonly leases: Leases;
  readonly sendBuffers: Buffers;
  readonly signer: Signer;
}
