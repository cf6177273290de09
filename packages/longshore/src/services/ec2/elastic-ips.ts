import type { Kysely } from 'kysely';
import { Fault } from '../../wire/fault.ts';
import { notFound } from './errors.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';
import { freePublicAddress } from './public-addresses.ts';
import type { Ec2Tables, ElasticIpRow } from './tables.ts';
import { newId } from './vpcs.ts';

/** The elastic IP, or a thrown InvalidAllocationID.NotFound. */
export async function takeElasticIp(db: Kysely<Ec2Tables>, allocationId: string | undefined): Promise<ElasticIpRow> {
  const row = await db
    .selectFrom('ec2_elastic_ips')
    .selectAll()
    .where('allocationId', '=', allocationId ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('elastic-ip', allocationId);
  return row;
}

/**
 * Gives an interface an elastic IP in place of the public address that it has. Throws Resource.AlreadyAssociated where either
 * has another and `replace` is false.
 */
export async function associateElasticIp(
  tx: Ec2Tx,
  parts: Ec2Parts,
  address: ElasticIpRow,
  interfaceId: string,
  replace: boolean,
): Promise<string> {
  const { allocationId } = address;
  const target = await tx.db
    .selectFrom('ec2_interfaces')
    .select(['publicAddress', 'allocationId'])
    .where('interfaceId', '=', interfaceId)
    .executeTakeFirst();
  if (!target) throw notFound('network-interface', interfaceId);
  if (address.interfaceId === interfaceId && address.associationId !== null) return address.associationId;
  if (address.associationId !== null) {
    if (!replace) {
      throw new Fault(
        'Resource.AlreadyAssociated',
        `resource ${allocationId} is already associated with associate-id ${address.associationId}`,
      );
    }
    await disassociateElasticIp(tx, address);
  }
  if (target.allocationId !== null) {
    if (!replace) {
      throw new Fault('Resource.AlreadyAssociated', `resource ${interfaceId} is already associated with an address`);
    }
    await disassociateElasticIp(tx, await takeElasticIp(tx.db, target.allocationId));
  } else if (target.publicAddress !== null) {
    await freePublicAddress(tx, interfaceId);
  }
  const associationId = newId(parts, 'eipassoc');
  await tx.db
    .updateTable('ec2_elastic_ips')
    .set({ associationId, interfaceId })
    .where('allocationId', '=', allocationId)
    .execute();
  await tx.db
    .updateTable('ec2_interfaces')
    .set({ publicAddress: address.publicAddress, allocationId })
    .where('interfaceId', '=', interfaceId)
    .execute();
  tx.changed('ec2.interface', interfaceId);
  return associationId;
}

/** Takes an elastic IP off its interface, which is left without a public address. */
export async function disassociateElasticIp(tx: Ec2Tx, address: ElasticIpRow): Promise<void> {
  const { allocationId, interfaceId } = address;
  await tx.db
    .updateTable('ec2_elastic_ips')
    .set({ associationId: null, interfaceId: null })
    .where('allocationId', '=', allocationId)
    .execute();
  if (interfaceId === null) return;
  await tx.db
    .updateTable('ec2_interfaces')
    .set({ publicAddress: null, allocationId: null })
    .where('interfaceId', '=', interfaceId)
    .execute();
  tx.changed('ec2.interface', interfaceId);
}
