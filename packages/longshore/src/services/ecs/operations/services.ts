import type {
  CreateServiceRequest,
  CreateServiceResponse,
  DeleteServiceRequest,
  DeleteServiceResponse,
  DeploymentConfiguration,
  DescribeServicesRequest,
  DescribeServicesResponse,
  ListServicesRequest,
  ListServicesResponse,
  LoadBalancer,
  UpdateServiceRequest,
  UpdateServiceResponse,
} from '@aws-sdk/client-ecs';
import type { AnyOperation, RequestContext } from '../../../wire/service.ts';
import { fault, notYet } from '../faults.ts';
import { activeCluster, definitionOf, launchableDefinition, mergeTags, placeOf, setTags } from '../lookups.ts';
import { serviceArn, toArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import { defaultDeployment, type ServiceDocument, serviceDocument } from '../services/document.ts';
import { newDeployment } from '../services/new-deployment.ts';
import { renderServices } from '../services/render.ts';
import type { ServiceRow, TaskDefinitionRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { checkDefinition, checkNetwork, howToLaunch } from './launching.ts';
import { operation, within } from './table.ts';

const mostTasks = 5_000;

/** Parts of the shape that would be left out in silence. */
function checkSupported(input: Partial<Omit<CreateServiceRequest & UpdateServiceRequest, 'service'>>): void {
  if (input.schedulingStrategy && input.schedulingStrategy !== 'REPLICA')
    throw notYet(`scheduling strategy ${input.schedulingStrategy}`);
  if (input.deploymentController?.type && input.deploymentController.type !== 'ECS')
    throw notYet(`deployment controller ${input.deploymentController.type}`);
  const strategy = input.deploymentConfiguration?.strategy;
  if (strategy && strategy !== 'ROLLING') throw notYet(`deployment strategy ${strategy}`);
  if (input.deploymentConfiguration?.alarms?.enable) throw notYet('deployment alarms');
  if (input.deploymentConfiguration?.lifecycleHooks?.length) throw notYet('deployment lifecycle hooks');
  if (input.serviceRegistries?.length) throw notYet('service registries');
  if (input.serviceConnectConfiguration?.enabled) throw notYet('Service Connect');
  if (input.volumeConfigurations?.length) throw notYet('volume configurations');
  if (input.vpcLatticeConfigurations?.length) throw notYet('VPC Lattice');
  if (input.placementConstraints?.length || input.placementStrategy?.length)
    throw fault(
      'InvalidParameterException',
      'Placement constraints and strategies are not supported with launch type FARGATE.',
    );
}

function checkDeployment({ minimumHealthyPercent = 100, maximumPercent = 200 }: DeploymentConfiguration): void {
  if (minimumHealthyPercent < 0 || maximumPercent < 0)
    throw fault('InvalidParameterException', 'minimumHealthyPercent and maximumPercent must not be negative.');
  if (maximumPercent < 100 && maximumPercent <= minimumHealthyPercent)
    throw fault('InvalidParameterException', 'maximumPercent must be more than minimumHealthyPercent.');
  if (minimumHealthyPercent >= 100 && maximumPercent <= 100)
    throw fault(
      'InvalidParameterException',
      'The combination of minimumHealthyPercent 100 or more and maximumPercent 100 or less leaves no room to deploy.',
    );
}

const wholeDeployment = (
  given: DeploymentConfiguration | undefined,
  before: DeploymentConfiguration = defaultDeployment,
): DeploymentConfiguration => ({
  deploymentCircuitBreaker: { enable: false, rollback: false },
  strategy: 'ROLLING',
  bakeTimeInMinutes: 0,
  ...before,
  ...withoutUndefined(given ?? {}),
});

export function serviceOperations(parts: EcsParts): Record<string, AnyOperation> {
  const { store, clock, elbv2 } = parts;

  async function checkLoadBalancers(
    loadBalancers: readonly LoadBalancer[],
    definition: TaskDefinitionRow,
    vpcId: string,
  ): Promise<void> {
    if (loadBalancers.length > 5) throw fault('InvalidParameterException', 'loadBalancers can have at most 5 items.');
    for (const { targetGroupArn, loadBalancerName, containerName, containerPort } of loadBalancers) {
      if (loadBalancerName) throw notYet('classic load balancers');
      const container = definitionOf(definition).containerDefinitions?.find((one) => one.name === containerName);
      if (!container)
        throw fault(
          'InvalidParameterException',
          `The container ${containerName} does not exist in the task definition.`,
        );
      if (!container.portMappings?.some((port) => port.containerPort === containerPort))
        throw fault(
          'InvalidParameterException',
          `The container ${containerName} did not have a container port ${containerPort} defined.`,
        );
      const group = await elbv2.targetGroup(targetGroupArn ?? '');
      if (!group) throw fault('InvalidParameterException', `The target group ${targetGroupArn} does not exist.`);
      if (group.targetType !== 'ip')
        throw fault(
          'InvalidParameterException',
          `The provided target group ${targetGroupArn} has target type ${group.targetType}, which is incompatible with the awsvpc network mode specified in the task definition.`,
        );
      if (group.loadBalancerArns.length === 0)
        throw fault(
          'InvalidParameterException',
          `The target group with targetGroupArn ${targetGroupArn} does not have an associated load balancer.`,
        );
      if (group.vpcId !== vpcId)
        throw fault(
          'InvalidParameterException',
          `The target group ${targetGroupArn} is in another VPC than the subnets of the service.`,
        );
    }
  }

  async function find(
    context: RequestContext,
    given: string | undefined,
    cluster: string | undefined,
  ): Promise<ServiceRow> {
    const row = await activeCluster(store.db, context, cluster);
    const arn = toArn(placeOf(context), 'service', row.name, given ?? '');
    const found = await store.db.selectFrom('ecs_services').selectAll().where('arn', '=', arn).executeTakeFirst();
    if (!found) throw fault('ServiceNotFoundException', 'Service not found.');
    return found;
  }
  const rendered = async (row: ServiceRow, withTags = true) => {
    const now = await store.db
      .selectFrom('ecs_services')
      .selectAll()
      .where('arn', '=', row.arn)
      .executeTakeFirstOrThrow();
    return (await renderServices(parts, [now], withTags))[0];
  };
  async function defaultGroups(groups: readonly string[] | undefined, vpcId: string): Promise<string[]> {
    if (groups?.length) return [...groups];
    const vpc = await parts.ec2.vpc(vpcId);
    return vpc ? [vpc.defaultGroupId] : [];
  }

  return {
    CreateService: operation<CreateServiceRequest, CreateServiceResponse>(
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
        await checkLoadBalancers(input.loadBalancers ?? [], definition, vpcId);
        const deploymentConfiguration = wholeDeployment(input.deploymentConfiguration);
        checkDeployment(deploymentConfiguration);
        const vpc = input.networkConfiguration?.awsvpcConfiguration;
        const document: ServiceDocument = {
          taskDefinition: definition.arn,
          loadBalancers: (input.loadBalancers ?? []).map((one) => withoutUndefined(one)),
          networkConfiguration: {
            awsvpcConfiguration: {
              subnets: vpc?.subnets,
              securityGroups: await defaultGroups(vpc?.securityGroups, vpcId),
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
        return { service: await rendered(row) };
      },
    ),

    UpdateService: operation<UpdateServiceRequest, UpdateServiceResponse>(
      (input, place) => within('service', input, [input.service ?? ''], place),
      async (input, context) => {
        checkSupported(input as Partial<CreateServiceRequest>);
        if (input.desiredCount !== undefined) checkCount(input.desiredCount);
        const cluster = await activeCluster(store.db, context, input.cluster);
        const service = await find(context, input.service, input.cluster);
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
          await checkLoadBalancers(input.loadBalancers ?? before.loadBalancers, definition, vpcId);
          securityGroups = await defaultGroups(securityGroups, vpcId);
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
        return { service: await rendered(service) };
      },
    ),

    DeleteService: operation<DeleteServiceRequest, DeleteServiceResponse>(
      (input, place) => within('service', input, [input.service ?? ''], place),
      async (input, context) => {
        const service = await find(context, input.service, input.cluster);
        if (service.status !== 'ACTIVE') {
          if (service.status === 'INACTIVE') throw fault('ServiceNotActiveException', 'Service was not ACTIVE.');
          return { service: await rendered(service) };
        }
        await store.transaction(async (tx) => {
          const now = await tx.db
            .selectFrom('ecs_services')
            .selectAll()
            .where('arn', '=', service.arn)
            .executeTakeFirstOrThrow();
          if (now.desiredCount > 0 && !input.force)
            throw fault('InvalidParameterException', 'The service cannot be stopped while it is scaled above 0.');
          await tx.db
            .updateTable('ecs_services')
            .set({ status: 'DRAINING', desiredCount: 0, steady: 0 })
            .where('arn', '=', now.arn)
            .execute();
          tx.changed('ecs.service', now.arn);
        });
        return { service: await rendered(service) };
      },
    ),

    DescribeServices: operation<DescribeServicesRequest, DescribeServicesResponse>(
      (input, place) => within('service', input, input.services ?? [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const given = input.services ?? [];
        if (given.length === 0) throw fault('InvalidParameterException', 'Services cannot be empty.');
        if (given.length > 10) throw fault('InvalidParameterException', 'Services cannot have more than 10 entries.');
        const arns = given.map((one) => toArn(placeOf(context), 'service', cluster.name, one));
        const rows = await store.db
          .selectFrom('ecs_services')
          .selectAll()
          .where('arn', 'in', arns)
          .where('clusterArn', '=', cluster.arn)
          .execute();
        return {
          services: await renderServices(parts, rows, input.include?.includes('TAGS') ?? false),
          failures: arns
            .filter((arn) => !rows.some((row) => row.arn === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),

    ListServices: operation<ListServicesRequest, ListServicesResponse>(
      (input, place) => within('service', input, [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const rows = await store.db
          .selectFrom('ecs_services')
          .selectAll()
          .where('clusterArn', '=', cluster.arn)
          .where('status', '!=', 'INACTIVE')
          .orderBy('arn')
          .execute();
        const fitting = rows.filter(
          (row) =>
            (!input.launchType || serviceDocument(row).launchType === input.launchType) &&
            (!input.schedulingStrategy || input.schedulingStrategy === 'REPLICA'),
        );
        const page = pageOf(fitting, (row) => row.arn, input);
        return { serviceArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
      },
    ),
  };
}

function checkCount(count: number): void {
  if (count < 0 || count > mostTasks)
    throw fault('InvalidParameterException', `desiredCount must be between 0 and ${mostTasks}.`);
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
