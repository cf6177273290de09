import type { CreateServiceRequest, CreateServiceResponse } from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { activeCluster, launchableDefinition, mergeTags, placeOf, setTags } from '../lookups.ts';
import { serviceArn } from '../names.ts';
import type { EcsParts } from '../parts.ts';
import type { ServiceDocument } from '../services/document.ts';
import { newDeployment } from '../services/new-deployment.ts';
import { renderService } from '../services/render.ts';
import type { ServiceRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { checkDefinition, checkNetwork, chosenGroups, howToLaunch } from './launching.ts';
import { checkCount, checkDeployment, checkLoadBalancers, checkSupported, wholeDeployment } from './service-checks.ts';
import { operation, within } from './table.ts';

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html */
export function createService(parts: EcsParts): AnyOperation {
  const { store, clock } = parts;
  return operation<CreateServiceRequest, CreateServiceResponse>(
    (input, place) => within('service', input, [input.serviceName ?? ''], place),
    async (input, context) => {
      const name = input.serviceName ?? '';
      if (!/^[A-Za-z0-9_-]{1,255}$/.test(name))
        throw fault(
          'InvalidParameterException',
          'Invalid service name: it has up to 255 letters, numbers, hyphens and underscores.',
        );
      checkSupported(input);
      const desiredCount = input.desiredCount ?? 1;
      checkCount(desiredCount);
      const cluster = await activeCluster(store.db, context, input.cluster);
      if (cluster.hidden) throw fault('ClusterNotFoundException', 'Cluster not found.');
      if (!input.taskDefinition) throw fault('InvalidParameterException', 'TaskDefinition can not be blank.');
      const definition = await launchableDefinition(store.db, context, input.taskDefinition);
      const how = howToLaunch(input, cluster, definition);
      const { vpcId } = await checkNetwork(parts, input.networkConfiguration);
      await checkDefinition(parts, context, definition);
      await checkLoadBalancers(parts, input.loadBalancers ?? [], definition, vpcId);
      const deploymentConfiguration = wholeDeployment(input.deploymentConfiguration);
      checkDeployment(deploymentConfiguration);
      const vpc = input.networkConfiguration?.awsvpcConfiguration;
      const document: ServiceDocument = {
        taskDefinition: definition.arn,
        loadBalancers: (input.loadBalancers ?? []).map((one) => withoutUndefined(one)),
        networkConfiguration: {
          awsvpcConfiguration: {
            subnets: vpc?.subnets,
            securityGroups: await chosenGroups(parts, vpc?.securityGroups, vpcId),
            assignPublicIp: vpc?.assignPublicIp ?? 'DISABLED',
          },
        },
        deploymentConfiguration,
        ...(how.launchType && { launchType: how.launchType }),
        ...(how.strategy && { capacityProviderStrategy: how.strategy }),
        platformVersion: input.platformVersion ?? 'LATEST',
        propagateTags: input.propagateTags ?? 'NONE',
        enableECSManagedTags: input.enableECSManagedTags ?? false,
        enableExecuteCommand: input.enableExecuteCommand ?? false,
        healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds ?? 0,
        availabilityZoneRebalancing: input.availabilityZoneRebalancing ?? 'ENABLED',
      };
      const row: ServiceRow = {
        arn: serviceArn(placeOf(context), cluster.name, name),
        clusterArn: cluster.arn,
        name,
        status: 'ACTIVE',
        desiredCount,
        steady: 0,
        document: JSON.stringify(document),
        createdAt: clock.now(),
        createdBy: context.caller.arn,
      };
      const tags = mergeTags([], input.tags ?? []);
      await parts.iam.ensureServiceLinkedRole('ecs.amazonaws.com');
      await store.transaction(async (tx) => {
        const before = await tx.db
          .selectFrom('ecs_services')
          .select(['status', 'document', 'desiredCount'])
          .where('arn', '=', row.arn)
          .executeTakeFirst();
        if (before?.status === 'DRAINING')
          throw fault('InvalidParameterException', 'Unable to Start a service that is still Draining.');
        if (before?.status === 'ACTIVE') {
          if (before.document === row.document && before.desiredCount === desiredCount && input.clientToken) return;
          throw fault('InvalidParameterException', 'Creation of service was not idempotent.');
        }
        for (const table of ['ecs_deployments', 'ecs_service_events'] as const)
          await tx.db.deleteFrom(table).where('serviceArn', '=', row.arn).execute();
        await tx.db.updateTable('ecs_tasks').set({ counted: 1 }).where('serviceArn', '=', row.arn).execute();
        await tx.db.deleteFrom('ecs_services').where('arn', '=', row.arn).execute();
        await tx.db.insertInto('ecs_services').values(row).execute();
        await setTags(tx.db, row.arn, tags);
        await newDeployment(parts, tx, row, definition);
        tx.changed('ecs.service', row.arn);
      });
      return { service: await renderService(parts, row.arn) };
    },
  );
}
