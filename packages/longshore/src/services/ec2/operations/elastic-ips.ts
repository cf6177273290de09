import type {
  Address,
  AllocateAddressRequest,
  AllocateAddressResult,
  AssociateAddressRequest,
  AssociateAddressResult,
  DescribeAddressesAttributeRequest,
  DescribeAddressesAttributeResult,
  DescribeAddressesRequest,
  DescribeAddressesResult,
  DisassociateAddressRequest,
  ReleaseAddressRequest,
  Tag,
} from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { associateElasticIp, disassociateElasticIp, takeElasticIp } from '../elastic-ips.ts';
import { missingParameter, notFound, notYet } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import { freePublicAddress, takePublicAddress } from '../public-addresses.ts';
import type { Ec2Tables, ElasticIpRow, InterfaceRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { newId } from '../vpcs.ts';

/** Elastic IPs: public addresses that stay allocated until they are released. */
export function elasticIpOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const one = (input: { AllocationId?: string | undefined }) => [`elastic-ip/${input.AllocationId ?? '*'}`];

  const allocate = async (input: AllocateAddressRequest): Promise<AllocateAddressResult> => {
    if (input.Address || input.CustomerOwnedIpv4Pool || input.IpamPoolId) throw notYet('Choosing an elastic IP is');
    const tags = specifiedTags(input.TagSpecifications, 'elastic-ip');
    return store.transaction(async (tx) => {
      const allocationId = newId(parts, 'eipalloc');
      const publicAddress = await takePublicAddress(tx, parts, allocationId);
      await tx.db
        .insertInto('ec2_elastic_ips')
        .values({ allocationId, publicAddress, associationId: null, interfaceId: null })
        .execute();
      await putTags(tx, allocationId, tags);
      return {
        AllocationId: allocationId,
        PublicIp: publicAddress,
        Domain: 'vpc',
        PublicIpv4Pool: 'amazon',
        NetworkBorderGroup: settings.region,
      };
    });
  };

  const associate = async (input: AssociateAddressRequest): Promise<AssociateAddressResult> => {
    if (input.InstanceId) {
      throw new Fault('InvalidInstanceID.NotFound', `The instance ID '${input.InstanceId}' does not exist`);
    }
    return store.transaction(async (tx) => {
      const address = await takeAddress(tx.db, input);
      const { NetworkInterfaceId } = input;
      if (NetworkInterfaceId === undefined) throw missingParameter('networkInterfaceId');
      const replace = input.AllowReassociation !== false;
      return { AssociationId: await associateElasticIp(tx, parts, address, NetworkInterfaceId, replace) };
    });
  };

  const disassociate = async (input: DisassociateAddressRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const address =
        input.AssociationId === undefined
          ? await takeAddress(tx.db, input)
          : await tx.db
              .selectFrom('ec2_elastic_ips')
              .selectAll()
              .where('associationId', '=', input.AssociationId)
              .executeTakeFirst();
      if (!address || address.interfaceId === null) throw notFound('association', input.AssociationId);
      const nat = await tx.db
        .selectFrom('ec2_nat_gateways')
        .select('natGatewayId')
        .where('interfaceId', '=', address.interfaceId)
        .executeTakeFirst();
      if (nat) throw new Fault('AuthFailure', 'You do not have permission to access the specified resource.');
      await disassociateElasticIp(tx, address);
    });
    return {};
  };

  const release = async (input: ReleaseAddressRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { allocationId, publicAddress, associationId } = await takeAddress(tx.db, input);
      if (associationId !== null) throw new Fault('InvalidIPAddress.InUse', `Address ${publicAddress} is in use.`);
      await tx.db.deleteFrom('ec2_elastic_ips').where('allocationId', '=', allocationId).execute();
      await freePublicAddress(tx, allocationId);
      await dropTags(tx, allocationId);
    });
    return {};
  };

  const describeAddresses = async (input: DescribeAddressesRequest): Promise<DescribeAddressesResult> => {
    const ids = given(input.AllocationIds);
    const ips = given(input.PublicIps);
    let query = store.db
      .selectFrom('ec2_elastic_ips')
      .leftJoin('ec2_interfaces', 'ec2_interfaces.interfaceId', 'ec2_elastic_ips.interfaceId')
      .selectAll('ec2_elastic_ips')
      .select(['ec2_interfaces.privateAddress', 'ec2_interfaces.requesterId']);
    if (ids) query = query.where('ec2_elastic_ips.allocationId', 'in', ids);
    if (ips) query = query.where('ec2_elastic_ips.publicAddress', 'in', ips);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'elastic-ip', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.allocationId),
      (id) => notFound('elastic-ip', id),
    );
    requireAll(
      ips,
      rows.map((row) => row.publicAddress),
      addressNotFound,
    );
    const { items } = describe(
      rows.map((row) => addressView(row, tagsOf(row.allocationId), settings)),
      { Filters: input.Filters },
      { id: (address) => address.AllocationId, tags: (address) => address.Tags, fields: addressFields },
    );
    return { Addresses: items };
  };

  /** No address has a reverse name here. */
  const describeAttributes = async (
    input: DescribeAddressesAttributeRequest,
  ): Promise<DescribeAddressesAttributeResult> => {
    const { Addresses = [] } = await describeAddresses({ AllocationIds: input.AllocationIds });
    return {
      Addresses: Addresses.map(({ AllocationId, PublicIp }) => ({
        ...(AllocationId === undefined ? {} : { AllocationId }),
        ...(PublicIp === undefined ? {} : { PublicIp }),
      })),
    };
  };

  return {
    AllocateAddress: operation(allocate, () => ['elastic-ip/*']),
    AssociateAddress: operation(associate, one),
    DisassociateAddress: operation(disassociate, () => ['elastic-ip/*']),
    ReleaseAddress: operation(release, one),
    DescribeAddresses: operation(describeAddresses),
    DescribeAddressesAttribute: operation(describeAttributes),
  };
}

