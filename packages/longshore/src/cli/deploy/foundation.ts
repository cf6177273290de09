import { AwsError, listOf } from '../aws-client.ts';
import { CommandError } from '../output.ts';
import type { Deployment } from './plan.ts';

/** Answers of the query protocols, by the names that they have in XML. */
interface Named {
  readonly [name: string]: string;
}

export interface Network {
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly balancerGroupId: string;
  readonly taskGroupId: string;
}

export interface Balancer {
  readonly arn: string;
  readonly dnsName: string;
  readonly targetGroupArn: string;
}

const executionRole = 'ecsTaskExecutionRole';
const executionPolicy = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';

/** Answers undefined where the call fails with one of the codes: what was asked for is not there, or is there already. */
async function unless<T>(codes: readonly string[], call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AwsError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

export async function ensureLogGroup({ client }: Deployment, logGroupName: string): Promise<void> {
  await unless(['ResourceAlreadyExistsException'], client.call('logs', 'CreateLogGroup', { logGroupName }));
}

/** The role by which the agent pulls and writes logs for the task, as the console makes it; its ARN. */
export async function ensureExecutionRole({ client, tell }: Deployment): Promise<string> {
  const found = await unless(
    ['NoSuchEntity', 'NoSuchEntityException'],
    client.call<{ Role: Named }>('iam', 'GetRole', { RoleName: executionRole }),
  );
  if (found) return found.Role.Arn as string;
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  };
  const made = await client.call<{ Role: Named }>('iam', 'CreateRole', {
    RoleName: executionRole,
    AssumeRolePolicyDocument: JSON.stringify(trust),
  });
  await client.call('iam', 'AttachRolePolicy', { RoleName: executionRole, PolicyArn: executionPolicy });
  tell(`made role ${executionRole}`);
  return made.Role.Arn as string;
}

/** The default VPC with its subnets, and two security groups: anyone may reach the load balancer, only it may reach the tasks. */
export async function ensureNetwork(deployment: Deployment, port: number): Promise<Network> {
  const { client, request } = deployment;
  const filter = (name: string, value: string) => ({ Name: name, Value: [value] });
  const { vpcSet } = await client.call<{ vpcSet: readonly Named[] }>('ec2', 'DescribeVpcs', {
    Filter: [filter('is-default', 'true')],
  });
  const vpcId = listOf(vpcSet)[0]?.vpcId;
  if (!vpcId) throw new CommandError('There is no default VPC to deploy into.', { hint: 'aws ec2 create-default-vpc' });
  const { subnetSet } = await client.call<{ subnetSet: readonly Named[] }>('ec2', 'DescribeSubnets', {
    Filter: [filter('vpc-id', vpcId)],
  });
  const subnetIds = listOf(subnetSet)
    .filter((subnet) => subnet.defaultForAz === 'true')
    .map((subnet) => subnet.subnetId as string);
  if (subnetIds.length < 2)
    throw new CommandError(`VPC ${vpcId} has no two default subnets, which a load balancer needs.`);
  const balancerGroupId = await ensureGroup(deployment, vpcId, `${request.name}-alb`, 'Reaches the load balancer');
  const taskGroupId = await ensureGroup(deployment, vpcId, `${request.name}-tasks`, 'Reaches the tasks');
  await allow(deployment, balancerGroupId, request.listenerPort, { IpRanges: [{ CidrIp: '0.0.0.0/0' }] });
  await allow(deployment, taskGroupId, port, { Groups: [{ GroupId: balancerGroupId }] });
  return { vpcId, subnetIds, balancerGroupId, taskGroupId };
}

