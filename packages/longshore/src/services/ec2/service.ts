import type { Tx } from '../../state/store.ts';
import type { Service } from '../contract.ts';
import { formatAddress, parseCidr } from './addresses/cidr.ts';
import { privateDnsName } from './addresses/zones.ts';
import type { Ec2Contract, NetworkInterface } from './contract.ts';
import { prepareDefaultVpc } from './default-vpc.ts';
import { insertInterface, removeInterface, replaceGroups } from './interfaces.ts';
import { networksSource } from './networks-document.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';
import { ec2Operations } from './operations/operations.ts';
import type { InterfaceRow } from './tables.ts';

/** EC2's VPC part: networks, their interfaces and their rules. */
export function ec2Service(parts: Ec2Parts): Service<Ec2Contract> {
  return {
    definition: { name: 'ec2', iamPrefix: 'ec2', operations: ec2Operations(parts) },
    prepare: () => prepareDefaultVpc(parts),
    controllers: [],
    contract: ec2Contract(parts),
  };
}

function ec2Contract(parts: Ec2Parts): Ec2Contract {
  const { db } = parts.store;
  const view = (row: InterfaceRow, groupIds: readonly string[], subnetCidrBlock: string): NetworkInterface => {
    const cidr = parseCidr(subnetCidrBlock)!;
    return {
      interfaceId: row.interfaceId,
      subnetId: row.subnetId,
      vpcId: row.vpcId,
      availabilityZone: row.availabilityZone,
      macAddress: row.macAddress,
      privateAddress: row.privateAddress,
      privateDnsName: privateDnsName(parts.settings.region, row.privateAddress),
      ...(row.publicAddress === null ? {} : { publicAddress: row.publicAddress }),
      groupIds,
      subnetGateway: `${formatAddress(cidr.base + 1)}/${cidr.prefix}`,
    };
  };
  return {
    networks: networksSource(parts),
    async createInterface(tx, request) {
      const made = await insertInterface(own(tx), parts, { ...request, interfaceType: 'interface', inUse: true });
      return view(made.row, made.groupIds, made.subnetCidrBlock);
    },
    async deleteInterface(tx, interfaceId) {
      await removeInterface(own(tx), interfaceId);
    },
    setInterfaceGroups: (tx, interfaceId, groupIds) => replaceGroups(own(tx), interfaceId, groupIds),
    async interface(interfaceId) {
      const row = await db
        .selectFrom('ec2_interfaces')
        .innerJoin('ec2_subnets', 'ec2_subnets.subnetId', 'ec2_interfaces.subnetId')
        .selectAll('ec2_interfaces')
        .select('ec2_subnets.cidrBlock')
        .where('interfaceId', '=', interfaceId)
        .executeTakeFirst();
      if (!row) return undefined;
      const groups = await db
        .selectFrom('ec2_interface_groups')
        .select('groupId')
        .where('interfaceId', '=', interfaceId)
        .orderBy('position')
        .execute();
      return view(
        row,
        groups.map(({ groupId }) => groupId),
        row.cidrBlock,
      );
    },
    subnet: (subnetId) =>
      db
        .selectFrom('ec2_subnets')
        .select(['subnetId', 'vpcId', 'availabilityZone', 'cidrBlock'])
        .where('subnetId', '=', subnetId)
        .executeTakeFirst(),
    securityGroup: (groupId) =>
      db
        .selectFrom('ec2_security_groups')
        .select(['groupId', 'vpcId'])
        .where('groupId', '=', groupId)
        .executeTakeFirst(),
    async vpc(vpcId) {
      const row = await db
        .selectFrom('ec2_vpcs')
        .leftJoin('ec2_internet_gateways', 'ec2_internet_gateways.vpcId', 'ec2_vpcs.vpcId')
        .select(['ec2_vpcs.vpcId', 'cidrBlock', 'defaultGroupId', 'internetGatewayId'])
        .where('ec2_vpcs.vpcId', '=', vpcId)
        .executeTakeFirst();
      if (!row) return undefined;
      const { internetGatewayId, ...vpc } = row;
      return { ...vpc, hasInternetGateway: internetGatewayId !== null };
    },
  };
}

/** The one store holds every service's tables: a transaction of another service reaches ours too. */
function own(tx: Tx<unknown>): Ec2Tx {
  return tx as unknown as Ec2Tx;
}
