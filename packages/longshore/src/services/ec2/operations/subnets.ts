import type {
  CreateSubnetRequest,
  CreateSubnetResult,
  DeleteSubnetRequest,
  DescribeSubnetsRequest,
  DescribeSubnetsResult,
  ModifySubnetAttributeRequest,
  Subnet,
  Tag,
} from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { cidrSize, parseCidr } from '../addresses/cidr.ts';
import { availabilityZones, zoneId } from '../addresses/zones.ts';
import { describe, given, requireAll } from '../describe.ts';
import { dependency, invalidValue, notFound, notYet, required } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import type { SubnetRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { insertSubnet, takeCidr, takeSubnet, takeVpc } from '../vpcs.ts';

/** Subnets. */
export function subnetOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const one = (input: { SubnetId?: string | undefined }) => [`subnet/${input.SubnetId}`];
  const view = (row: SubnetRow, inUse: number, tags: Tag[]) => subnetView(row, inUse, tags, settings);

  const create = async (input: CreateSubnetRequest): Promise<CreateSubnetResult> => {
    if (input.Ipv6CidrBlock || input.Ipv6Native) throw notYet('IPv6 ranges of subnets are');
    const cidr = takeCidr(required(input.CidrBlock, 'cidrBlock'), 'cidrBlock');
    const zone = takeZone(input, settings.region);
    const tags = specifiedTags(input.TagSpecifications, 'subnet');
    return store.transaction(async (tx) => {
      const vpc = await takeVpc(tx.db, input.VpcId);
      const { networkAclId } = await tx.db
        .selectFrom('ec2_network_acls')
        .select('networkAclId')
        .where('vpcId', '=', vpc.vpcId)
        .where('isDefault', '=', 1)
        .executeTakeFirstOrThrow();
      const row = await insertSubnet(tx, parts, { vpc, cidr, zone, networkAclId, isDefault: false });
      await putTags(tx, row.subnetId, tags);
      return { Subnet: view(row, 0, [...tags]) };
    });
  };

  const describeSubnets = async (input: DescribeSubnetsRequest): Promise<DescribeSubnetsResult> => {
    const ids = given(input.SubnetIds);
    let query = store.db.selectFrom('ec2_subnets').selectAll();
    if (ids) query = query.where('subnetId', 'in', ids);
    const [rows, tagsOf, counts] = await Promise.all([
      query.execute(),
      tagReader(store.db, 'subnet', ids),
      store.db
        .selectFrom('ec2_interfaces')
        .select((eb) => ['subnetId', eb.fn.countAll<number>().as('count')])
        .groupBy('subnetId')
        .execute(),
    ]);
    requireAll(
      ids,
      rows.map((row) => row.subnetId),
      (id) => notFound('subnet', id),
    );
    const inUse = new Map(counts.map((row) => [row.subnetId, Number(row.count)]));
    const { items, next } = describe(
      rows.map((row) => view(row, inUse.get(row.subnetId) ?? 0, tagsOf(row.subnetId))),
      input,
      { id: (subnet) => subnet.SubnetId, tags: (subnet) => subnet.Tags, fields: subnetFields },
    );
    return { Subnets: items, ...next };
  };

  const remove = async ({ SubnetId }: DeleteSubnetRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { subnetId } = await takeSubnet(tx.db, SubnetId);
      const used = await tx.db
        .selectFrom('ec2_interfaces')
        .select('interfaceId')
        .where('subnetId', '=', subnetId)
        .executeTakeFirst();
      if (used) throw dependency('subnet', subnetId);
      await tx.db.deleteFrom('ec2_route_table_associations').where('subnetId', '=', subnetId).execute();
      await tx.db.deleteFrom('ec2_subnets').where('subnetId', '=', subnetId).execute();
      await dropTags(tx, subnetId);
      tx.changed('ec2.subnet', subnetId);
    });
    return {};
  };

  const modify = async (input: ModifySubnetAttributeRequest): Promise<object> => {
    const { SubnetId, MapPublicIpOnLaunch, ...others } = input;
    const [other] = Object.entries(others).filter(([, value]) => value !== undefined);
    if (other) throw notYet(`Subnet attribute ${other[0]} is`);
    await store.transaction(async (tx) => {
      const { subnetId } = await takeSubnet(tx.db, SubnetId);
      if (MapPublicIpOnLaunch?.Value === undefined) return;
      await tx.db
        .updateTable('ec2_subnets')
        .set({ mapPublicIp: MapPublicIpOnLaunch.Value ? 1 : 0 })
        .where('subnetId', '=', subnetId)
        .execute();
    });
    return {};
  };

  return {
    CreateSubnet: operation(create, (input) => ['subnet/*', `vpc/${input.VpcId}`]),
    DescribeSubnets: operation(describeSubnets),
    DeleteSubnet: operation(remove, one),
    ModifySubnetAttribute: operation(modify, one),
  };
}

