import type {
  DescribeDhcpOptionsRequest,
  DescribeDhcpOptionsResult,
  DescribeNetworkAclsRequest,
  DescribeNetworkAclsResult,
  DhcpOptions,
  NetworkAcl,
  NetworkAclEntry,
} from '@aws-sdk/client-ec2';
import { describe, given, requireAll } from '../describe.ts';
import { notFound } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import { tagReader } from '../tags.ts';

/** What every VPC has without being asked: its default network ACL, which allows everything, and DHCP options. */
export function vpcDefaultOperations({ store, settings }: Ec2Parts): Operations {
  const describeAcls = async (input: DescribeNetworkAclsRequest): Promise<DescribeNetworkAclsResult> => {
    const ids = given(input.NetworkAclIds);
    let query = store.db.selectFrom('ec2_network_acls').selectAll();
    if (ids) query = query.where('networkAclId', 'in', ids);
    const [rows, subnets, tagsOf] = await Promise.all([
      query.execute(),
      store.db
        .selectFrom('ec2_subnets')
        .select(['subnetId', 'networkAclId', 'networkAclAssociationId'])
        .orderBy('subnetId')
        .execute(),
      tagReader(store.db, 'network-acl', ids),
    ]);
    requireAll(
      ids,
      rows.map((row) => row.networkAclId),
      (id) => notFound('network-acl', id),
    );
    const subnetsOf = Map.groupBy(subnets, (subnet) => subnet.networkAclId);
    const views = rows.map(
      ({ networkAclId, vpcId, isDefault }): NetworkAcl => ({
        NetworkAclId: networkAclId,
        VpcId: vpcId,
        OwnerId: settings.accountId,
        IsDefault: isDefault === 1,
        Entries: [
          entry(false, 100, 'allow'),
          entry(false, 32_767, 'deny'),
          entry(true, 100, 'allow'),
          entry(true, 32_767, 'deny'),
        ],
        Associations: (subnetsOf.get(networkAclId) ?? []).map((subnet) => ({
          NetworkAclAssociationId: subnet.networkAclAssociationId,
          NetworkAclId: networkAclId,
          SubnetId: subnet.subnetId,
        })),
        Tags: tagsOf(networkAclId),
      }),
    );
    const { items, next } = describe(views, input, {
      id: (acl) => acl.NetworkAclId,
      tags: (acl) => acl.Tags,
      fields: aclFields,
    });
    return { NetworkAcls: items, ...next };
  };

  const describeDhcp = async (input: DescribeDhcpOptionsRequest): Promise<DescribeDhcpOptionsResult> => {
    const ids = given(input.DhcpOptionsIds);
    let query = store.db.selectFrom('ec2_dhcp_options').selectAll();
    if (ids) query = query.where('dhcpOptionsId', 'in', ids);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'dhcp-options', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.dhcpOptionsId),
      (id) => notFound('dhcp-options', id),
    );
    const views = rows.map((row): DhcpOptions => {
      const configurations: Record<string, string[]> = JSON.parse(row.configurations);
      return {
        DhcpOptionsId: row.dhcpOptionsId,
        OwnerId: settings.accountId,
        DhcpConfigurations: Object.entries(configurations).map(([Key, values]) => ({
          Key,
          Values: values.map((Value) => ({ Value })),
        })),
        Tags: tagsOf(row.dhcpOptionsId),
      };
    });
    const { items, next } = describe(views, input, {
      id: (options) => options.DhcpOptionsId,
      tags: (options) => options.Tags,
      fields: dhcpFields,
    });
    return { DhcpOptions: items, ...next };
  };

  return {
    DescribeNetworkAcls: operation(describeAcls),
    DescribeDhcpOptions: operation(describeDhcp),
  };
}

function entry(Egress: boolean, RuleNumber: number, RuleAction: 'allow' | 'deny'): NetworkAclEntry {
  return { Egress, RuleNumber, RuleAction, Protocol: '-1', CidrBlock: '0.0.0.0/0' };
}

const aclFields: FilterFields<NetworkAcl> = {
  'association.association-id': (acl) => acl.Associations?.map((one) => one.NetworkAclAssociationId),
  'association.network-acl-id': (acl) => acl.Associations?.map((one) => one.NetworkAclId),
  'association.subnet-id': (acl) => acl.Associations?.map((one) => one.SubnetId),
  default: (acl) => acl.IsDefault,
  'network-acl-id': (acl) => acl.NetworkAclId,
  'owner-id': (acl) => acl.OwnerId,
  'vpc-id': (acl) => acl.VpcId,
};

const dhcpFields: FilterFields<DhcpOptions> = {
  'dhcp-options-id': (options) => options.DhcpOptionsId,
  key: (options) => options.DhcpConfigurations?.map((one) => one.Key),
  'owner-id': (options) => options.OwnerId,
  value: (options) => options.DhcpConfigurations?.flatMap((one) => (one.Values ?? []).map(({ Value }) => Value)),
};
