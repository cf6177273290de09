import { Fault } from '../../wire/fault.ts';
import { type Cidr, formatAddress, parseAddress, parseCidr } from './addresses/cidr.ts';
import { nextFree, subnetRange } from './addresses/next-fit.ts';
import { invalidValue, notFound } from './errors.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';
import { freePublicAddress, takePublicAddress } from './public-addresses.ts';
import type { InterfaceRow } from './tables.ts';
import { dropTags } from './tags.ts';
import { newId } from './vpcs.ts';

export interface NewInterface {
  readonly subnetId: string;
  /** Empty: the VPC's default group. Undefined: no groups at all, as NAT gateways have. */
  readonly groupIds: readonly string[] | undefined;
  readonly assignPublicIp: boolean;
  /** The address to take; the next free one where absent. */
  readonly privateAddress?: string | undefined;
  readonly description: string;
  readonly requesterId: string;
  readonly interfaceType: string;
  readonly inUse: boolean;
}

/** An interface as it was made, with the subnet it stands in. */
export interface MadeInterface {
  readonly row: InterfaceRow;
  readonly groupIds: readonly string[];
  readonly subnetCidrBlock: string;
}

/**
 * Makes an interface. On the path of every task start: each step is one look-up by an index.
 * Throws InvalidSubnetID.NotFound, InvalidGroup.NotFound, InvalidParameterValue (group of another VPC),
 * InsufficientFreeAddressesInSubnet, InvalidIPAddress.InUse, AddressLimitExceeded.
 */
export async function insertInterface(tx: Ec2Tx, parts: Ec2Parts, request: NewInterface): Promise<MadeInterface> {
  const subnet = await tx.db
    .selectFrom('ec2_subnets')
    .innerJoin('ec2_vpcs', 'ec2_vpcs.vpcId', 'ec2_subnets.vpcId')
    .select([
      'ec2_subnets.vpcId',
      'ec2_subnets.cidrBlock',
      'ec2_subnets.availabilityZone',
      'ec2_subnets.cursor',
      'ec2_vpcs.defaultGroupId',
    ])
    .where('ec2_subnets.subnetId', '=', request.subnetId)
    .executeTakeFirst();
  if (!subnet) throw notFound('subnet', request.subnetId);
  const subnetCidr = parseCidr(subnet.cidrBlock)!;
  const groupIds = await groupsOf(tx, request.groupIds, subnet.vpcId, subnet.defaultGroupId);
  const addressNumber = await privateNumber(tx, request, subnetCidr, subnet.cursor);
  const interfaceId = newId(parts, 'eni');
  const row: InterfaceRow = {
    interfaceId,
    subnetId: request.subnetId,
    vpcId: subnet.vpcId,
    availabilityZone: subnet.availabilityZone,
    macAddress: `0a:${parts.random.hex(10).match(/../g)!.join(':')}`,
    privateAddress: formatAddress(addressNumber),
    addressNumber,
    publicAddress: request.assignPublicIp ? await takePublicAddress(tx, parts, interfaceId) : null,
    allocationId: null,
    description: request.description,
    requesterId: request.requesterId,
    interfaceType: request.interfaceType,
    inUse: request.inUse ? 1 : 0,
    attachmentId: request.inUse ? newId(parts, 'eni-attach') : null,
    sourceDestCheck: 1,
    createdAt: parts.clock.now(),
  };
  await tx.db.insertInto('ec2_interfaces').values(row).execute();
  await insertMemberships(tx, interfaceId, groupIds);
  tx.changed('ec2.interface', interfaceId);
  return { row, groupIds, subnetCidrBlock: subnet.cidrBlock };
}

