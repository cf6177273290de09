import type { CreateServiceRequest, UpdateServiceRequest, UpdateServiceResponse } from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { activeCluster, findService, launchableDefinition } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import { type ServiceDocument, serviceDocument } from '../services/document.ts';
import { newDeployment } from '../services/new-deployment.ts';
import { renderService } from '../services/render.ts';
import type { ServiceRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { checkDefinition, checkNetwork, chosenGroups, howToLaunch } from './launching.ts';
import { checkCount, checkDeployment, checkLoadBalancers, checkSupported, wholeDeployment } from './service-checks.ts';
import { operation, within } from './table.ts';

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html */
export function updateService(parts: EcsParts): AnyOperation {
  const { store, clock } = parts;
  return operation<UpdateServiceRequest, UpdateServiceResponse>(
    (input, place) => within('service', input, [input.service ?? ''], place),
    async (input, context) => {
      checkSupported(input as Partial<CreateServiceRequest>);
      if (input.desiredCount !== undefined) checkCount(input.desiredCount);
      const cluster = await activeCluster(store.db, context, input.cluster);
      const service = await findService(store.db, context, input.cluster, input.service);
      if (service.status !== 'ACTIVE') throw fault('ServiceNotActiveException', 'Service was not ACTIVE.');
      const before = serviceDocument(service);
      const definition = await launchableDefinition(
        store.db,
        context,
        input.taskDefinition ?? before.taskDefinition,
      ).catch((error: unknown) => {
        if (input.taskDefinition || input.forceNewDeployment) throw error;
        return undefined;
      });
      const how = input.capacityProviderStrategy && definition ? howToLaunch(input, cluster, definition) : undefined;
      const network = input.networkConfiguration ?? before.networkConfiguration;
      const vpc = network?.awsvpcConfiguration;
      const redeploys =
        input.forceNewDeployment ||
        (definition && definition.arn !== before.taskDefinition) ||
        input.networkConfiguration ||
        input.loadBalancers ||
        input.platformVersion ||
        how;
      let securityGroups = vpc?.securityGroups;
      if (redeploys && definition) {
        const { vpcId } = await checkNetwork(parts, network);
        await checkDefinition(parts, context, definition);
        await checkLoadBalancers(parts, input.loadBalancers ?? before.loadBalancers, definition, vpcId);
        securityGroups = await chosenGroups(parts, securityGroups, vpcId);
      }
      const deploymentConfiguration = wholeDeployment(input.deploymentConfiguration, before.deploymentConfiguration);
      checkDeployment(deploymentConfiguration);
      const { launchType, capacityProviderStrategy, ...rest } = before;
      const document: ServiceDocument = withoutUndefined({
        ...rest,
        ...(how ? { capacityProviderStrategy: how.strategy } : { launchType, capacityProviderStrategy }),
        taskDefinition: definition?.arn ?? before.taskDefinition,
        deploymentConfiguration,
        loadBalancers: input.loadBalancers ?? before.loadBalancers,
        ...(vpc && {
          networkConfiguration: {
            awsvpcConfiguration: {
              subnets: vpc.subnets,
              securityGroups,
              assignPublicIp: vpc.assignPublicIp ?? 'DISABLED',
            },
          },
        }),
        platformVersion: input.platformVersion ?? before.platformVersion,
        propagateTags: input.propagateTags ?? before.propagateTags,
        enableECSManagedTags: input.enableECSManagedTags ?? before.enableECSManagedTags,
        enableExecuteCommand: input.enableExecuteCommand ?? before.enableExecuteCommand,
        healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds ?? before.healthCheckGracePeriodSeconds,
        availabilityZoneRebalancing: input.availabilityZoneRebalancing ?? before.availabilityZoneRebalancing,
      }) as ServiceDocument;
      const text = JSON.stringify(document);
      await store.transaction(async (tx) => {
        const now = await tx.db
          .selectFrom('ecs_services')
          .selectAll()
          .where('arn', '=', service.arn)
          .executeTakeFirst();
        if (now?.status !== 'ACTIVE') throw fault('ServiceNotActiveException', 'Service was not ACTIVE.');
        const next: ServiceRow = { ...now, document: text, desiredCount: input.desiredCount ?? now.desiredCount };
        await tx.db
          .updateTable('ecs_services')
          .set({ document: text, desiredCount: next.desiredCount })
          .where('arn', '=', now.arn)
          .execute();
        if (next.desiredCount !== now.desiredCount)
          await tx.db
            .updateTable('ecs_deployments')
            .set({ updatedAt: clock.now() })
            .where('serviceArn', '=', now.arn)
            .where('status', '=', 'PRIMARY')
            .execute();
        if (redeploys && definition && (input.forceNewDeployment || revised(document) !== revised(before)))
          await newDeployment(parts, tx, next, definition);
        tx.changed('ecs.service', now.arn);
      });
      return { service: await renderService(parts, service.arn) };
    },
  );
}

/** What of a service a deployment is made for, to tell whether it changed. */
const revised = ({
  taskDefinition,
  loadBalancers,
  networkConfiguration,
  capacityProviderStrategy,
  platformVersion,
}: ServiceDocument) => {
  const { subnets, securityGroups, assignPublicIp } = networkConfiguration?.awsvpcConfiguration ?? {};
  return JSON.stringify([
    taskDefinition,
    loadBalancers,
    subnets,
    securityGroups,
    assignPublicIp,
    capacityProviderStrategy,
    platformVersion,
  ]);
};
