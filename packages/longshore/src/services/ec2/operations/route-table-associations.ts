import type {
  AssociateRouteTableRequest,
  AssociateRouteTableResult,
  DisassociateRouteTableRequest,
  ReplaceRouteTableAssociationRequest,
  ReplaceRouteTableAssociationResult,
} from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { invalidValue, notYet } from '../errors.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import { takeAssociation, takeRouteTable } from '../route-tables.ts';
import { newId, takeSubnet } from '../vpcs.ts';

/** Which subnets a route table is for. */
export function routeTableAssociationOperations(parts: Ec2Parts): Operations {
  const { store } = parts;

  const associate = async (input: AssociateRouteTableRequest): Promise<AssociateRouteTableResult> => {
    if (input.GatewayId) throw notYet('Route tables of gateways are');
    return store.transaction(async (tx) => {
      const { routeTableId, vpcId } = await takeRouteTable(tx.db, input.RouteTableId);
      const subnet = await takeSubnet(tx.db, input.SubnetId);
      if (subnet.vpcId !== vpcId) {
        throw invalidValue(`route table ${routeTableId} and subnet ${subnet.subnetId} belong to different networks`);
      }
      const existing = await tx.db
        .selectFrom('ec2_route_table_associations')
        .selectAll()
        .where('subnetId', '=', subnet.subnetId)
        .executeTakeFirst();
      const AssociationState = { State: 'associated' as const };
      if (existing?.routeTableId === routeTableId) return { AssociationId: existing.associationId, AssociationState };
      if (existing) {
        throw new Fault(
          'Resource.AlreadyAssociated',
          `the specified association for route table ${routeTableId} conflicts with an existing association`,
        );
      }
      const associationId = newId(parts, 'rtbassoc');
      await tx.db
        .insertInto('ec2_route_table_associations')
        .values({ associationId, routeTableId, vpcId, subnetId: subnet.subnetId })
        .execute();
      tx.changed('ec2.route-table', routeTableId);
      return { AssociationId: associationId, AssociationState };
    });
  };

  const disassociate = async (input: DisassociateRouteTableRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { associationId, routeTableId, subnetId } = await takeAssociation(tx.db, input.AssociationId);
      if (subnetId === null) {
        throw invalidValue(`cannot disassociate the main route table association ${associationId}`);
      }
      await tx.db.deleteFrom('ec2_route_table_associations').where('associationId', '=', associationId).execute();
      tx.changed('ec2.route-table', routeTableId);
    });
    return {};
  };

  /** The association goes, and a new one with the same subnet (or the main one) takes its place. */
  const replace = async (input: ReplaceRouteTableAssociationRequest): Promise<ReplaceRouteTableAssociationResult> =>
    store.transaction(async (tx) => {
      const before = await takeAssociation(tx.db, input.AssociationId);
      const { routeTableId, vpcId } = await takeRouteTable(tx.db, input.RouteTableId);
      if (before.vpcId !== vpcId) {
        throw invalidValue(
          `route table ${routeTableId} and association ${before.associationId} belong to different networks`,
        );
      }
      const associationId = newId(parts, 'rtbassoc');
      await tx.db
        .updateTable('ec2_route_table_associations')
        .set({ associationId, routeTableId })
        .where('associationId', '=', before.associationId)
        .execute();
      tx.changed('ec2.route-table', routeTableId);
      return { NewAssociationId: associationId, AssociationState: { State: 'associated' } };
    });

  return {
    AssociateRouteTable: operation(associate, (input) => [
      `route-table/${input.RouteTableId}`,
      `subnet/${input.SubnetId}`,
    ]),
    DisassociateRouteTable: operation(disassociate, () => ['route-table/*']),
    ReplaceRouteTableAssociation: operation(replace, (input) => [`route-table/${input.RouteTableId}`]),
  };
}
