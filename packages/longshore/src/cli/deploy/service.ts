import { setTimeout as sleep } from 'node:timers/promises';
import type {
  DescribeServicesResponse,
  DescribeTasksResponse,
  ListTasksResponse,
  RegisterTaskDefinitionResponse,
  Service,
} from '@aws-sdk/client-ecs';
import { AwsError, listOf } from '../aws-client.ts';
import { CommandError } from '../output.ts';
import type { Balancer, Network } from './foundation.ts';
import type { Deployment } from './plan.ts';
import { reasonOfStop, type Target, whyUnsteady } from './reasons.ts';

const pollMs = 500;
/** So many tasks that fail to start say that the next one will too. */
const enoughFailures = 3;

/** Registers the task definition's next revision; its ARN. */
export async function registerTaskDefinition(
  { client, request, region }: Deployment,
  parts: { readonly image: string; readonly port: number; readonly roleArn: string; readonly logGroup: string },
): Promise<string> {
  const { taskDefinition } = await client.call<RegisterTaskDefinitionResponse>('ecs', 'RegisterTaskDefinition', {
    family: request.name,
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: request.cpu,
    memory: request.memory,
    executionRoleArn: parts.roleArn,
    containerDefinitions: [
      {
        name: request.name,
        image: parts.image,
        essential: true,
        portMappings: [{ containerPort: parts.port, protocol: 'tcp' }],
        environment: request.environment,
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': parts.logGroup, 'awslogs-region': region, 'awslogs-stream-prefix': request.name },
        },
      },
    ],
  });
  if (!taskDefinition?.taskDefinitionArn) throw new Error('ECS answered no task definition.');
  return taskDefinition.taskDefinitionArn;
}

/** Makes the service, or updates the one that is there, which begins a rolling deployment. */
export async function putService(
  deployment: Deployment,
  parts: {
    readonly taskDefinition: string;
    readonly port: number;
    readonly network: Network;
    readonly balancer: Balancer;
  },
): Promise<'created' | 'updated'> {
  const { client, request } = deployment;
  const { cluster, name, count } = request;
  await client.call('ecs', 'CreateCluster', { clusterName: cluster });
  if ((await describe(deployment))?.status === 'ACTIVE') {
    await client.call('ecs', 'UpdateService', {
      cluster,
      service: name,
      taskDefinition: parts.taskDefinition,
      ...(count === undefined ? {} : { desiredCount: count }),
    });
    return 'updated';
  }
  await client.call('ecs', 'CreateService', {
    cluster,
    serviceName: name,
    taskDefinition: parts.taskDefinition,
    desiredCount: count ?? 1,
    launchType: 'FARGATE',
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: parts.network.subnetIds,
        securityGroups: [parts.network.taskGroupId],
        assignPublicIp: 'ENABLED',
      },
    },
    loadBalancers: [{ targetGroupArn: parts.balancer.targetGroupArn, containerName: name, containerPort: parts.port }],
    healthCheckGracePeriodSeconds: 30,
  });
  return 'created';
}

async function describe({ client, request }: Deployment): Promise<Service | undefined> {
  try {
    const answer = await client.call<DescribeServicesResponse>('ecs', 'DescribeServices', {
      cluster: request.cluster,
      services: [request.name],
    });
    return answer.services?.[0];
  } catch (error) {
    if (error instanceof AwsError && error.code === 'ClusterNotFoundException') return undefined;
    throw error;
  }
}

/**
 * Waits until the service is steady with this revision alone and the load balancer finds every task healthy. Throws CommandError
 * with the tasks' own reasons when they keep failing, or when the time is over.
 */
export async function waitSteady(
  deployment: Deployment,
  taskDefinition: string,
  balancer: Balancer,
  since: number,
): Promise<void> {
  const { client, request, tell } = deployment;
  const until = Date.now() + request.timeoutMs;
  let service: Service | undefined;
  let targets: readonly Target[] = [];
  for (let round = 0; Date.now() < until; round++, await sleep(pollMs)) {
    service = await describe(deployment);
    const { desiredCount = 0, runningCount = 0, deployments = [] } = service ?? {};
    const { TargetHealthDescriptions } = await client.call<{ TargetHealthDescriptions: readonly Target[] }>(
      'elbv2',
      'DescribeTargetHealth',
      { TargetGroupArn: balancer.targetGroupArn },
    );
    targets = listOf(TargetHealthDescriptions);
    const healthy = targets.filter((each) => each.TargetHealth.State === 'healthy').length;
    tell(
      `${runningCount} of ${desiredCount} tasks running, ${healthy} healthy${deployments.length > 1 ? ', the earlier revision still leaves' : ''}`,
    );
    const steady =
      deployments.length === 1 && deployments[0]?.taskDefinition === taskDefinition && runningCount === desiredCount;
    if (steady && healthy >= desiredCount) return;
    if (round % 4 === 3) await giveUpOnFailures(deployment, taskDefinition, since);
  }
  const why = whyUnsteady(service, targets);
  throw new CommandError(`The service was not steady after ${request.timeoutMs / 1000} s.${why ? `\n  ${why}` : ''}`, {
    hint: 'It goes on trying: look with `longshore status`, wait longer with --timeout SECONDS.',
  });
}

async function giveUpOnFailures({ client, request }: Deployment, taskDefinition: string, since: number): Promise<void> {
  const { cluster, name } = request;
  const { taskArns = [] } = await client.call<ListTasksResponse>('ecs', 'ListTasks', {
    cluster,
    serviceName: name,
    desiredStatus: 'STOPPED',
  });
  if (taskArns.length < enoughFailures) return;
  const { tasks = [] } = await client.call<DescribeTasksResponse>('ecs', 'DescribeTasks', {
    cluster,
    tasks: taskArns.slice(0, 100),
  });
  const failed = tasks.filter(
    (task) =>
      task.taskDefinitionArn === taskDefinition &&
      // awsJson sends times as seconds since the epoch.
      Number(task.createdAt) * 1000 >= since &&
      (task.stopCode === 'TaskFailedToStart' || task.stopCode === 'EssentialContainerExited'),
  );
  if (failed.length < enoughFailures) return;
  const reasons = [...new Set(failed.map(reasonOfStop))].slice(0, 3);
  throw new CommandError(`The tasks do not stay up:\n${reasons.map((reason) => `  ${reason}`).join('\n')}`, {
    hint: `What they said: aws --endpoint-url $AWS_ENDPOINT_URL logs tail /ecs/${name}`,
  });
}