async function takeAddress(
  db: Kysely<Ec2Tables>,
  input: { AllocationId?: string | undefined; PublicIp?: string | undefined },
): Promise<ElasticIpRow> {
  if (input.AllocationId !== undefined) return takeElasticIp(db, input.AllocationId);
  if (input.PublicIp === undefined) throw missingParameter('allocationId');
  const row = await db
    .selectFrom('ec2_elastic_ips')
    .selectAll()
    .where('publicAddress', '=', input.PublicIp)
    .executeTakeFirst();
  if (!row) throw addressNotFound(input.PublicIp);
  return row;
}

function addressNotFound(address: string): Fault {
  return new Fault('InvalidAddress.NotFound', `Address '${address}' not found.`);
}

function addressView(
  row: ElasticIpRow & { readonly [Name in 'privateAddress' | 'requesterId']: InterfaceRow[Name] | null },
  tags: Tag[],
  { accountId, region }: { readonly accountId: string; readonly region: string },
): Address {
  return {
    AllocationId: row.allocationId,
    PublicIp: row.publicAddress,
    Domain: 'vpc',
    PublicIpv4Pool: 'amazon',
    NetworkBorderGroup: region,
    ...(row.associationId === null ? {} : { AssociationId: row.associationId }),
    ...(row.interfaceId === null
      ? {}
      : {
          NetworkInterfaceId: row.interfaceId,
          NetworkInterfaceOwnerId: accountId,
          ...(row.privateAddress === null ? {} : { PrivateIpAddress: row.privateAddress }),
        }),
    Tags: tags,
  };
}

const addressFields: FilterFields<Address> = {
  'allocation-id': (address) => address.AllocationId,
  'association-id': (address) => address.AssociationId,
  domain: (address) => address.Domain,
  'instance-id': (address) => address.InstanceId,
  'network-border-group': (address) => address.NetworkBorderGroup,
  'network-interface-id': (address) => address.NetworkInterfaceId,
  'network-interface-owner-id': (address) => address.NetworkInterfaceOwnerId,
  'private-ip-address': (address) => address.PrivateIpAddress,
  'public-ip': (address) => address.PublicIp,
};
