import type {
  CreateServiceRequest,
  DeploymentConfiguration,
  LoadBalancer,
  UpdateServiceRequest,
} from '@aws-sdk/client-ecs';
import { fault, notYet } from '../faults.ts';
import { definitionOf } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import { defaultDeployment } from '../services/document.ts';
import type { TaskDefinitionRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';

const mostTasks = 5_000;

/** Throws for parts of the shape that would be left out in silence: NotImplementedException, or what Fargate does not take. */
export function checkSupported(input: Partial<Omit<CreateServiceRequest & UpdateServiceRequest, 'service'>>): void {
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

/** Throws InvalidParameterException for percentages that leave no room to deploy. */
export function checkDeployment({ minimumHealthyPercent = 100, maximumPercent = 200 }: DeploymentConfiguration): void {
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

/** What a caller gave of a deployment configuration, with all that was not given as before. */
export const wholeDeployment = (
  given: DeploymentConfiguration | undefined,
  before: DeploymentConfiguration = defaultDeployment,
): DeploymentConfiguration => ({
  deploymentCircuitBreaker: { enable: false, rollback: false },
  strategy: 'ROLLING',
  bakeTimeInMinutes: 0,
  ...before,
  ...withoutUndefined(given ?? {}),
});

/** Whether tasks of a definition can be targets of what a service names. Throws InvalidParameterException with ECS's words. */
export async function checkLoadBalancers(
  { elbv2 }: EcsParts,
  loadBalancers: readonly LoadBalancer[],
  definition: TaskDefinitionRow,
  vpcId: string,
): Promise<void> {
  if (loadBalancers.length > 5) throw fault('InvalidParameterException', 'loadBalancers can have at most 5 items.');
  for (const { targetGroupArn, loadBalancerName, containerName, containerPort } of loadBalancers) {
    if (loadBalancerName) throw notYet('classic load balancers');
    const container = definitionOf(definition).containerDefinitions?.find((one) => one.name === containerName);
    if (!container)
      throw fault('InvalidParameterException', `The container ${containerName} does not exist in the task definition.`);
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

/** Throws InvalidParameterException for a desired count that no service can have. */
export function checkCount(count: number): void {
  if (count < 0 || count > mostTasks)
    throw fault('InvalidParameterException', `desiredCount must be between 0 and ${mostTasks}.`);
}
