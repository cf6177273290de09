import type { Tag } from '@aws-sdk/client-ecs';
import { tagsOf } from '../lookups.ts';
import { lastPart } from '../names.ts';
import type { EcsParts } from '../parts.ts';
import type { LaunchRequest } from '../tasks/launch.ts';
import { revisionDocument } from './document.ts';
import type { Scene } from './scene.ts';

/** The launch of more tasks of a service's primary deployment. */
export async function serviceLaunch(
  { store }: EcsParts,
  { service, document, primary }: Scene,
  count: number,
): Promise<LaunchRequest> {
  if (!primary) throw new Error(`the service ${service.arn} has no primary deployment`);
  const revision = revisionDocument(primary);
  const cluster = await store.db
    .selectFrom('ecs_clusters')
    .selectAll()
    .where('arn', '=', service.clusterArn)
    .executeTakeFirstOrThrow();
  const definition = await store.db
    .selectFrom('ecs_task_definitions')
    .selectAll()
    .where('arn', '=', primary.taskDefinitionArn)
    .executeTakeFirstOrThrow();
  const vpc = revision.networkConfiguration?.awsvpcConfiguration;
  const from =
    document.propagateTags === 'SERVICE'
      ? service.arn
      : document.propagateTags === 'TASK_DEFINITION'
        ? definition.arn
        : undefined;
  const propagated = from ? ((await tagsOf(store.db, [from])).get(from) ?? []) : [];
  const managed: Tag[] = document.enableECSManagedTags
    ? [
        { key: 'aws:ecs:clusterName', value: lastPart(service.clusterArn) },
        { key: 'aws:ecs:serviceName', value: service.name },
      ]
    : [];
  const provider = revision.capacityProviderStrategy?.[0]?.capacityProvider;
  return {
    cluster,
    definition,
    count,
    overrides: {},
    subnets: vpc?.subnets ?? [],
    securityGroups: vpc?.securityGroups ?? [],
    assignPublicIp: vpc?.assignPublicIp === 'ENABLED',
    group: `service:${service.name}`,
    tags: [...propagated, ...managed],
    enableExecuteCommand: document.enableExecuteCommand,
    platformVersion: revision.platformVersion === 'LATEST' ? '1.4.0' : revision.platformVersion,
    ...(provider && { capacityProviderName: provider }),
    service: { arn: service.arn, name: service.name, deploymentId: primary.id, loadBalancers: revision.loadBalancers },
  };
}
