import type { Kysely } from 'kysely';
import { notFound } from './errors.ts';
import type { Ec2Tables, RouteTableAssociationRow, RouteTableRow } from './tables.ts';

/** The route table, or a thrown InvalidRouteTableID.NotFound. */
export async function takeRouteTable(db: Kysely<Ec2Tables>, id: string | undefined): Promise<RouteTableRow> {
  const row = await db
    .selectFrom('ec2_route_tables')
    .selectAll()
    .where('routeTableId', '=', id ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('route-table', id);
  return row;
}

/** The association, or a thrown InvalidAssociationID.NotFound. */
export async function takeAssociation(
  db: Kysely<Ec2Tables>,
  id: string | undefined,
): Promise<RouteTableAssociationRow> {
  const row = await db
    .selectFrom('ec2_route_table_associations')
    .selectAll()
    .where('associationId', '=', id ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('association', id);
  return row;
}
