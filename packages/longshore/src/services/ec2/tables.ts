import type { Kysely, Migration } from 'kysely';
import type { Migrations } from '../../state/store.ts';

export interface VpcRow {
  vpcId: string;
  cidrBlock: string;
  isDefault: number;
  instanceTenancy: string;
  dhcpOptionsId: string;
  defaultGroupId: string;
  cidrAssociationId: string;
  dnsSupport: number;
  dnsHostnames: number;
  addressUsageMetrics: number;
}

export interface SubnetRow {
  subnetId: string;
  vpcId: string;
  cidrBlock: string;
  availabilityZone: string;
  defaultForAz: number;
  mapPublicIp: number;
  /** The address number at which the search for the next free address starts. */
  cursor: number;
  networkAclId: string;
  networkAclAssociationId: string;
}

export interface SecurityGroupRow {
  groupId: string;
  vpcId: string;
  groupName: string;
  description: string;
}

export interface SecurityGroupRuleRow {
  ruleId: string;
  groupId: string;
  egress: number;
  /** `-1`, `tcp`, `udp`, `icmp`, `icmpv6` or a protocol's number. */
  protocol: string;
  fromPort: number | null;
  toPort: number | null;
  cidr: string | null;
  cidr6: string | null;
  peerGroupId: string | null;
  description: string | null;
}

export interface InterfaceRow {
  interfaceId: string;
  subnetId: string;
  vpcId: string;
  availabilityZone: string;
  macAddress: string;
  privateAddress: string;
  addressNumber: number;
  publicAddress: string | null;
  /** The elastic IP behind `publicAddress`; absent where the address came from the pool for the interface's life. */
  allocationId: string | null;
  description: string;
  /** Which service owns the interface, e.g. `amazon-elb`; empty for callers' own. */
  requesterId: string;
  interfaceType: string;
  /** 1 where something runs behind the interface. */
  inUse: number;
  attachmentId: string | null;
  sourceDestCheck: number;
  createdAt: number;
}

export interface InterfaceGroupRow {
  interfaceId: string;
  groupId: string;
  position: number;
}

/** Public addresses that are taken. */
export interface PublicAddressRow {
  addressNumber: number;
  /** An interface's or an allocation's id. */
  owner: string;
}

export interface CursorRow {
  name: string;
  next: number;
}

export interface ElasticIpRow {
  allocationId: string;
  publicAddress: string;
  associationId: string | null;
  interfaceId: string | null;
}

export interface InternetGatewayRow {
  internetGatewayId: string;
  vpcId: string | null;
}

export interface RouteTableRow {
  routeTableId: string;
  vpcId: string;
}

export interface RouteRow {
  routeTableId: string;
  destination: string;
  /** `local`, `igw-…`, `nat-…` or `eni-…`. */
  target: string;
}

export interface RouteTableAssociationRow {
  associationId: string;
  routeTableId: string;
  vpcId: string;
  /** Absent on the VPC's main association. */
  subnetId: string | null;
}

export interface NatGatewayRow {
  natGatewayId: string;
  subnetId: string;
  vpcId: string;
  connectivityType: string;
  allocationId: string | null;
  interfaceId: string;
  privateAddress: string;
  publicAddress: string | null;
  createdAt: number;
  deletedAt: number | null;
}

export interface NetworkAclRow {
  networkAclId: string;
  vpcId: string;
  isDefault: number;
}

export interface DhcpOptionsRow {
  dhcpOptionsId: string;
  /** JSON: `{key: [values]}`. */
  configurations: string;
  /** 1 for the options that new VPCs get. */
  isDefault: number;
}

export interface TagRow {
  resourceId: string;
  /** e.g. `vpc`, `security-group`. */
  resourceType: string;
  key: string;
  value: string;
}

