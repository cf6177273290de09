import type { SelectQueryBuilder } from 'kysely';
import type { EventRow, LogsTables } from '../tables.ts';

export type EventsQuery = SelectQueryBuilder<LogsTables, 'logs_event', EventRow>;

/** Bytes of one answer: 1 MB, as GetLogEvents and FilterLogEvents both have it. */
export const answerBytes = 1_048_576;

/**
 * Reads at most `limit` events, and no more than fit into `bytes`; at least one where there is one. Sizes are asked first: ten
 * thousand events may be ten gigabytes.
 */
export async function readEvents(query: EventsQuery, limit: number, bytes: number): Promise<EventRow[]> {
  const sizes = await query.clearSelect().select('bytes').limit(limit).execute();
  let sum = 0;
  let count = 0;
  for (const row of sizes) {
    sum += row.bytes;
    if (sum > bytes && count > 0) break;
    count++;
  }
  return count === 0 ? [] : query.limit(count).execute();
}
