import type { Kysely } from 'kysely';
import type { EventRow, GroupRow, LogsTables, StreamRow } from './tables.ts';

/** Bytes that an event counts for beside its message. */
export const eventOverhead = 26;
/** Bytes that one event, and one batch, may come to (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html). */
export const mostEventBytes = 1_048_576;

export interface SizedEvent {
  readonly timestamp: number;
  readonly message: string;
  readonly bytes: number;
}

/** Adds events to a stream; what its next event's sequence will be. */
export async function append(
  db: Kysely<LogsTables>,
  group: GroupRow,
  stream: StreamRow,
  events: readonly SizedEvent[],
  now: number,
): Promise<number> {
  if (events.length === 0) return stream.next_sequence;
  const rows = events.map(
    (event, index): EventRow => ({
      ...event,
      stream_id: stream.id,
      group_id: group.id,
      sequence: stream.next_sequence + index,
      ingested_at: now,
    }),
  );
  for (const chunk of chunks(rows)) await db.insertInto('logs_event').values(chunk).execute();
  const next_sequence = stream.next_sequence + rows.length;
  const times = rows.map((row) => row.timestamp);
  const first = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b));
  await db
    .updateTable('logs_stream')
    .set({
      next_sequence,
      first_event_at: Math.min(stream.first_event_at ?? first, first),
      last_event_at: Math.max(stream.last_event_at ?? last, last),
      last_ingested_at: now,
    })
    .where('id', '=', stream.id)
    .execute();
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  await db
    .updateTable('logs_group')
    .set((eb) => ({ stored_bytes: eb('stored_bytes', '+', bytes) }))
    .where('id', '=', group.id)
    .execute();
  return next_sequence;
}

/** Powers of two, so that few different statements are ever prepared. */
function* chunks<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  for (let start = 0; start < rows.length; ) {
    const size = Math.min(512, 2 ** Math.floor(Math.log2(rows.length - start)));
    yield rows.slice(start, start + size);
    start += size;
  }
}