export interface Ec2Tables {
  ec2_vpcs: VpcRow;
  ec2_subnets: SubnetRow;
  ec2_security_groups: SecurityGroupRow;
  ec2_security_group_rules: SecurityGroupRuleRow;
  ec2_interfaces: InterfaceRow;
  ec2_interface_groups: InterfaceGroupRow;
  ec2_public_addresses: PublicAddressRow;
  ec2_cursors: CursorRow;
  ec2_elastic_ips: ElasticIpRow;
  ec2_internet_gateways: InternetGatewayRow;
  ec2_route_tables: RouteTableRow;
  ec2_routes: RouteRow;
  ec2_route_table_associations: RouteTableAssociationRow;
  ec2_nat_gateways: NatGatewayRow;
  ec2_network_acls: NetworkAclRow;
  ec2_dhcp_options: DhcpOptionsRow;
  ec2_tags: TagRow;
}

const vpcs: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('ec2_vpcs')
      .addColumn('vpcId', 'text', (c) => c.primaryKey())
      .addColumn('cidrBlock', 'text', (c) => c.notNull())
      .addColumn('isDefault', 'integer', (c) => c.notNull())
      .addColumn('instanceTenancy', 'text', (c) => c.notNull())
      .addColumn('dhcpOptionsId', 'text', (c) => c.notNull())
      .addColumn('defaultGroupId', 'text', (c) => c.notNull())
      .addColumn('cidrAssociationId', 'text', (c) => c.notNull())
      .addColumn('dnsSupport', 'integer', (c) => c.notNull())
      .addColumn('dnsHostnames', 'integer', (c) => c.notNull())
      .addColumn('addressUsageMetrics', 'integer', (c) => c.notNull())
      .execute();
    await schema
      .createTable('ec2_subnets')
      .addColumn('subnetId', 'text', (c) => c.primaryKey())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('cidrBlock', 'text', (c) => c.notNull())
      .addColumn('availabilityZone', 'text', (c) => c.notNull())
      .addColumn('defaultForAz', 'integer', (c) => c.notNull())
      .addColumn('mapPublicIp', 'integer', (c) => c.notNull())
      .addColumn('cursor', 'bigint', (c) => c.notNull())
      .addColumn('networkAclId', 'text', (c) => c.notNull())
      .addColumn('networkAclAssociationId', 'text', (c) => c.notNull())
      .execute();
    await schema.createIndex('ec2_subnets_vpc').on('ec2_subnets').column('vpcId').execute();
    await schema
      .createTable('ec2_security_groups')
      .addColumn('groupId', 'text', (c) => c.primaryKey())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('groupName', 'text', (c) => c.notNull())
      .addColumn('description', 'text', (c) => c.notNull())
      .addUniqueConstraint('ec2_security_groups_name', ['vpcId', 'groupName'])
      .execute();
    await schema
      .createTable('ec2_security_group_rules')
      .addColumn('ruleId', 'text', (c) => c.primaryKey())
      .addColumn('groupId', 'text', (c) => c.notNull())
      .addColumn('egress', 'integer', (c) => c.notNull())
      .addColumn('protocol', 'text', (c) => c.notNull())
      .addColumn('fromPort', 'integer')
      .addColumn('toPort', 'integer')
      .addColumn('cidr', 'text')
      .addColumn('cidr6', 'text')
      .addColumn('peerGroupId', 'text')
      .addColumn('description', 'text')
      .execute();
    await schema
      .createIndex('ec2_security_group_rules_group')
      .on('ec2_security_group_rules')
      .column('groupId')
      .execute();
    await schema
      .createIndex('ec2_security_group_rules_peer')
      .on('ec2_security_group_rules')
      .column('peerGroupId')
      .execute();
    await schema
      .createTable('ec2_internet_gateways')
      .addColumn('internetGatewayId', 'text', (c) => c.primaryKey())
      .addColumn('vpcId', 'text')
      .execute();
    await schema
      .createTable('ec2_route_tables')
      .addColumn('routeTableId', 'text', (c) => c.primaryKey())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .execute();
    await schema
      .createTable('ec2_routes')
      .addColumn('routeTableId', 'text', (c) => c.notNull())
      .addColumn('destination', 'text', (c) => c.notNull())
      .addColumn('target', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('ec2_routes_key', ['routeTableId', 'destination'])
      .execute();
    await schema
      .createTable('ec2_route_table_associations')
      .addColumn('associationId', 'text', (c) => c.primaryKey())
      .addColumn('routeTableId', 'text', (c) => c.notNull())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('subnetId', 'text', (c) => c.unique())
      .execute();
    await schema
      .createTable('ec2_network_acls')
      .addColumn('networkAclId', 'text', (c) => c.primaryKey())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('isDefault', 'integer', (c) => c.notNull())
      .execute();
    await schema
      .createTable('ec2_dhcp_options')
      .addColumn('dhcpOptionsId', 'text', (c) => c.primaryKey())
      .addColumn('configurations', 'text', (c) => c.notNull())
      .addColumn('isDefault', 'integer', (c) => c.notNull())
      .execute();
    await schema
      .createTable('ec2_tags')
      .addColumn('resourceId', 'text', (c) => c.notNull())
      .addColumn('resourceType', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('ec2_tags_key', ['resourceId', 'key'])
      .execute();
    await schema.createIndex('ec2_tags_type').on('ec2_tags').column('resourceType').execute();
  },
};