function takeZone(input: CreateSubnetRequest, region: string): string {
  const zones = availabilityZones(region);
  const { AvailabilityZone: name, AvailabilityZoneId: id } = input;
  if (name !== undefined && id !== undefined) {
    throw new Fault(
      'InvalidParameterCombination',
      'Only one of AvailabilityZone and AvailabilityZoneId may be specified.',
    );
  }
  const zone = zones.find((one) => (id === undefined ? name === undefined || one.name === name : one.id === id));
  if (zone) return zone.name;
  throw invalidValue(
    `Value (${name ?? id}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: ${zones.map((one) => one.name).join(', ')}.`,
  );
}

function subnetView(
  row: SubnetRow,
  inUse: number,
  tags: Tag[],
  { region, accountId }: { readonly region: string; readonly accountId: string },
): Subnet {
  return {
    SubnetId: row.subnetId,
    SubnetArn: `arn:aws:ec2:${region}:${accountId}:subnet/${row.subnetId}`,
    VpcId: row.vpcId,
    OwnerId: accountId,
    State: 'available',
    CidrBlock: row.cidrBlock,
    Ipv6CidrBlockAssociationSet: [],
    AvailabilityZone: row.availabilityZone,
    AvailabilityZoneId: zoneId(region, row.availabilityZone),
    AvailableIpAddressCount: cidrSize(parseCidr(row.cidrBlock)!) - 5 - inUse,
    DefaultForAz: row.defaultForAz === 1,
    MapPublicIpOnLaunch: row.mapPublicIp === 1,
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    EnableDns64: false,
    Ipv6Native: false,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'ip-name',
      EnableResourceNameDnsARecord: false,
      EnableResourceNameDnsAAAARecord: false,
    },
    Tags: tags,
  };
}

const subnetFields: FilterFields<Subnet> = {
  'availability-zone': (subnet) => subnet.AvailabilityZone,
  availabilityZone: (subnet) => subnet.AvailabilityZone,
  'availability-zone-id': (subnet) => subnet.AvailabilityZoneId,
  availabilityZoneId: (subnet) => subnet.AvailabilityZoneId,
  'available-ip-address-count': (subnet) => subnet.AvailableIpAddressCount,
  'cidr-block': (subnet) => subnet.CidrBlock,
  cidr: (subnet) => subnet.CidrBlock,
  cidrBlock: (subnet) => subnet.CidrBlock,
  'default-for-az': (subnet) => subnet.DefaultForAz,
  defaultForAz: (subnet) => subnet.DefaultForAz,
  'map-public-ip-on-launch': (subnet) => subnet.MapPublicIpOnLaunch,
  'owner-id': (subnet) => subnet.OwnerId,
  state: (subnet) => subnet.State,
  'subnet-arn': (subnet) => subnet.SubnetArn,
  'subnet-id': (subnet) => subnet.SubnetId,
  'vpc-id': (subnet) => subnet.VpcId,
};
