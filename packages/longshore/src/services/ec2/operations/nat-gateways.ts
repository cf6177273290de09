import type {
  CreateNatGatewayRequest,
  CreateNatGatewayResult,
  DeleteNatGatewayRequest,
  DeleteNatGatewayResult,
  DescribeNatGatewaysRequest,
  DescribeNatGatewaysResult,
  NatGateway,
  Tag,
} from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { associateElasticIp, takeElasticIp } from '../elastic-ips.ts';
import { missingParameter, natGatewayNotFound, notYet, required } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { insertInterface, removeInterface } from '../interfaces.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import type { NatGatewayRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { newId } from '../vpcs.ts';

/** How long a deleted NAT gateway is still described, as at AWS. */
const rememberedMs = 3_600_000;

/** NAT gateways: a way out for subnets without public addresses. */
export function natGatewayOperations(parts: Ec2Parts): Operations {
  const { store, clock } = parts;

  const create = async (input: CreateNatGatewayRequest): Promise<CreateNatGatewayResult> => {
    const connectivityType = input.ConnectivityType ?? 'public';
    if (input.SecondaryAllocationIds?.length || input.SecondaryPrivateIpAddresses?.length) {
      throw notYet('Secondary addresses of NAT gateways are');
    }
    if (input.AvailabilityMode === 'regional') throw notYet('Regional NAT gateways are');
    if (connectivityType === 'public' && !input.AllocationId) throw missingParameter('allocationId');
    const tags = specifiedTags(input.TagSpecifications, 'natgateway');
    return store.transaction(async (tx) => {
      const natGatewayId = newId(parts, 'nat');
      const address = input.AllocationId ? await takeElasticIp(tx.db, input.AllocationId) : undefined;
      const { row: made } = await insertInterface(tx, parts, {
        subnetId: required(input.SubnetId, 'subnetId'),
        groupIds: undefined,
        assignPublicIp: false,
        privateAddress: input.PrivateIpAddress,
        description: `Interface for NAT Gateway ${natGatewayId}`,
        requesterId: 'amazon-vpc',
        interfaceType: 'nat_gateway',
        inUse: true,
      });
      if (address) {
        const gateway = await tx.db
          .selectFrom('ec2_internet_gateways')
          .select('internetGatewayId')
          .where('vpcId', '=', made.vpcId)
          .executeTakeFirst();
        if (!gateway) {
          throw new Fault('Gateway.NotAttached', `Network ${made.vpcId} has no Internet gateway attached`);
        }
        await associateElasticIp(tx, parts, address, made.interfaceId, false);
      }
      const row: NatGatewayRow = {
        natGatewayId,
        subnetId: made.subnetId,
        vpcId: made.vpcId,
        connectivityType,
        allocationId: address?.allocationId ?? null,
        interfaceId: made.interfaceId,
        privateAddress: made.privateAddress,
        publicAddress: address?.publicAddress ?? null,
        createdAt: clock.now(),
        deletedAt: null,
      };
      await tx.db.insertInto('ec2_nat_gateways').values(row).execute();
      await putTags(tx, natGatewayId, tags);
      tx.changed('ec2.route-table', natGatewayId);
      return { NatGateway: natView(row, [...tags]) };
    });
  };

  const remove = async (input: DeleteNatGatewayRequest): Promise<DeleteNatGatewayResult> =>
    store.transaction(async (tx) => {
      const forgotten = await tx.db
        .deleteFrom('ec2_nat_gateways')
        .where('deletedAt', '<', clock.now() - rememberedMs)
        .returning('natGatewayId')
        .execute();
      await dropTags(tx, ...forgotten.map((row) => row.natGatewayId));
      const id = required(input.NatGatewayId, 'natGatewayId');
      const row = await tx.db
        .selectFrom('ec2_nat_gateways')
        .selectAll()
        .where('natGatewayId', '=', id)
        .executeTakeFirst();
      if (!row) throw natGatewayNotFound(id);
      if (row.deletedAt === null) {
        await removeInterface(tx, row.interfaceId);
        await tx.db
          .updateTable('ec2_nat_gateways')
          .set({ deletedAt: clock.now() })
          .where('natGatewayId', '=', id)
          .execute();
        tx.changed('ec2.route-table', id);
      }
      return { NatGatewayId: id };
    });

  const describeGateways = async (input: DescribeNatGatewaysRequest): Promise<DescribeNatGatewaysResult> => {
    const ids = given(input.NatGatewayIds);
    let query = store.db
      .selectFrom('ec2_nat_gateways')
      .selectAll()
      .where((eb) => eb.or([eb('deletedAt', 'is', null), eb('deletedAt', '>=', clock.now() - rememberedMs)]));
    if (ids) query = query.where('natGatewayId', 'in', ids);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'natgateway', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.natGatewayId),
      natGatewayNotFound,
    );
    const { items, next } = describe(
      rows.map((row) => natView(row, tagsOf(row.natGatewayId))),
      { ...input, Filters: input.Filter },
      { id: (view) => view.NatGatewayId, tags: (view) => view.Tags, fields: natFields },
    );
    return { NatGateways: items, ...next };
  };

  return {
    CreateNatGateway: operation(create, (input) => ['natgateway/*', `subnet/${input.SubnetId}`]),
    DescribeNatGateways: operation(describeGateways),
    DeleteNatGateway: operation(remove, (input) => [`natgateway/${input.NatGatewayId}`]),
  };
}

function natView(row: NatGatewayRow, tags: Tag[]): NatGateway {
  return {
    NatGatewayId: row.natGatewayId,
    SubnetId: row.subnetId,
    VpcId: row.vpcId,
    ConnectivityType: row.connectivityType as NonNullable<NatGateway['ConnectivityType']>,
    State: row.deletedAt === null ? 'available' : 'deleted',
    CreateTime: new Date(row.createdAt),
    ...(row.deletedAt === null ? {} : { DeleteTime: new Date(row.deletedAt) }),
    NatGatewayAddresses: [
      {
        NetworkInterfaceId: row.interfaceId,
        PrivateIp: row.privateAddress,
        IsPrimary: true,
        Status: 'succeeded',
        ...(row.allocationId === null ? {} : { AllocationId: row.allocationId }),
        ...(row.publicAddress === null ? {} : { PublicIp: row.publicAddress }),
      },
    ],
    Tags: tags,
  };
}

const natFields: FilterFields<NatGateway> = {
  'connectivity-type': (view) => view.ConnectivityType,
  'nat-gateway-id': (view) => view.NatGatewayId,
  state: (view) => view.State,
  'subnet-id': (view) => view.SubnetId,
  'vpc-id': (view) => view.VpcId,
};
