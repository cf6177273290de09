import { setImmediate } from 'node:timers/promises';
import type { FilterLogEventsRequest, FilterLogEventsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { sql } from 'kysely';
import { tokenAfter } from '../../../wire/pagination.ts';
import type { Operation } from '../../../wire/service.ts';
import { compileFilter, FilterSyntaxError } from '../filter/filter.ts';
import { expiryOf, fault, groupNameOf, type LogsState, requireGroup, requireStream } from '../state.ts';
import type { EventRow, GroupRow } from '../tables.ts';
import { answerBytes, type EventsQuery, readEvents } from './events.ts';
import { placeIn } from './paging.ts';

/** Rows read at a time, and by one request: further ones are for the next page, so that no request takes long. */
const batch = 1_000;
const batchBytes = 8 * 1_048_576;
const mostRows = 50_000;

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
export function filterLogEvents(state: LogsState): Operation<FilterLogEventsRequest, FilterLogEventsResponse> {
  return {
    access: (input) => state.access(groupNameOf(input)),
    async handle(input) {
      const matches = compile(input.filterPattern ?? '');
      const group = await requireGroup(state.db, groupNameOf(input));
      const streams = await chosenStreams(state, group, input);
      const names = new Map(streams.map((stream) => [stream.id, stream.name]));
      const limit = input.limit ?? 10_000;
      const from = Math.max(input.startTime ?? 0, expiryOf(group, state.clock.now()));
      const restricted = input.logStreamNames !== undefined || input.logStreamNamePrefix !== undefined;

      let base: EventsQuery = state.db
        .selectFrom('logs_event')
        .selectAll()
        .where('group_id', '=', group.id)
        .where('timestamp', '>=', from)
        .orderBy('timestamp')
        .orderBy('stream_id')
        .orderBy('sequence');
      if (input.endTime !== undefined) base = base.where('timestamp', '<=', input.endTime);
      if (restricted && streams.length <= 100) base = base.where('stream_id', 'in', [...names.keys()]);

      const found: EventRow[] = [];
      let bytes = 0;
      let read = 0;
      let place = placeIn(input.nextToken, parsePlace);
      while (names.size > 0) {
        const query = place
          ? // The bound on the time alone lets the index start reading there.
            base
              .where('timestamp', '>=', place.timestamp)
              .where(
                sql<boolean>`(${sql.ref('timestamp')}, ${sql.ref('stream_id')}, ${sql.ref('sequence')}) > (${place.timestamp}, ${place.stream_id}, ${place.sequence})`,
              )
          : base;
        const rows = await readEvents(query, batch, batchBytes);
        for (const row of rows) {
          if (names.has(row.stream_id) && matches(row.message)) {
            if (found.length > 0 && bytes + row.bytes > answerBytes) return answer(found, names, place);
            found.push(row);
            bytes += row.bytes;
          }
          place = row;
          if (found.length === limit) return answer(found, names, place);
        }
        read += rows.length;
        if (rows.length === 0) break;
        if (read >= mostRows) return answer(found, names, place);
        await setImmediate();
      }
      return answer(found, names, undefined);
    },
  };
}

type Place = Pick<EventRow, 'timestamp' | 'stream_id' | 'sequence'>;

function answer(
  found: readonly EventRow[],
  names: ReadonlyMap<string, string>,
  next: Place | undefined,
): FilterLogEventsResponse {
  return {
    events: found.map((row) => ({
      logStreamName: names.get(row.stream_id)!,
      timestamp: row.timestamp,
      message: row.message,
      ingestionTime: row.ingested_at,
      eventId: eventId(row),
    })),
    // Empty since 2019 (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html).
    searchedLogStreams: [],
    ...(next ? { nextToken: tokenAfter(`${next.timestamp} ${next.stream_id} ${next.sequence}`) } : {}),
  };
}

function parsePlace(key: string): Place | undefined {
  const match = /^(\d+) ([0-9a-f]+) (\d+)$/.exec(key);
  return match ? { timestamp: Number(match[1]), stream_id: match[2]!, sequence: Number(match[3]) } : undefined;
}

/** 56 digits, unique within the group. */
function eventId(row: EventRow): string {
  const stream = BigInt(`0x${row.stream_id}`) % 10n ** 20n;
  return `3${String(row.timestamp).padStart(15, '0')}${String(stream).padStart(20, '0')}${String(row.sequence).padStart(20, '0')}`;
}

function compile(pattern: string) {
  try {
    return compileFilter(pattern);
  } catch (error) {
    if (error instanceof FilterSyntaxError) throw fault('InvalidParameterException', error.message);
    throw error;
  }
}

async function chosenStreams(
  state: LogsState,
  group: GroupRow,
  { logStreamNames, logStreamNamePrefix }: FilterLogEventsRequest,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  if (logStreamNames && logStreamNamePrefix !== undefined) {
    throw fault(
      'InvalidParameterException',
      'logStreamNames and logStreamNamePrefix are mutually exclusive parameters.',
    );
  }
  if (logStreamNames) return Promise.all(logStreamNames.map((name) => requireStream(state.db, group, name)));
  const all = await state.db
    .selectFrom('logs_stream')
    .select(['id', 'name'])
    .where('group_id', '=', group.id)
    .execute();
  return logStreamNamePrefix === undefined ? all : all.filter(({ name }) => name.startsWith(logStreamNamePrefix));
}
