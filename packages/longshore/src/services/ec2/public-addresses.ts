import { Fault } from '../../wire/fault.ts';
import { formatAddress, parseCidr } from './addresses/cidr.ts';
import { nextFree, poolRange } from './addresses/next-fit.ts';
import type { Ec2Parts, Ec2Tx } from './operation.ts';

const cursorName = 'public-pool';

/** Takes an address of the public pool for `owner` (an interface's or an allocation's id). Throws AddressLimitExceeded. */
export async function takePublicAddress(tx: Ec2Tx, parts: Ec2Parts, owner: string): Promise<string> {
  const pool = parseCidr(parts.settings.publicPool);
  if (!pool) throw new Error(`the public address pool '${parts.settings.publicPool}' is not an IPv4 range`);
  const cursor = await tx.db.selectFrom('ec2_cursors').select('next').where('name', '=', cursorName).executeTakeFirst();
  const number = await nextFree(poolRange(pool), cursor?.next ?? 0, async (from, limit) => {
    const rows = await tx.db
      .selectFrom('ec2_public_addresses')
      .select('addressNumber')
      .where('addressNumber', '>=', from)
      .orderBy('addressNumber')
      .limit(limit)
      .execute();
    return rows.map((row) => row.addressNumber);
  });
  if (number === undefined) {
    throw new Fault(
      'AddressLimitExceeded',
      `All addresses of the public pool ${parts.settings.publicPool} are in use.`,
    );
  }
  await tx.db.insertInto('ec2_public_addresses').values({ addressNumber: number, owner }).execute();
  await tx.db
    .insertInto('ec2_cursors')
    .values({ name: cursorName, next: number + 1 })
    .onConflict((oc) => oc.column('name').doUpdateSet({ next: number + 1 }))
    .execute();
  return formatAddress(number);
}

/** Gives an owner's address back to the pool. */
export async function freePublicAddress(tx: Ec2Tx, owner: string): Promise<void> {
  await tx.db.deleteFrom('ec2_public_addresses').where('owner', '=', owner).execute();
}