async function ensureGroup(
  { client, tell }: Deployment,
  vpcId: string,
  name: string,
  purpose: string,
): Promise<string> {
  const { securityGroupInfo } = await client.call<{ securityGroupInfo: readonly Named[] }>(
    'ec2',
    'DescribeSecurityGroups',
    {
      Filter: [
        { Name: 'vpc-id', Value: [vpcId] },
        { Name: 'group-name', Value: [name] },
      ],
    },
  );
  const found = listOf(securityGroupInfo)[0]?.groupId;
  if (found) return found;
  const { groupId } = await client.call<{ groupId: string }>('ec2', 'CreateSecurityGroup', {
    GroupName: name,
    GroupDescription: purpose,
    VpcId: vpcId,
  });
  tell(`made security group ${name}`);
  return groupId;
}

async function allow({ client }: Deployment, groupId: string, port: number, from: object): Promise<void> {
  await unless(
    ['InvalidPermission.Duplicate'],
    client.call('ec2', 'AuthorizeSecurityGroupIngress', {
      GroupId: groupId,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, ...from }],
    }),
  );
}

/** An internet-facing load balancer with one listener that forwards to one target group of addresses. */
export async function ensureBalancer(deployment: Deployment, network: Network, port: number): Promise<Balancer> {
  const { client, request } = deployment;
  const targetGroupArn = await ensureTargetGroup(deployment, network.vpcId, port);
  const balancers = { Names: [request.name] };
  const found =
    (await unless(
      ['LoadBalancerNotFound', 'LoadBalancerNotFoundException'],
      client.call<{ LoadBalancers: readonly Named[] }>('elbv2', 'DescribeLoadBalancers', balancers),
    )) ??
    (await client.call<{ LoadBalancers: readonly Named[] }>('elbv2', 'CreateLoadBalancer', {
      Name: request.name,
      Type: 'application',
      Scheme: 'internet-facing',
      Subnets: network.subnetIds,
      SecurityGroups: [network.balancerGroupId],
    }));
  const { LoadBalancerArn: arn, DNSName: dnsName } = listOf(found.LoadBalancers)[0] ?? {};
  if (!arn || !dnsName) throw new Error('Elastic Load Balancing answered no load balancer.');
  const { Listeners } = await client.call<{ Listeners: readonly Named[] }>('elbv2', 'DescribeListeners', {
    LoadBalancerArn: arn,
  });
  if (!listOf(Listeners).some((listener) => Number(listener.Port) === request.listenerPort)) {
    await client.call('elbv2', 'CreateListener', {
      LoadBalancerArn: arn,
      Protocol: 'HTTP',
      Port: request.listenerPort,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: targetGroupArn }],
    });
  }
  return { arn, dnsName, targetGroupArn };
}

async function ensureTargetGroup({ client, request, tell }: Deployment, vpcId: string, port: number): Promise<string> {
  const found = await unless(
    ['TargetGroupNotFound', 'TargetGroupNotFoundException'],
    client.call<{ TargetGroups: readonly Named[] }>('elbv2', 'DescribeTargetGroups', { Names: [request.name] }),
  );
  const arn = listOf(found?.TargetGroups)[0]?.TargetGroupArn;
  if (arn) return arn;
  const made = await client.call<{ TargetGroups: readonly Named[] }>('elbv2', 'CreateTargetGroup', {
    Name: request.name,
    Protocol: 'HTTP',
    Port: port,
    VpcId: vpcId,
    TargetType: 'ip',
    HealthCheckPath: request.healthPath,
    HealthCheckIntervalSeconds: 5,
    HealthCheckTimeoutSeconds: 2,
    HealthyThresholdCount: 2,
    UnhealthyThresholdCount: 2,
  });
  const madeArn = listOf(made.TargetGroups)[0]?.TargetGroupArn;
  if (!madeArn) throw new Error('Elastic Load Balancing answered no target group.');
  // The default of 300 s is for long downloads; a deployment that one watches should not wait so long.
  await client.call('elbv2', 'ModifyTargetGroupAttributes', {
    TargetGroupArn: madeArn,
    Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: '10' }],
  });
  tell(`made target group ${request.name}`);
  return madeArn;
}
