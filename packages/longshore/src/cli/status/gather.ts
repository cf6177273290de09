import type {
  Cluster,
  ContainerInstance,
  DescribeClustersResponse,
  DescribeContainerInstancesResponse,
  DescribeServicesResponse,
  DescribeTasksResponse,
  Service,
  Task,
} from '@aws-sdk/client-ecs';
import { fargateCluster } from '../../node/settings.ts';
import { type AwsClient, AwsError, listOf } from '../aws-client.ts';

export interface ClusterStatus {
  readonly cluster: Cluster;
  readonly services: readonly Service[];
  /** Those that are to run, and those that stopped not long ago. */
  readonly tasks: readonly Task[];
}

export interface BalancerStatus {
  readonly name: string;
  readonly state: string;
  readonly url: string;
  readonly healthy: number;
  readonly targets: number;
  /** Why targets are not healthy, each reason once. */
  readonly reasons: readonly string[];
}

export interface Status {
  readonly clusters: readonly ClusterStatus[];
  readonly balancers: readonly BalancerStatus[];
  readonly nodes: readonly ContainerInstance[];
}

/** All that `longshore status` shows, asked as any AWS client asks. */
export async function gather(client: AwsClient): Promise<Status> {
  const clusterArns = await pages(client, 'ListClusters', {}, 'clusterArns');
  const { clusters = [] } = await client.call<DescribeClustersResponse>('ecs', 'DescribeClusters', {
    clusters: clusterArns,
  });
  const names = [...new Set([fargateCluster, ...clusters.map((cluster) => cluster.clusterName as string)])];
  const [states, balancers, nodes] = await Promise.all([
    Promise.all(
      clusters
        .filter((cluster) => cluster.clusterName !== fargateCluster)
        .map((cluster) => clusterStatus(client, cluster)),
    ),
    balancerStates(client),
    Promise.all(names.map((name) => instances(client, name))),
  ]);
  return { clusters: states, balancers, nodes: nodes.flat() };
}

async function clusterStatus(client: AwsClient, cluster: Cluster): Promise<ClusterStatus> {
  const within = { cluster: cluster.clusterArn };
  const [serviceArns, running, stopped] = await Promise.all([
    pages(client, 'ListServices', within, 'serviceArns'),
    pages(client, 'ListTasks', { ...within, desiredStatus: 'RUNNING' }, 'taskArns'),
    pages(client, 'ListTasks', { ...within, desiredStatus: 'STOPPED' }, 'taskArns'),
  ]);
  // DescribeServices takes ten at a time, DescribeTasks a hundred.
  const services = await inGroups(serviceArns, 10, (group) =>
    client
      .call<DescribeServicesResponse>('ecs', 'DescribeServices', { ...within, services: group })
      .then((answer) => answer.services ?? []),
  );
  const tasks = await inGroups([...running, ...stopped], 100, (group) =>
    client
      .call<DescribeTasksResponse>('ecs', 'DescribeTasks', { ...within, tasks: group })
      .then((answer) => answer.tasks ?? []),
  );
  return { cluster, services, tasks };
}

async function instances(client: AwsClient, cluster: string): Promise<readonly ContainerInstance[]> {
  try {
    const arns = await pages(client, 'ListContainerInstances', { cluster }, 'containerInstanceArns');
    return await inGroups(arns, 100, (containerInstances) =>
      client
        .call<DescribeContainerInstancesResponse>('ecs', 'DescribeContainerInstances', { cluster, containerInstances })
        .then((answer) => answer.containerInstances ?? []),
    );
  } catch (error) {
    // The hidden cluster is there only once a node has registered.
    if (error instanceof AwsError && error.code === 'ClusterNotFoundException') return [];
    throw error;
  }
}

interface Named {
  readonly [name: string]: string;
}

async function balancerStates(client: AwsClient): Promise<readonly BalancerStatus[]> {
  const { LoadBalancers } = await client.call<{ LoadBalancers: readonly (Named & { State: Named })[] }>(
    'elbv2',
    'DescribeLoadBalancers',
  );
  return Promise.all(
    listOf(LoadBalancers).map(async (balancer) => {
      const of = { LoadBalancerArn: balancer.LoadBalancerArn };
      const [{ Listeners }, { TargetGroups }] = await Promise.all([
        client.call<{ Listeners: readonly Named[] }>('elbv2', 'DescribeListeners', of),
        client.call<{ TargetGroups: readonly Named[] }>('elbv2', 'DescribeTargetGroups', of),
      ]);
      const health = await Promise.all(
        listOf(TargetGroups).map(({ TargetGroupArn }) =>
          client.call<{ TargetHealthDescriptions: readonly { TargetHealth: Named }[] }>(
            'elbv2',
            'DescribeTargetHealth',
            { TargetGroupArn },
          ),
        ),
      );
      const targets = health
        .flatMap((answer) => listOf(answer.TargetHealthDescriptions))
        .map((each) => each.TargetHealth);
      const listener = listOf(Listeners)[0];
      const scheme = listener?.Protocol === 'HTTPS' ? 'https' : 'http';
      const port = !listener || listener.Port === '80' || listener.Port === '443' ? '' : `:${listener.Port}`;
      return {
        name: balancer.LoadBalancerName as string,
        state: balancer.State?.Code ?? 'unknown',
        url: `${scheme}://${balancer.DNSName}${port}/`,
        healthy: targets.filter((target) => target.State === 'healthy').length,
        targets: targets.filter((target) => target.State !== 'draining').length,
        reasons: [
          ...new Set(
            targets.flatMap((target) => (target.State === 'healthy' ? [] : (target.Description ?? target.State ?? []))),
          ),
        ],
      };
    }),
  );
}

/** Every page of a list of ARNs; at most a thousand. */
async function pages(client: AwsClient, operation: string, input: object, member: string): Promise<string[]> {
  const arns: string[] = [];
  let nextToken: string | undefined;
  do {
    const answer = await client.call<Record<string, string[]> & { nextToken?: string }>('ecs', operation, {
      ...input,
      ...(nextToken ? { nextToken } : {}),
    });
    arns.push(...(answer[member] ?? []));
    nextToken = answer.nextToken as string | undefined;
  } while (nextToken && arns.length < 1000);
  return arns;
}

async function inGroups<T>(
  items: readonly string[],
  size: number,
  ask: (group: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const groups = Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
  return (await Promise.all(groups.map(ask))).flat();
}
