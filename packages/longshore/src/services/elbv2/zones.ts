import type { Ec2Contract } from '../ec2/contract.ts';
import { interfaceDescription } from './arns.ts';
import { fault, invalid } from './errors.ts';
import { type Elbv2Parts, type Elbv2Tx, shared } from './operation.ts';

type Subnet = NonNullable<Awaited<ReturnType<Ec2Contract['subnet']>>>;

/**
 * The subnets that a load balancer may stand in. Throws SubnetNotFound, ValidationError (fewer than two zones),
 * InvalidConfigurationRequest (two subnets of one zone), InvalidSubnet (several VPCs, no internet gateway).
 */
export async function checkSubnets(
  ec2: Ec2Contract,
  subnetIds: readonly string[],
  scheme: 'internet-facing' | 'internal',
): Promise<readonly Subnet[]> {
  const subnets: Subnet[] = [];
  for (const subnetId of new Set(subnetIds)) {
    const subnet = await ec2.subnet(subnetId);
    if (!subnet) throw fault('SubnetNotFound', `The subnet ID '${subnetId}' does not exist`);
    subnets.push(subnet);
  }
  const [first] = subnets;
  if (!first) throw invalid('At least two subnets in two different Availability Zones must be specified');
  if (subnets.some((subnet) => subnet.vpcId !== first.vpcId)) {
    throw fault('InvalidSubnet', 'The subnets must all be in the same VPC');
  }
  const zones = new Set(subnets.map((subnet) => subnet.availabilityZone));
  if (zones.size < subnets.length) {
    throw fault(
      'InvalidConfigurationRequest',
      'A load balancer cannot be attached to multiple subnets in the same Availability Zone',
    );
  }
  if (zones.size < 2) throw invalid('At least two subnets in two different Availability Zones must be specified');
  if (scheme === 'internet-facing' && !(await ec2.vpc(first.vpcId))?.hasInternetGateway) {
    throw fault('InvalidSubnet', `VPC ${first.vpcId} has no internet gateway`);
  }
  return subnets;
}

/** The security groups of a load balancer in that VPC: its default one where none are named. Throws InvalidSecurityGroup. */
export async function checkSecurityGroups(
  ec2: Ec2Contract,
  vpcId: string,
  groupIds: readonly string[],
): Promise<readonly string[]> {
  const unique = [...new Set(groupIds)];
  if (unique.length > 5)
    throw fault('InvalidConfigurationRequest', 'A load balancer can have at most 5 security groups');
  for (const groupId of unique) {
    const group = await ec2.securityGroup(groupId);
    if (!group) throw fault('InvalidSecurityGroup', `Security group '${groupId}' does not exist`);
    if (group.vpcId !== vpcId) {
      throw fault('InvalidConfigurationRequest', `Security group '${groupId}' does not belong to VPC '${vpcId}'`);
    }
  }
  if (unique.length > 0) return unique;
  const vpc = await ec2.vpc(vpcId);
  return vpc ? [vpc.defaultGroupId] : [];
}

/** Gives a load balancer an interface in a subnet. */
export async function insertZone(
  tx: Elbv2Tx,
  parts: Elbv2Parts,
  loadBalancer: { readonly arn: string; readonly scheme: string; readonly groupIds: readonly string[] },
  subnet: Subnet,
  position: number,
): Promise<void> {
  const made = await parts.ec2.createInterface(shared(tx), {
    subnetId: subnet.subnetId,
    groupIds: loadBalancer.groupIds,
    assignPublicIp: loadBalancer.scheme === 'internet-facing',
    description: interfaceDescription(loadBalancer.arn),
    requesterId: 'amazon-elb',
  });
  await tx.db
    .insertInto('elbv2_zones')
    .values({
      loadBalancerArn: loadBalancer.arn,
      subnetId: subnet.subnetId,
      zone: subnet.availabilityZone,
      interfaceId: made.interfaceId,
      privateAddress: made.privateAddress,
      position,
    })
    .execute();
}