const interfaces: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('ec2_interfaces')
      .addColumn('interfaceId', 'text', (c) => c.primaryKey())
      .addColumn('subnetId', 'text', (c) => c.notNull())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('availabilityZone', 'text', (c) => c.notNull())
      .addColumn('macAddress', 'text', (c) => c.notNull())
      .addColumn('privateAddress', 'text', (c) => c.notNull())
      .addColumn('addressNumber', 'bigint', (c) => c.notNull())
      .addColumn('publicAddress', 'text')
      .addColumn('allocationId', 'text')
      .addColumn('description', 'text', (c) => c.notNull())
      .addColumn('requesterId', 'text', (c) => c.notNull())
      .addColumn('interfaceType', 'text', (c) => c.notNull())
      .addColumn('inUse', 'integer', (c) => c.notNull())
      .addColumn('attachmentId', 'text')
      .addColumn('sourceDestCheck', 'integer', (c) => c.notNull())
      .addColumn('createdAt', 'bigint', (c) => c.notNull())
      .addUniqueConstraint('ec2_interfaces_address', ['subnetId', 'addressNumber'])
      .execute();
    await schema
      .createTable('ec2_interface_groups')
      .addColumn('interfaceId', 'text', (c) => c.notNull())
      .addColumn('groupId', 'text', (c) => c.notNull())
      .addColumn('position', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('ec2_interface_groups_key', ['interfaceId', 'groupId'])
      .execute();
    await schema.createIndex('ec2_interface_groups_group').on('ec2_interface_groups').column('groupId').execute();
    await schema
      .createTable('ec2_public_addresses')
      .addColumn('addressNumber', 'bigint', (c) => c.primaryKey())
      .addColumn('owner', 'text', (c) => c.notNull())
      .execute();
    await schema.createIndex('ec2_public_addresses_owner').on('ec2_public_addresses').column('owner').execute();
    await schema
      .createTable('ec2_cursors')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('next', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('ec2_elastic_ips')
      .addColumn('allocationId', 'text', (c) => c.primaryKey())
      .addColumn('publicAddress', 'text', (c) => c.notNull())
      .addColumn('associationId', 'text')
      .addColumn('interfaceId', 'text')
      .execute();
    await schema
      .createTable('ec2_nat_gateways')
      .addColumn('natGatewayId', 'text', (c) => c.primaryKey())
      .addColumn('subnetId', 'text', (c) => c.notNull())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('connectivityType', 'text', (c) => c.notNull())
      .addColumn('allocationId', 'text')
      .addColumn('interfaceId', 'text', (c) => c.notNull())
      .addColumn('privateAddress', 'text', (c) => c.notNull())
      .addColumn('publicAddress', 'text')
      .addColumn('createdAt', 'bigint', (c) => c.notNull())
      .addColumn('deletedAt', 'bigint')
      .execute();
  },
};

export const ec2Migrations: Migrations = { 'ec2-001-vpcs': vpcs, 'ec2-002-interfaces': interfaces };
