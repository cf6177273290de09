import type { CapacityProviderStrategyItem, NetworkConfiguration, TaskOverride } from '@aws-sdk/client-ecs';
import { Fault } from '../../../wire/fault.ts';
import type { RequestContext } from '../../../wire/service.ts';
import { fault, notYet } from '../faults.ts';
import { definitionOf } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import type { ClusterRow, TaskDefinitionRow } from '../tables.ts';
import { isFargateSize, parseCpu, parseMemory } from '../task-definition/sizes.ts';
import { checkRunnable } from '../task-definition/supported.ts';

/** What RunTask and CreateService check alike. */
export interface LaunchInput {
  readonly launchType?: string | undefined;
  readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[] | undefined;
  readonly networkConfiguration?: NetworkConfiguration | undefined;
  readonly platformVersion?: string | undefined;
}

export interface HowToLaunch {
  readonly launchType?: 'FARGATE';
  readonly strategy?: readonly CapacityProviderStrategyItem[];
  readonly platformVersion: string;
}

/**
 * Which capacity a launch goes to: what it names, else the cluster's default strategy, else Fargate, the only one there is.
 * Throws InvalidParameterException, or NotImplementedException for capacity that is not served.
 */
export function howToLaunch(input: LaunchInput, cluster: ClusterRow, definition: TaskDefinitionRow): HowToLaunch {
  const { launchType } = input;
  const given = input.capacityProviderStrategy;
  if (launchType && given?.length)
    throw fault(
      'InvalidParameterException',
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    );
  if (launchType && launchType !== 'FARGATE') throw notYet(`launch type ${launchType}`);
  const fallback = (
    JSON.parse(cluster.document) as { defaultCapacityProviderStrategy?: CapacityProviderStrategyItem[] }
  ).defaultCapacityProviderStrategy;
  const strategy = given?.length ? given : launchType ? undefined : fallback?.length ? fallback : undefined;
  for (const { capacityProvider } of strategy ?? [])
    if (capacityProvider !== 'FARGATE' && capacityProvider !== 'FARGATE_SPOT')
      throw fault(
        'InvalidParameterException',
        `The specified capacity provider '${capacityProvider}' was not found. Specify a valid name or ARN and try again.`,
      );
  if (!definitionOf(definition).compatibilities?.includes('FARGATE'))
    throw fault('InvalidParameterException', 'Task definition does not support launch_type FARGATE.');
  return {
    ...(strategy ? { strategy } : { launchType: 'FARGATE' as const }),
    platformVersion: !input.platformVersion || input.platformVersion === 'LATEST' ? '1.4.0' : input.platformVersion,
  };
}

/** Checks subnets and groups as far as the launch needs them. Throws InvalidParameterException with ECS's words. */
export async function checkNetwork(
  { ec2 }: EcsParts,
  configuration: NetworkConfiguration | undefined,
): Promise<{ readonly vpcId: string }> {
  const vpc = configuration?.awsvpcConfiguration;
  if (!vpc)
    throw fault(
      'InvalidParameterException',
      "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    );
  const subnets = vpc.subnets ?? [];
  if (subnets.length === 0) throw fault('InvalidParameterException', 'subnets can not be empty.');
  if (subnets.length > 16) throw fault('InvalidParameterException', 'subnets can have at most 16 items.');
  if ((vpc.securityGroups?.length ?? 0) > 5)
    throw fault('InvalidParameterException', 'securityGroups can have at most 5 items.');
  const found = await Promise.all(subnets.map((id) => ec2.subnet(id)));
  const missing = subnets.find((_, index) => !found[index]);
  if (missing)
    throw fault(
      'InvalidParameterException',
      `Error retrieving subnet information for [${missing}]: The subnet ID '${missing}' does not exist (ErrorCode: InvalidSubnetID.NotFound)`,
    );
  const vpcId = found[0]?.vpcId ?? '';
  if (found.some((subnet) => subnet?.vpcId !== vpcId))
    throw fault('InvalidParameterException', 'All subnets must belong to the same VPC.');
  for (const id of vpc.securityGroups ?? []) {
    const group = await ec2.securityGroup(id);
    if (!group)
      throw fault(
        'InvalidParameterException',
        `Error retrieving security group information for [${id}]: The security group '${id}' does not exist (ErrorCode: InvalidGroup.NotFound)`,
      );
    if (group.vpcId !== vpcId)
      throw fault(
        'InvalidParameterException',
        `Security Group ${id} does not appear to belong to the same VPC as the input subnets.`,
      );
  }
  return { vpcId };
}

/** iam:PassRole for the roles that tasks of the definition run with, and that what it asks for can be done. */
export async function checkDefinition(
  { iam }: EcsParts,
  context: RequestContext,
  row: TaskDefinitionRow,
  overrides: TaskOverride = {},
): Promise<void> {
  const definition = definitionOf(row);
  checkRunnable(definition);
  const roles = new Set([
    overrides.taskRoleArn ?? definition.taskRoleArn,
    overrides.executionRoleArn ?? definition.executionRoleArn,
  ]);
  for (const role of roles)
    if (role)
      await iam.checkPassRole(context, role, 'ecs-tasks.amazonaws.com').catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'NoSuchEntity')
          throw fault('ClientException', `Role is not valid: ${error.message}`);
        throw error;
      });
  const cpu = parseCpu(overrides.cpu ?? definition.cpu ?? '');
  const memory = parseMemory(overrides.memory ?? definition.memory ?? '');
  if (cpu === undefined || memory === undefined || !isFargateSize(cpu, memory))
    throw fault('ClientException', 'No Fargate configuration exists for given values.');
  const names = new Set(definition.containerDefinitions?.map((container) => container.name));
  for (const { name, environmentFiles, resourceRequirements } of overrides.containerOverrides ?? []) {
    if (!name || !names.has(name))
      throw fault(
        'InvalidParameterException',
        `Override for container named ${name} is not a container in the TaskDefinition.`,
      );
    if (environmentFiles?.length) throw notYet('environmentFiles');
    if (resourceRequirements?.length) throw notYet('resourceRequirements');
  }
}

/** The security groups that a launch names, else the VPC's default group. */
export async function chosenGroups(
  { ec2 }: EcsParts,
  groups: readonly string[] | undefined,
  vpcId: string,
): Promise<string[]> {
  if (groups?.length) return [...groups];
  const vpc = await ec2.vpc(vpcId);
  return vpc ? [vpc.defaultGroupId] : [];
}
