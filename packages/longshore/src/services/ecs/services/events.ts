import { serviceActed } from '../announce.ts';
import type { EcsParts, EcsTx } from '../parts.ts';

/** Events that DescribeServices shows of a service. */
export const keptEvents = 100;
/** How long the same message is not said again where it says nothing new (AWS: 6 h). */
const quietMs = 6 * 3_600_000;

/** Adds messages to a service's events, the newest last, and drops what is more than a hundred. */
export async function addEvents(
  parts: Pick<EcsParts, 'clock' | 'random' | 'events'>,
  tx: EcsTx,
  serviceArn: string,
  messages: readonly string[],
): Promise<void> {
  if (messages.length === 0) return;
  const { clock, random } = parts;
  const newest = await tx.db
    .selectFrom('ecs_service_events')
    .select(['place', 'message', 'createdAt'])
    .where('serviceArn', '=', serviceArn)
    .orderBy('place', 'desc')
    .executeTakeFirst();
  let place = newest?.place ?? 0;
  let last = newest;
  for (const message of messages) {
    if (message.includes('unable') && (await saidLately(tx, serviceArn, message, clock.now() - quietMs))) continue;
    if (last?.message === message && clock.now() - Number(last.createdAt) < quietMs) continue;
    place += 1;
    last = { place, message, createdAt: clock.now() };
    await tx.db
      .insertInto('ecs_service_events')
      .values({ id: random.uuid(), serviceArn, createdAt: clock.now(), place, message })
      .execute();
    await serviceActed(parts, tx, serviceArn, message);
  }
  await tx.db
    .deleteFrom('ecs_service_events')
    .where('serviceArn', '=', serviceArn)
    .where('place', '<=', place - keptEvents)
    .execute();
}

const saidLately = async (tx: EcsTx, serviceArn: string, message: string, since: number) =>
  (await tx.db
    .selectFrom('ecs_service_events')
    .select('id')
    .where('serviceArn', '=', serviceArn)
    .where('message', '=', message)
    .where('createdAt', '>', since)
    .executeTakeFirst()) !== undefined;
