import type {
  DescribeImageReplicationStatusRequest,
  DescribeImageReplicationStatusResponse,
  DescribeRegistryResponse,
  ImageReplicationStatus,
  PutReplicationConfigurationRequest,
  PutReplicationConfigurationResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { destinationsPath, endpointOf } from '../replication/destinations.ts';
import { replicationConfiguration } from '../replication/queue.ts';
import { requireRepository } from '../repositories.ts';
import { onRegistry, onRepository } from './access.ts';
import { requireImage } from './identifiers.ts';

/** ECR's quota on destinations over all rules. */
const mostDestinations = 25;

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html */
export function describeRegistry(ecr: Ecr): Operation<object, DescribeRegistryResponse> {
  return {
    access: onRegistry(ecr),
    handle: async () => ({
      registryId: ecr.settings.accountId,
      replicationConfiguration: replicationConfiguration(ecr),
    }),
  };
}

/**
 * Images that are pushed from now on are copied. A destination is another Longshore, which `DATA_DIR/replication.json` must name.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutReplicationConfiguration.html
 */
export function putReplicationConfiguration(
  ecr: Ecr,
): Operation<PutReplicationConfigurationRequest, PutReplicationConfigurationResponse> {
  const { settings, documents } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const rules = input.replicationConfiguration?.rules ?? [];
      const all = new Set<string>();
      for (const { destinations = [] } of rules) {
        if (destinations.length === 0) throw invalidParameter('destinations', 'a rule must have a destination');
        for (const { region = '', registryId = '' } of destinations) {
          if (region === settings.region && registryId === settings.accountId)
            throw invalidParameter('destinations', 'a registry can not be replicated to itself');
          if (!(await endpointOf(settings.dataDir, { region, registryId })))
            throw invalidParameter(
              'destinations',
              `${destinationsPath(settings.dataDir)} must say where "${region}/${registryId}" is served: {"endpoint", "accessKeyId", "secretAccessKey"}`,
            );
          all.add(`${region}/${registryId}`);
        }
      }
      if (all.size > mostDestinations)
        throw invalidParameter('destinations', `must be at most ${mostDestinations} over all rules`);
      await documents.write('replication', JSON.stringify({ rules }));
      return { replicationConfiguration: { rules } };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageReplicationStatus.html */
export function describeImageReplicationStatus(
  ecr: Ecr,
): Operation<DescribeImageReplicationStatusRequest, DescribeImageReplicationStatusResponse> {
  const { store, settings } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const imageId = input.imageId ?? {};
      const digest = await requireImage(store.db, settings.accountId, name, imageId);
      const rows = await store.db
        .selectFrom('ecr_replication')
        .selectAll()
        .where('repository', '=', name)
        .where('digest', '=', digest)
        .$if(imageId.imageTag !== undefined, (query) => query.where('tag', '=', imageId.imageTag ?? ''))
        .orderBy('region')
        .orderBy('registry_id')
        .execute();
      const worst = ['COMPLETE', 'IN_PROGRESS', 'FAILED'];
      const statuses = new Map<string, ImageReplicationStatus & { status: string }>();
      for (const { region, registry_id: registryId, status, failure_code: code } of rows) {
        const key = `${region}/${registryId}`;
        const known = statuses.get(key);
        if (known && worst.indexOf(known.status) >= worst.indexOf(status)) continue;
        statuses.set(key, {
          region,
          registryId,
          status,
          ...(status === 'FAILED' && code ? { failureCode: code } : {}),
        });
      }
      return {
        repositoryName: name,
        imageId: { ...imageId, imageDigest: digest },
        replicationStatuses: [...statuses.values()],
      };
    },
  };
}
