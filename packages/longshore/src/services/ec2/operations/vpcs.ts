import type {
  CreateDefaultVpcRequest,
  CreateDefaultVpcResult,
  CreateVpcRequest,
  CreateVpcResult,
  DeleteVpcRequest,
  DescribeVpcAttributeRequest,
  DescribeVpcAttributeResult,
  DescribeVpcsRequest,
  DescribeVpcsResult,
  ModifyVpcAttributeRequest,
  Tag,
  Vpc,
} from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { formatCidr } from '../addresses/cidr.ts';
import { insertDefaultVpc } from '../default-vpc.ts';
import { describe, given, requireAll } from '../describe.ts';
import { dependency, invalidValue, notFound, notYet, required } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Ec2Tx, type Operations, operation } from '../operation.ts';
import type { VpcRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { insertVpc, takeCidr, takeVpc } from '../vpcs.ts';

/** VPCs and their attributes. */
export function vpcOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const { accountId } = settings;
  const one = (input: { VpcId?: string | undefined }) => [`vpc/${input.VpcId}`];

  const create = async (input: CreateVpcRequest): Promise<CreateVpcResult> => {
    if (input.AmazonProvidedIpv6CidrBlock || input.Ipv6CidrBlock || input.Ipv6Pool)
      throw notYet('IPv6 ranges of VPCs are');
    if (input.Ipv4IpamPoolId) throw notYet('Address pools of VPCs are');
    const cidr = takeCidr(required(input.CidrBlock, 'cidrBlock'), 'cidrBlock');
    if (cidr.prefix < 16 || cidr.prefix > 28) {
      throw new Fault('InvalidVpc.Range', `The CIDR '${formatCidr(cidr)}' is invalid.`);
    }
    const tags = specifiedTags(input.TagSpecifications, 'vpc');
    return store.transaction(async (tx) => {
      const { vpc } = await insertVpc(tx, parts, {
        cidr,
        isDefault: false,
        instanceTenancy: input.InstanceTenancy ?? 'default',
      });
      await putTags(tx, vpc.vpcId, tags);
      return { Vpc: vpcView(vpc, [...tags], accountId) };
    });
  };

  const createDefault = async (_: CreateDefaultVpcRequest): Promise<CreateDefaultVpcResult> =>
    store.transaction(async (tx) => {
      const existing = await tx.db.selectFrom('ec2_vpcs').select('vpcId').where('isDefault', '=', 1).executeTakeFirst();
      if (existing) {
        throw new Fault('DefaultVpcAlreadyExists', 'A Default VPC already exists for this account in this region.');
      }
      return { Vpc: vpcView(await insertDefaultVpc(tx, parts), [], accountId) };
    });

  const describeVpcs = async (input: DescribeVpcsRequest): Promise<DescribeVpcsResult> => {
    const ids = given(input.VpcIds);
    let query = store.db.selectFrom('ec2_vpcs').selectAll();
    if (ids) query = query.where('vpcId', 'in', ids);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'vpc', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.vpcId),
      (id) => notFound('vpc', id),
    );
    const { items, next } = describe(
      rows.map((row) => vpcView(row, tagsOf(row.vpcId), accountId)),
      input,
      { id: (vpc) => vpc.VpcId, tags: (vpc) => vpc.Tags, fields: vpcFields },
    );
    return { Vpcs: items, ...next };
  };

  const remove = async ({ VpcId }: DeleteVpcRequest): Promise<object> => {
    await store.transaction(async (tx) => removeVpc(tx, await takeVpc(tx.db, VpcId)));
    return {};
  };

  const describeAttribute = async (input: DescribeVpcAttributeRequest): Promise<DescribeVpcAttributeResult> => {
    const vpc = await takeVpc(store.db, input.VpcId);
    switch (required(input.Attribute, 'attribute')) {
      case 'enableDnsSupport':
        return { VpcId: vpc.vpcId, EnableDnsSupport: { Value: vpc.dnsSupport === 1 } };
      case 'enableDnsHostnames':
        return { VpcId: vpc.vpcId, EnableDnsHostnames: { Value: vpc.dnsHostnames === 1 } };
      case 'enableNetworkAddressUsageMetrics':
        return { VpcId: vpc.vpcId, EnableNetworkAddressUsageMetrics: { Value: vpc.addressUsageMetrics === 1 } };
      default:
        throw invalidValue(`Value (${input.Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    }
  };

  const modifyAttribute = async (input: ModifyVpcAttributeRequest): Promise<object> => {
    const changes: Partial<VpcRow> = {
      ...flag('dnsSupport', input.EnableDnsSupport?.Value),
      ...flag('dnsHostnames', input.EnableDnsHostnames?.Value),
      ...flag('addressUsageMetrics', input.EnableNetworkAddressUsageMetrics?.Value),
    };
    if (Object.keys(changes).length !== 1) {
      throw new Fault('InvalidParameterCombination', 'Exactly one VPC attribute must be specified.');
    }
    await store.transaction(async (tx) => {
      const { vpcId } = await takeVpc(tx.db, input.VpcId);
      await tx.db.updateTable('ec2_vpcs').set(changes).where('vpcId', '=', vpcId).execute();
    });
    return {};
  };

  return {
    CreateVpc: operation(create, () => ['vpc/*']),
    CreateDefaultVpc: operation(createDefault, () => ['vpc/*']),
    DescribeVpcs: operation(describeVpcs),
    DeleteVpc: operation(remove, one),
    DescribeVpcAttribute: operation(describeAttribute),
    ModifyVpcAttribute: operation(modifyAttribute, one),
  };
}

function flag<Name extends keyof VpcRow>(name: Name, value: boolean | undefined): Partial<VpcRow> {
  return value === undefined ? {} : { [name]: value ? 1 : 0 };
}

/** Removes a VPC with what it was born with. Throws DependencyViolation where anything else is left in it. */
async function removeVpc(tx: Ec2Tx, vpc: VpcRow): Promise<void> {
  const { vpcId, defaultGroupId } = vpc;
  const { db } = tx;
  const main = await db
    .selectFrom('ec2_route_table_associations')
    .select('routeTableId')
    .where('vpcId', '=', vpcId)
    .where('subnetId', 'is', null)
    .executeTakeFirstOrThrow();
  const gateway = await db
    .selectFrom('ec2_internet_gateways')
    .select('internetGatewayId')
    .where('vpcId', '=', vpcId)
    .executeTakeFirst();
  const left = [
    gateway,
    await db.selectFrom('ec2_subnets').select('subnetId').where('vpcId', '=', vpcId).executeTakeFirst(),
    await db
      .selectFrom('ec2_security_groups')
      .select('groupId')
      .where('vpcId', '=', vpcId)
      .where('groupId', '!=', defaultGroupId)
      .executeTakeFirst(),
    await db
      .selectFrom('ec2_route_tables')
      .select('routeTableId')
      .where('vpcId', '=', vpcId)
      .where('routeTableId', '!=', main.routeTableId)
      .executeTakeFirst(),
  ];
  if (left.some((row) => row !== undefined)) throw dependency('vpc', vpcId);
  const rules = await db
    .deleteFrom('ec2_security_group_rules')
    .where('groupId', '=', defaultGroupId)
    .returning('ruleId')
    .execute();
  await db.deleteFrom('ec2_security_groups').where('groupId', '=', defaultGroupId).execute();
  await db.deleteFrom('ec2_routes').where('routeTableId', '=', main.routeTableId).execute();
  await db.deleteFrom('ec2_route_table_associations').where('vpcId', '=', vpcId).execute();
  await db.deleteFrom('ec2_route_tables').where('vpcId', '=', vpcId).execute();
  const acls = await db.deleteFrom('ec2_network_acls').where('vpcId', '=', vpcId).returning('networkAclId').execute();
  await db.deleteFrom('ec2_vpcs').where('vpcId', '=', vpcId).execute();
  await dropTags(
    tx,
    vpcId,
    defaultGroupId,
    main.routeTableId,
    ...acls.map((acl) => acl.networkAclId),
    ...rules.map((rule) => rule.ruleId),
  );
  tx.changed('ec2.vpc', vpcId);
}

function vpcView(row: VpcRow, tags: Tag[], accountId: string): Vpc {
  return {
    VpcId: row.vpcId,
    OwnerId: accountId,
    State: 'available',
    CidrBlock: row.cidrBlock,
    CidrBlockAssociationSet: [
      { AssociationId: row.cidrAssociationId, CidrBlock: row.cidrBlock, CidrBlockState: { State: 'associated' } },
    ],
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: row.dhcpOptionsId,
    InstanceTenancy: row.instanceTenancy as NonNullable<Vpc['InstanceTenancy']>,
    IsDefault: row.isDefault === 1,
    Tags: tags,
  };
}

const vpcFields: FilterFields<Vpc> = {
  cidr: (vpc) => vpc.CidrBlock,
  'cidr-block-association.association-id': (vpc) => vpc.CidrBlockAssociationSet?.map((one) => one.AssociationId),
  'cidr-block-association.cidr-block': (vpc) => vpc.CidrBlockAssociationSet?.map((one) => one.CidrBlock),
  'cidr-block-association.state': (vpc) => vpc.CidrBlockAssociationSet?.map((one) => one.CidrBlockState?.State),
  'dhcp-options-id': (vpc) => vpc.DhcpOptionsId,
  'is-default': (vpc) => vpc.IsDefault,
  isDefault: (vpc) => vpc.IsDefault,
  'owner-id': (vpc) => vpc.OwnerId,
  state: (vpc) => vpc.State,
  'vpc-id': (vpc) => vpc.VpcId,
};
