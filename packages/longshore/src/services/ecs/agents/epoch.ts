import type { Store } from '../../../state/store.ts';
import type { EcsTables } from '../tables.ts';

/** Sequence numbers in one run of the gateway: 2^28, and 2^25 runs, both far from any end. */
const perEpoch = 2 ** 28;

/**
 * Numbers that grow, over restarts too, without a write for each: the high part counts the gateway's starts.
 * Agents drop what is not newer than what they have seen.
 */
export async function openEpoch(store: Store<EcsTables>): Promise<() => number> {
  const epoch = await store.transaction(async (tx) => {
    const name = 'agent-gateway-starts';
    const row = await tx.db.selectFrom('ecs_counters').select('value').where('name', '=', name).executeTakeFirst();
    const value = Number(row?.value ?? 0) + 1;
    await tx.db
      .insertInto('ecs_counters')
      .values({ name, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
    return value;
  });
  let last = 0;
  return () => epoch * perEpoch + ++last;
}