async function privateNumber(tx: Ec2Tx, request: NewInterface, cidr: Cidr, cursor: number): Promise<number> {
  const range = subnetRange(cidr);
  const taken = async (from: number, limit: number) => {
    const rows = await tx.db
      .selectFrom('ec2_interfaces')
      .select('addressNumber')
      .where('subnetId', '=', request.subnetId)
      .where('addressNumber', '>=', from)
      .orderBy('addressNumber')
      .limit(limit)
      .execute();
    return rows.map((row) => row.addressNumber);
  };
  if (request.privateAddress !== undefined) {
    const number = parseAddress(request.privateAddress);
    if (number === undefined) throw invalidValue(`invalid value for parameter address: ${request.privateAddress}`);
    if (number < range.first || number > range.last) {
      throw invalidValue(`Address ${request.privateAddress} does not fall within the subnet's address range`);
    }
    if ((await taken(number, 1))[0] === number) {
      throw new Fault('InvalidIPAddress.InUse', `Address ${request.privateAddress} is in use.`);
    }
    return number;
  }
  const number = await nextFree(range, cursor, taken);
  if (number === undefined) {
    throw new Fault(
      'InsufficientFreeAddressesInSubnet',
      `The specified subnet does not have enough free addresses to satisfy the request: ${request.subnetId}`,
    );
  }
  await tx.db
    .updateTable('ec2_subnets')
    .set({ cursor: number + 1 })
    .where('subnetId', '=', request.subnetId)
    .execute();
  return number;
}

async function groupsOf(
  tx: Ec2Tx,
  requested: readonly string[] | undefined,
  vpcId: string,
  defaultGroupId: string,
): Promise<readonly string[]> {
  if (requested === undefined) return [];
  const groupIds = [...new Set(requested)];
  if (groupIds.length === 0) return [defaultGroupId];
  if (groupIds.length > 5) {
    throw new Fault(
      'SecurityGroupsPerInterfaceLimitExceeded',
      'The maximum number of security groups per interface has been reached.',
    );
  }
  const rows = await tx.db
    .selectFrom('ec2_security_groups')
    .select(['groupId', 'vpcId'])
    .where('groupId', 'in', groupIds)
    .execute();
  for (const groupId of groupIds) {
    const group = rows.find((row) => row.groupId === groupId);
    if (!group) throw notFound('security-group', groupId);
    if (group.vpcId !== vpcId) {
      throw invalidValue(
        `You have specified two resources that belong to different networks: ${groupId} is not in ${vpcId}.`,
      );
    }
  }
  return groupIds;
}

async function insertMemberships(tx: Ec2Tx, interfaceId: string, groupIds: readonly string[]): Promise<void> {
  if (groupIds.length === 0) return;
  await tx.db
    .insertInto('ec2_interface_groups')
    .values(groupIds.map((groupId, position) => ({ interfaceId, groupId, position })))
    .execute();
}

/** Replaces an interface's groups. Throws InvalidNetworkInterfaceID.NotFound, InvalidGroup.NotFound, InvalidParameterValue. */
export async function replaceGroups(tx: Ec2Tx, interfaceId: string, requested: readonly string[]): Promise<void> {
  const row = await tx.db
    .selectFrom('ec2_interfaces')
    .innerJoin('ec2_vpcs', 'ec2_vpcs.vpcId', 'ec2_interfaces.vpcId')
    .select(['ec2_interfaces.vpcId', 'ec2_vpcs.defaultGroupId'])
    .where('interfaceId', '=', interfaceId)
    .executeTakeFirst();
  if (!row) throw notFound('network-interface', interfaceId);
  const groupIds = await groupsOf(tx, requested, row.vpcId, row.defaultGroupId);
  await tx.db.deleteFrom('ec2_interface_groups').where('interfaceId', '=', interfaceId).execute();
  await insertMemberships(tx, interfaceId, groupIds);
  tx.changed('ec2.interface', interfaceId);
}

/** Removes an interface with its memberships and addresses; an elastic IP stays allocated. Whether there was one. */
export async function removeInterface(tx: Ec2Tx, interfaceId: string): Promise<boolean> {
  const row = await tx.db
    .deleteFrom('ec2_interfaces')
    .where('interfaceId', '=', interfaceId)
    .returning(['allocationId', 'publicAddress'])
    .executeTakeFirst();
  if (!row) return false;
  await tx.db.deleteFrom('ec2_interface_groups').where('interfaceId', '=', interfaceId).execute();
  if (row.allocationId !== null) await detachElasticIp(tx, row.allocationId);
  else if (row.publicAddress !== null) await freePublicAddress(tx, interfaceId);
  await dropTags(tx, interfaceId);
  tx.changed('ec2.interface', interfaceId);
  return true;
}

async function detachElasticIp(tx: Ec2Tx, allocationId: string): Promise<void> {
  await tx.db
    .updateTable('ec2_elastic_ips')
    .set({ associationId: null, interfaceId: null })
    .where('allocationId', '=', allocationId)
    .execute();
}
