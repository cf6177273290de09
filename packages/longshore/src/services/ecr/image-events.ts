import type { Tx } from '../../state/store.ts';
import type { PushedManifest } from './images.ts';
import type { Ecr } from './parts.ts';
import { enqueueReplication } from './replication/queue.ts';
import type { EcrTables } from './tables.ts';

/** Tells EventBridge, within the transaction that it happens in, where there is one. */
export async function emitEvent(
  { neighbours }: Pick<Ecr, 'neighbours'>,
  tx: Tx<EcrTables>,
  detailType: string,
  detail: object,
  resources: readonly string[] = [],
): Promise<void> {
  await neighbours.events?.emit(tx as unknown as Tx<unknown>, { source: 'aws.ecr', detailType, resources, detail });
}

/** What follows a push (https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html): events, replication. */
export async function imagePushed(
  ecr: Ecr,
  tx: Tx<EcrTables>,
  repository: string,
  { digest, parsed, unchanged }: PushedManifest,
  tag: string | undefined,
): Promise<void> {
  if (unchanged) return;
  await emitEvent(ecr, tx, 'ECR Image Action', {
    result: 'SUCCESS',
    'repository-name': repository,
    'image-digest': digest,
    'action-type': 'PUSH',
    ...(tag === undefined ? {} : { 'image-tag': tag }),
    'manifest-media-type': parsed.mediaType,
    ...(parsed.artifactType === undefined ? {} : { 'artifact-media-type': parsed.artifactType }),
  });
  await enqueueReplication(ecr, tx, repository, digest, tag);
}

export async function imageDeleted(
  ecr: Pick<Ecr, 'neighbours'>,
  tx: Tx<EcrTables>,
  repository: string,
  digest: string,
  tag: string | undefined,
): Promise<void> {
  await emitEvent(ecr, tx, 'ECR Image Action', {
    result: 'SUCCESS',
    'repository-name': repository,
    'image-digest': digest,
    'action-type': 'DELETE',
    ...(tag === undefined ? {} : { 'image-tag': tag }),
  });
}
