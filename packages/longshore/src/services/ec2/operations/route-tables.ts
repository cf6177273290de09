import type {
  CreateRouteRequest,
  CreateRouteResult,
  CreateRouteTableRequest,
  CreateRouteTableResult,
  DeleteRouteRequest,
  DeleteRouteTableRequest,
  DescribeRouteTablesRequest,
  DescribeRouteTablesResult,
  ReplaceRouteRequest,
  Route,
  RouteTable,
} from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { formatCidr } from '../addresses/cidr.ts';
import { describe, given, requireAll } from '../describe.ts';
import { dependency, invalidValue, missingParameter, natGatewayNotFound, notFound, notYet } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Ec2Tx, type Operations, operation } from '../operation.ts';
import { takeRouteTable } from '../route-tables.ts';
import type { RouteRow, RouteTableRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { insertRouteTable, newId, takeCidr, takeVpc } from '../vpcs.ts';

/** Route tables and their routes. Nodes know where 0.0.0.0/0 goes: other destinations are refused until they know more. */
export function routeTableOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const one = (input: { RouteTableId?: string | undefined }) => [`route-table/${input.RouteTableId}`];

  const describeTables = async (input: DescribeRouteTablesRequest): Promise<DescribeRouteTablesResult> => {
    const ids = given(input.RouteTableIds);
    let query = store.db.selectFrom('ec2_route_tables').selectAll();
    if (ids) query = query.where('routeTableId', 'in', ids);
    const rows = await query.execute();
    requireAll(
      ids,
      rows.map((row) => row.routeTableId),
      (id) => notFound('route-table', id),
    );
    const { items, next } = describe(await tableViews(rows), input, {
      id: (table) => table.RouteTableId,
      tags: (table) => table.Tags,
      fields: tableFields,
    });
    return { RouteTables: items, ...next };
  };

  const create = async (input: CreateRouteTableRequest): Promise<CreateRouteTableResult> => {
    const tags = specifiedTags(input.TagSpecifications, 'route-table');
    const row = await store.transaction(async (tx) => {
      const vpc = await takeVpc(tx.db, input.VpcId);
      const routeTableId = newId(parts, 'rtb');
      await insertRouteTable(tx, { routeTableId, vpc });
      await putTags(tx, routeTableId, tags);
      return { routeTableId, vpcId: vpc.vpcId };
    });
    const [RouteTable] = await tableViews([row]);
    return { RouteTable };
  };

  const remove = async ({ RouteTableId }: DeleteRouteTableRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { routeTableId } = await takeRouteTable(tx.db, RouteTableId);
      const used = await tx.db
        .selectFrom('ec2_route_table_associations')
        .select('associationId')
        .where('routeTableId', '=', routeTableId)
        .executeTakeFirst();
      if (used) throw dependency('routeTable', routeTableId);
      await tx.db.deleteFrom('ec2_routes').where('routeTableId', '=', routeTableId).execute();
      await tx.db.deleteFrom('ec2_route_tables').where('routeTableId', '=', routeTableId).execute();
      await dropTags(tx, routeTableId);
    });
    return {};
  };

  const createRoute = async (input: CreateRouteRequest): Promise<CreateRouteResult> => {
    const destination = takeDestination(input);
    await store.transaction(async (tx) => {
      const table = await takeRouteTable(tx.db, input.RouteTableId);
      if (await findRoute(tx, table, destination)) {
        throw new Fault('RouteAlreadyExists', `The route identified by ${destination} already exists.`);
      }
      if (destination !== '0.0.0.0/0') throw notYet(`Routes to ${destination} are`);
      const target = await takeTarget(tx, table, input);
      await tx.db.insertInto('ec2_routes').values({ routeTableId: table.routeTableId, destination, target }).execute();
      tx.changed('ec2.route-table', table.routeTableId);
    });
    return { Return: true };
  };

  const replaceRoute = async (input: ReplaceRouteRequest): Promise<object> => {
    const destination = takeDestination(input);
    await store.transaction(async (tx) => {
      const table = await takeRouteTable(tx.db, input.RouteTableId);
      const route = await findRoute(tx, table, destination);
      if (!route) throw routeNotFound(table, destination);
      if (route.target === 'local') throw notYet('Replacing the local route is');
      const target = await takeTarget(tx, table, input);
      await tx.db
        .updateTable('ec2_routes')
        .set({ target })
        .where('routeTableId', '=', table.routeTableId)
        .where('destination', '=', destination)
        .execute();
      tx.changed('ec2.route-table', table.routeTableId);
    });
    return {};
  };

  const removeRoute = async (input: DeleteRouteRequest): Promise<object> => {
    const destination = takeDestination(input);
    await store.transaction(async (tx) => {
      const table = await takeRouteTable(tx.db, input.RouteTableId);
      const route = await findRoute(tx, table, destination);
      if (!route) throw routeNotFound(table, destination);
      if (route.target === 'local') {
        throw invalidValue(`cannot remove local route ${destination} in route table ${table.routeTableId}`);
      }
      await tx.db
        .deleteFrom('ec2_routes')
        .where('routeTableId', '=', table.routeTableId)
        .where('destination', '=', destination)
        .execute();
      tx.changed('ec2.route-table', table.routeTableId);
    });
    return {};
  };

  return {
    CreateRouteTable: operation(create, (input) => ['route-table/*', `vpc/${input.VpcId}`]),
    DescribeRouteTables: operation(describeTables),
    DeleteRouteTable: operation(remove, one),
    CreateRoute: operation(createRoute, one),
    ReplaceRoute: operation(replaceRoute, one),
    DeleteRoute: operation(removeRoute, one),
  };

  async function tableViews(rows: readonly RouteTableRow[]): Promise<RouteTable[]> {
    if (rows.length === 0) return [];
    const { db } = store;
    const ids = rows.map((row) => row.routeTableId);
    const [routes, associations, gateways, nats, tagsOf] = await Promise.all([
      db.selectFrom('ec2_routes').selectAll().where('routeTableId', 'in', ids).orderBy('destination').execute(),
      db.selectFrom('ec2_route_table_associations').selectAll().where('routeTableId', 'in', ids).execute(),
      db.selectFrom('ec2_internet_gateways').selectAll().where('vpcId', 'is not', null).execute(),
      db.selectFrom('ec2_nat_gateways').select('natGatewayId').where('deletedAt', 'is', null).execute(),
      tagReader(db, 'route-table', ids),
    ]);
    const routesOf = Map.groupBy(routes, (route) => route.routeTableId);
    const associationsOf = Map.groupBy(associations, (association) => association.routeTableId);
    const alive = new Set([
      'local',
      ...gateways.map((gateway) => gateway.internetGatewayId),
      ...nats.map((nat) => nat.natGatewayId),
    ]);
    return rows.map(({ routeTableId, vpcId }) => ({
      RouteTableId: routeTableId,
      VpcId: vpcId,
      OwnerId: settings.accountId,
      Routes: (routesOf.get(routeTableId) ?? []).map((route) => routeView(route, alive.has(route.target))),
      Associations: (associationsOf.get(routeTableId) ?? []).map(({ associationId, subnetId }) => ({
        RouteTableAssociationId: associationId,
        RouteTableId: routeTableId,
        Main: subnetId === null,
        ...(subnetId === null ? {} : { SubnetId: subnetId }),
        AssociationState: { State: 'associated' as const },
      })),
      PropagatingVgws: [],
      Tags: tagsOf(routeTableId),
    }));
  }
}

