import type { Kysely } from 'kysely';
import { Fault } from '../../wire/fault.ts';
import { type Cidr, cidrsOverlap, cidrWithin, formatCidr, parseCidr } from './addresses/cidr.ts';
import { subnetRange } from './addresses/next-fit.ts';
import { internalDomain } from './addresses/zones.ts';
import { invalidValue, notFound } from './errors.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';
import type { Ec2Tables, SubnetRow, VpcRow } from './tables.ts';

/** A new id of EC2's shape, e.g. `vpc-0a1b2c3d4e5f60718`. */
export function newId(parts: Ec2Parts, prefix: string): string {
  return `${prefix}-${parts.random.hex(17)}`;
}

/** Makes a VPC with what AWS gives each: main route table, default security group, default network ACL. */
export async function insertVpc(
  tx: Ec2Tx,
  parts: Ec2Parts,
  request: { readonly cidr: Cidr; readonly isDefault: boolean; readonly instanceTenancy: string },
): Promise<{ readonly vpc: VpcRow; readonly mainRouteTableId: string; readonly networkAclId: string }> {
  const vpc: VpcRow = {
    vpcId: newId(parts, 'vpc'),
    cidrBlock: formatCidr(request.cidr),
    isDefault: request.isDefault ? 1 : 0,
    instanceTenancy: request.instanceTenancy,
    dhcpOptionsId: await defaultDhcpOptions(tx, parts),
    defaultGroupId: newId(parts, 'sg'),
    cidrAssociationId: newId(parts, 'vpc-cidr-assoc'),
    dnsSupport: 1,
    dnsHostnames: request.isDefault ? 1 : 0,
    addressUsageMetrics: 0,
  };
  const mainRouteTableId = newId(parts, 'rtb');
  const networkAclId = newId(parts, 'acl');
  await tx.db.insertInto('ec2_vpcs').values(vpc).execute();
  await insertRouteTable(tx, { routeTableId: mainRouteTableId, vpc });
  await tx.db
    .insertInto('ec2_route_table_associations')
    .values({
      associationId: newId(parts, 'rtbassoc'),
      routeTableId: mainRouteTableId,
      vpcId: vpc.vpcId,
      subnetId: null,
    })
    .execute();
  await tx.db.insertInto('ec2_network_acls').values({ networkAclId, vpcId: vpc.vpcId, isDefault: 1 }).execute();
  await insertDefaultGroup(tx, parts, vpc);
  tx.changed('ec2.vpc', vpc.vpcId);
  return { vpc, mainRouteTableId, networkAclId };
}

/** Makes a route table with its local route. */
export async function insertRouteTable(
  tx: Ec2Tx,
  { routeTableId, vpc }: { readonly routeTableId: string; readonly vpc: VpcRow },
): Promise<void> {
  await tx.db.insertInto('ec2_route_tables').values({ routeTableId, vpcId: vpc.vpcId }).execute();
  await tx.db.insertInto('ec2_routes').values({ routeTableId, destination: vpc.cidrBlock, target: 'local' }).execute();
}

async function insertDefaultGroup(tx: Ec2Tx, parts: Ec2Parts, vpc: VpcRow): Promise<void> {
  const groupId = vpc.defaultGroupId;
  await tx.db
    .insertInto('ec2_security_groups')
    .values({ groupId, vpcId: vpc.vpcId, groupName: 'default', description: 'default VPC security group' })
    .execute();
  const everything = { protocol: '-1', fromPort: null, toPort: null, cidr6: null, description: null };
  await tx.db
    .insertInto('ec2_security_group_rules')
    .values([
      { ...everything, ruleId: newId(parts, 'sgr'), groupId, egress: 0, cidr: null, peerGroupId: groupId },
      { ...everything, ruleId: newId(parts, 'sgr'), groupId, egress: 1, cidr: '0.0.0.0/0', peerGroupId: null },
    ])
    .execute();
}

async function defaultDhcpOptions(tx: Ec2Tx, parts: Ec2Parts): Promise<string> {
  const row = await tx.db
    .selectFrom('ec2_dhcp_options')
    .select('dhcpOptionsId')
    .where('isDefault', '=', 1)
    .executeTakeFirst();
  if (row) return row.dhcpOptionsId;
  const dhcpOptionsId = newId(parts, 'dopt');
  const configurations = JSON.stringify({
    'domain-name': [internalDomain(parts.settings.region)],
    'domain-name-servers': ['AmazonProvidedDNS'],
  });
  await tx.db.insertInto('ec2_dhcp_options').values({ dhcpOptionsId, configurations, isDefault: 1 }).execute();
  return dhcpOptionsId;
}

/** Makes a subnet. Throws InvalidSubnet.Range and InvalidSubnet.Conflict. */
export async function insertSubnet(
  tx: Ec2Tx,
  parts: Ec2Parts,
  request: {
    readonly vpc: VpcRow;
    readonly cidr: Cidr;
    readonly zone: string;
    readonly networkAclId: string;
    readonly isDefault: boolean;
  },
): Promise<SubnetRow> {
  const { vpc, cidr } = request;
  const text = formatCidr(cidr);
  const whole = parseCidr(vpc.cidrBlock);
  if (cidr.prefix < 16 || cidr.prefix > 28 || !whole || !cidrWithin(whole, cidr)) {
    throw new Fault('InvalidSubnet.Range', `The CIDR '${text}' is invalid.`);
  }
  const others = await tx.db.selectFrom('ec2_subnets').select('cidrBlock').where('vpcId', '=', vpc.vpcId).execute();
  const conflict = others.some(({ cidrBlock }) => {
    const other = parseCidr(cidrBlock);
    return other !== undefined && cidrsOverlap(other, cidr);
  });
  if (conflict) throw new Fault('InvalidSubnet.Conflict', `The CIDR '${text}' conflicts with another subnet`);
  const subnet: SubnetRow = {
    subnetId: newId(parts, 'subnet'),
    vpcId: vpc.vpcId,
    cidrBlock: text,
    availabilityZone: request.zone,
    defaultForAz: request.isDefault ? 1 : 0,
    mapPublicIp: request.isDefault ? 1 : 0,
    cursor: subnetRange(cidr).first,
    networkAclId: request.networkAclId,
    networkAclAssociationId: newId(parts, 'aclassoc'),
  };
  await tx.db.insertInto('ec2_subnets').values(subnet).execute();
  tx.changed('ec2.subnet', subnet.subnetId);
  return subnet;
}

/** The VPC, or a thrown InvalidVpcID.NotFound. */
export async function takeVpc(db: Kysely<Ec2Tables>, vpcId: string | undefined): Promise<VpcRow> {
  const row = await db
    .selectFrom('ec2_vpcs')
    .selectAll()
    .where('vpcId', '=', vpcId ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('vpc', vpcId);
  return row;
}

/** The subnet, or a thrown InvalidSubnetID.NotFound. */
export async function takeSubnet(db: Kysely<Ec2Tables>, subnetId: string | undefined): Promise<SubnetRow> {
  const row = await db
    .selectFrom('ec2_subnets')
    .selectAll()
    .where('subnetId', '=', subnetId ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('subnet', subnetId);
  return row;
}

/** A range as callers write it, in canonical form. Throws InvalidParameterValue. */
export function takeCidr(text: string, member: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw invalidValue(`Value (${text}) for parameter ${member} is invalid. This is not a valid CIDR block.`);
  return cidr;
}
