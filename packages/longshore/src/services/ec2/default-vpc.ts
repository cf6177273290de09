import { parseCidr } from './addresses/cidr.ts';
import { availabilityZones } from './addresses/zones.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';
import type { VpcRow } from './tables.ts';
import { insertSubnet, insertVpc, newId } from './vpcs.ts';

/**
 * Makes the default VPC as AWS makes it
 * (https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html): 172.31.0.0/16, a /20 subnet in each
 * availability zone, an internet gateway, and a main route to it.
 */
export async function insertDefaultVpc(tx: Ec2Tx, parts: Ec2Parts): Promise<VpcRow> {
  const cidr = parseCidr('172.31.0.0/16')!;
  const { vpc, mainRouteTableId, networkAclId } = await insertVpc(tx, parts, {
    cidr,
    isDefault: true,
    instanceTenancy: 'default',
  });
  for (const [index, { name }] of availabilityZones(parts.settings.region).entries()) {
    const subnetCidr = { base: cidr.base + index * 2 ** 12, prefix: 20 };
    await insertSubnet(tx, parts, { vpc, cidr: subnetCidr, zone: name, networkAclId, isDefault: true });
  }
  const internetGatewayId = newId(parts, 'igw');
  await tx.db.insertInto('ec2_internet_gateways').values({ internetGatewayId, vpcId: vpc.vpcId }).execute();
  await tx.db
    .insertInto('ec2_routes')
    .values({ routeTableId: mainRouteTableId, destination: '0.0.0.0/0', target: internetGatewayId })
    .execute();
  return vpc;
}

/** Makes the default VPC at the first start of a data directory; one that the caller deleted later stays deleted. */
export async function prepareDefaultVpc(parts: Ec2Parts): Promise<void> {
  const started = await parts.store.db.selectFrom('ec2_dhcp_options').select('dhcpOptionsId').executeTakeFirst();
  if (!started) await parts.store.transaction((tx) => insertDefaultVpc(tx, parts));
}