function takeDestination(input: {
  DestinationCidrBlock?: string | undefined;
  DestinationIpv6CidrBlock?: string | undefined;
  DestinationPrefixListId?: string | undefined;
}): string {
  if (input.DestinationIpv6CidrBlock) throw notYet('Routes to IPv6 ranges are');
  if (input.DestinationPrefixListId) throw notYet('Routes to prefix lists are');
  if (!input.DestinationCidrBlock) throw missingParameter('destinationCidrBlock');
  return formatCidr(takeCidr(input.DestinationCidrBlock, 'destinationCidrBlock'));
}

async function findRoute(tx: Ec2Tx, table: RouteTableRow, destination: string): Promise<RouteRow | undefined> {
  return tx.db
    .selectFrom('ec2_routes')
    .selectAll()
    .where('routeTableId', '=', table.routeTableId)
    .where('destination', '=', destination)
    .executeTakeFirst();
}

function routeNotFound(table: RouteTableRow, destination: string): Fault {
  return new Fault(
    'InvalidRoute.NotFound',
    `no route with destination-cidr-block ${destination} in route table ${table.routeTableId}`,
  );
}

/** The target of a route: an internet gateway or a NAT gateway of the same VPC. */
async function takeTarget(tx: Ec2Tx, table: RouteTableRow, input: CreateRouteRequest): Promise<string> {
  const { GatewayId, NatGatewayId } = input;
  if (GatewayId?.startsWith('igw-')) {
    const gateway = await tx.db
      .selectFrom('ec2_internet_gateways')
      .selectAll()
      .where('internetGatewayId', '=', GatewayId)
      .executeTakeFirst();
    if (!gateway) throw notFound('internet-gateway', GatewayId);
    if (gateway.vpcId !== table.vpcId) {
      throw invalidValue(
        `route table ${table.routeTableId} and network gateway ${GatewayId} belong to different networks`,
      );
    }
    return GatewayId;
  }
  if (NatGatewayId !== undefined) {
    const nat = await tx.db
      .selectFrom('ec2_nat_gateways')
      .selectAll()
      .where('natGatewayId', '=', NatGatewayId)
      .where('deletedAt', 'is', null)
      .executeTakeFirst();
    if (!nat) throw natGatewayNotFound(NatGatewayId);
    if (nat.vpcId !== table.vpcId) {
      throw invalidValue(
        `route table ${table.routeTableId} and NAT gateway ${NatGatewayId} belong to different networks`,
      );
    }
    return NatGatewayId;
  }
  const other = Object.entries(input).find(
    ([name, value]) => value !== undefined && !['RouteTableId', 'DestinationCidrBlock', 'DryRun'].includes(name),
  );
  throw other ? notYet(`Routes by ${other[0]} are`) : missingParameter('gatewayId');
}

