import type {
  DescribeCapacityReservationInput,
  DescribeCapacityReservationOutput,
  DescribeLoadBalancerAttributesInput,
  DescribeLoadBalancerAttributesOutput,
  ModifyLoadBalancerAttributesInput,
  ModifyLoadBalancerAttributesOutput,
  SetIpAddressTypeInput,
  SetIpAddressTypeOutput,
  SetSecurityGroupsInput,
  SetSecurityGroupsOutput,
  SetSubnetsInput,
  SetSubnetsOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { allAttributes, attributeList, changeAttributes, loadBalancerAttributes } from '../attributes/attributes.ts';
import { fault, notYet } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation, shared } from '../operation.ts';
import { checkSecurityGroups, checkSubnets, insertZone } from '../zones.ts';
import { subnetsOf, takeLoadBalancer, zoneViews } from './load-balancers.ts';

/** Changing what a load balancer is set to. */
export function loadBalancerSettingOperations(parts: Elbv2Parts): Operations {
  const { store, ec2 } = parts;
  const arnOf = (input: { LoadBalancerArn?: string | undefined }) => [input.LoadBalancerArn];

  const describeAttributes = async (
    input: DescribeLoadBalancerAttributesInput,
  ): Promise<DescribeLoadBalancerAttributesOutput> => {
    const row = await takeLoadBalancer(store.db, input.LoadBalancerArn);
    return { Attributes: attributeList(allAttributes(loadBalancerAttributes, JSON.parse(row.attributes))) };
  };

  const modifyAttributes = async (
    input: ModifyLoadBalancerAttributesInput,
  ): Promise<ModifyLoadBalancerAttributesOutput> =>
    store.transaction(async (tx) => {
      const row = await takeLoadBalancer(tx.db, input.LoadBalancerArn);
      const set = changeAttributes(
        loadBalancerAttributes,
        'Load balancer',
        JSON.parse(row.attributes),
        input.Attributes ?? [],
      );
      await tx.db
        .updateTable('elbv2_load_balancers')
        .set({ attributes: JSON.stringify(set) })
        .where('arn', '=', row.arn)
        .execute();
      tx.changed('elbv2.load-balancer', row.arn);
      return { Attributes: attributeList(allAttributes(loadBalancerAttributes, set)) };
    });

  const setSecurityGroups = async (input: SetSecurityGroupsInput): Promise<SetSecurityGroupsOutput> => {
    const { vpcId, arn } = await takeLoadBalancer(store.db, input.LoadBalancerArn);
    if (!input.SecurityGroups?.length) {
      throw fault('InvalidConfigurationRequest', 'A load balancer must have at least one security group');
    }
    const groupIds = await checkSecurityGroups(ec2, vpcId, input.SecurityGroups);
    await store.transaction(async (tx) => {
      await takeLoadBalancer(tx.db, arn);
      const zones = await tx.db
        .selectFrom('elbv2_zones')
        .select('interfaceId')
        .where('loadBalancerArn', '=', arn)
        .execute();
      for (const { interfaceId } of zones) await ec2.setInterfaceGroups(shared(tx), interfaceId, groupIds);
      await tx.db
        .updateTable('elbv2_load_balancers')
        .set({ securityGroups: JSON.stringify(groupIds) })
        .where('arn', '=', arn)
        .execute();
    });
    return { SecurityGroupIds: [...groupIds] };
  };

  const setSubnets = async (input: SetSubnetsInput): Promise<SetSubnetsOutput> => {
    const { arn, scheme, vpcId } = await takeLoadBalancer(store.db, input.LoadBalancerArn);
    if ((input.IpAddressType ?? 'ipv4') !== 'ipv4') throw notYet('IPv6 addresses of load balancers are');
    const subnets = await checkSubnets(ec2, subnetsOf(input), scheme);
    if (subnets[0]!.vpcId !== vpcId) {
      throw fault('InvalidSubnet', `The subnets must be in the VPC of the load balancer, '${vpcId}'`);
    }
    const zones = await store.transaction(async (tx) => {
      const row = await takeLoadBalancer(tx.db, arn);
      const had = await tx.db.selectFrom('elbv2_zones').selectAll().where('loadBalancerArn', '=', arn).execute();
      const kept = new Set(subnets.map((subnet) => subnet.subnetId));
      for (const zone of had.filter(({ subnetId }) => !kept.has(subnetId))) {
        await tx.db
          .deleteFrom('elbv2_zones')
          .where('loadBalancerArn', '=', arn)
          .where('subnetId', '=', zone.subnetId)
          .execute();
        await ec2.deleteInterface(shared(tx), zone.interfaceId);
      }
      for (const [position, subnet] of subnets.entries()) {
        if (had.some(({ subnetId }) => subnetId === subnet.subnetId)) {
          await tx.db
            .updateTable('elbv2_zones')
            .set({ position })
            .where('loadBalancerArn', '=', arn)
            .where('subnetId', '=', subnet.subnetId)
            .execute();
        } else {
          await insertZone(tx, parts, { arn, scheme, groupIds: JSON.parse(row.securityGroups) }, subnet, position);
        }
      }
      tx.changed('elbv2.load-balancer', arn);
      return tx.db
        .selectFrom('elbv2_zones')
        .selectAll()
        .where('loadBalancerArn', '=', arn)
        .orderBy('position')
        .execute();
    });
    return { AvailabilityZones: zoneViews(zones), IpAddressType: 'ipv4' };
  };

  const setIpAddressType = async (input: SetIpAddressTypeInput): Promise<SetIpAddressTypeOutput> => {
    await takeLoadBalancer(store.db, input.LoadBalancerArn);
    if (input.IpAddressType !== 'ipv4') throw notYet('IPv6 addresses of load balancers are');
    return { IpAddressType: 'ipv4' };
  };

  /** Nothing can be reserved: capacity is the machine's. */
  const describeCapacity = async (
    input: DescribeCapacityReservationInput,
  ): Promise<DescribeCapacityReservationOutput> => {
    await takeLoadBalancer(store.db, input.LoadBalancerArn);
    return { CapacityReservationState: [] };
  };

  return {
    DescribeCapacityReservation: operation(describeCapacity),
    DescribeLoadBalancerAttributes: operation(describeAttributes),
    ModifyLoadBalancerAttributes: operation(modifyAttributes, arnOf),
    SetSecurityGroups: operation(setSecurityGroups, arnOf),
    SetSubnets: operation(setSubnets, arnOf),
    SetIpAddressType: operation(setIpAddressType, arnOf),
  };
}
