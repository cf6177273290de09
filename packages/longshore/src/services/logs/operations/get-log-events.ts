import type { GetLogEventsRequest, GetLogEventsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { sql } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { expiryOf, fault, groupNameOf, type LogsState, requireGroup, requireStream } from '../state.ts';
import { answerBytes, type EventsQuery, readEvents } from './events.ts';

/** Where one reading ended: between two events of a stream, in order of time and arrival. */
interface Cursor {
  readonly direction: 'f' | 'b';
  /** `f` goes on after this event, `b` before it. */
  readonly timestamp: number;
  readonly sequence: number;
}

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html */
export function getLogEvents(state: LogsState): Operation<GetLogEventsRequest, GetLogEventsResponse> {
  return {
    access: (input) => state.access(groupNameOf(input), input.logStreamName!),
    async handle(input) {
      const group = await requireGroup(state.db, groupNameOf(input));
      const stream = await requireStream(state.db, group, input.logStreamName!);
      const cursor = input.nextToken === undefined ? undefined : parseCursor(input.nextToken);
      const forward = cursor ? cursor.direction === 'f' : (input.startFromHead ?? false);
      const from = Math.max(input.startTime ?? 0, expiryOf(group, state.clock.now()));
      const limit = input.limit ?? 10_000;

      let query: EventsQuery = state.db
        .selectFrom('logs_event')
        .selectAll()
        .where('stream_id', '=', stream.id)
        .where('timestamp', '>=', from);
      // The end is exclusive (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html).
      if (input.endTime !== undefined) query = query.where('timestamp', '<', input.endTime);
      if (cursor) {
        const row = sql`(${sql.ref('timestamp')}, ${sql.ref('sequence')})`;
        const place = sql`(${cursor.timestamp}, ${cursor.sequence})`;
        // The bound on the time alone lets the index start reading there.
        query = forward
          ? query.where('timestamp', '>=', cursor.timestamp).where(sql<boolean>`${row} > ${place}`)
          : query.where('timestamp', '<=', cursor.timestamp).where(sql<boolean>`${row} < ${place}`);
      }
      const order = forward ? 'asc' : 'desc';
      const found = await readEvents(query.orderBy('timestamp', order).orderBy('sequence', order), limit, answerBytes);
      const rows = forward ? found : found.toReversed();

      const first = rows[0];
      const last = rows.at(-1);
      // With nothing to show, the token of this direction stays the same: clients take that for the end.
      const here = cursor ?? { timestamp: from, sequence: -1 };
      return {
        events: rows.map((row) => ({ timestamp: row.timestamp, message: row.message, ingestionTime: row.ingested_at })),
        nextForwardToken: last
          ? formatCursor('f', last.timestamp, last.sequence)
          : formatCursor('f', here.timestamp, here.sequence - (cursor?.direction === 'b' ? 1 : 0)),
        nextBackwardToken: first
          ? formatCursor('b', first.timestamp, first.sequence)
          : formatCursor('b', here.timestamp, here.sequence + (cursor?.direction === 'f' ? 1 : 0)),
      };
    },
  };
}

/** `f/` or `b/`, 56 digits, `/s`: as at AWS, where the digits are opaque. */
function formatCursor(direction: Cursor['direction'], timestamp: number, sequence: number): string {
  // Sequences start below zero, before a stream's first event.
  return `${direction}/3${String(timestamp).padStart(17, '0')}${String(sequence + 2).padStart(38, '0')}/s`;
}

function parseCursor(token: string): Cursor {
  const match = /^([fb])\/3(\d{17})(\d{38})\/s$/.exec(token);
  if (!match) throw fault('InvalidParameterException', 'The specified nextToken is invalid.');
  return { direction: match[1] as 'f' | 'b', timestamp: Number(match[2]), sequence: Number(match[3]) - 2 };
}