function routeView({ destination, target }: RouteRow, alive: boolean): Route {
  return {
    DestinationCidrBlock: destination,
    ...(target.startsWith('nat-') ? { NatGatewayId: target } : { GatewayId: target }),
    State: alive ? 'active' : 'blackhole',
    Origin: target === 'local' ? 'CreateRouteTable' : 'CreateRoute',
  };
}

const tableFields: FilterFields<RouteTable> = {
  'association.main': (table) => table.Associations?.map((one) => String(one.Main)),
  'association.route-table-association-id': (table) => table.Associations?.map((one) => one.RouteTableAssociationId),
  'association.route-table-id': (table) => table.Associations?.map((one) => one.RouteTableId),
  'association.subnet-id': (table) => table.Associations?.map((one) => one.SubnetId),
  'owner-id': (table) => table.OwnerId,
  'route.destination-cidr-block': (table) => table.Routes?.map((route) => route.DestinationCidrBlock),
  'route.gateway-id': (table) => table.Routes?.map((route) => route.GatewayId),
  'route.nat-gateway-id': (table) => table.Routes?.map((route) => route.NatGatewayId),
  'route.origin': (table) => table.Routes?.map((route) => route.Origin),
  'route.state': (table) => table.Routes?.map((route) => route.State),
  'route-table-id': (table) => table.RouteTableId,
  'vpc-id': (table) => table.VpcId,
};
