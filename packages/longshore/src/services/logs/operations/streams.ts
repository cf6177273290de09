import type {
  CreateLogStreamRequest,
  DeleteLogStreamRequest,
  DescribeLogStreamsRequest,
  DescribeLogStreamsResponse,
} from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '../../../wire/service.ts';
import { fault, groupNameOf, type LogsState, requireGroup, requireStream } from '../state.ts';
import type { GroupRow, StreamRow } from '../tables.ts';
import { page } from './paging.ts';
import { sequenceToken } from './put-log-events.ts';

/** Log streams: made, described, deleted. */
export function streamOperations(state: LogsState) {
  const CreateLogStream: Operation<CreateLogStreamRequest, object> = {
    access: ({ logGroupName, logStreamName }) => state.access(logGroupName!, logStreamName!),
    handle: ({ logGroupName, logStreamName }) =>
      state.store.transaction(async ({ db }) => {
        const group = await requireGroup(db, logGroupName!);
        const there = await db
          .selectFrom('logs_stream')
          .select('id')
          .where('group_id', '=', group.id)
          .where('name', '=', logStreamName!)
          .executeTakeFirst();
        if (there) throw fault('ResourceAlreadyExistsException', 'The specified log stream already exists');
        await db
          .insertInto('logs_stream')
          .values({
            id: state.random.hex(16),
            group_id: group.id,
            name: logStreamName!,
            created_at: state.clock.now(),
            first_event_at: null,
            last_event_at: null,
            last_ingested_at: null,
            next_sequence: 0,
          })
          .execute();
        return {};
      }),
  };

  const DeleteLogStream: Operation<DeleteLogStreamRequest, object> = {
    access: ({ logGroupName, logStreamName }) => state.access(logGroupName!, logStreamName!),
    handle: ({ logGroupName, logStreamName }) =>
      state.store.transaction(async ({ db }) => {
        const stream = await requireStream(db, await requireGroup(db, logGroupName!), logStreamName!);
        await db.insertInto('logs_garbage').values({ stream_id: stream.id }).execute();
        await db.deleteFrom('logs_stream').where('id', '=', stream.id).execute();
        return {};
      }),
  };

  const DescribeLogStreams: Operation<DescribeLogStreamsRequest, DescribeLogStreamsResponse> = {
    access: (input) => state.access(groupNameOf(input)),
    async handle(input) {
      const byTime = input.orderBy === 'LastEventTime';
      const prefix = input.logStreamNamePrefix;
      if (byTime && prefix !== undefined) {
        throw fault('InvalidParameterException', 'Cannot order by LastEventTime with a logStreamNamePrefix.');
      }
      const group = await requireGroup(state.db, groupNameOf(input));
      const rows = await state.db.selectFrom('logs_stream').selectAll().where('group_id', '=', group.id).execute();
      const keyOf = (row: StreamRow) =>
        byTime ? `${String(row.last_event_at ?? 0).padStart(16, '0')} ${row.name}` : row.name;
      const chosen = rows.filter((row) => prefix === undefined || row.name.startsWith(prefix));
      const { items, ...next } = page(chosen, input, keyOf, input.descending);
      return { logStreams: items.map((row) => shape(group, row)), ...next };
    },
  };

  const shape = (group: GroupRow, row: StreamRow) => ({
    logStreamName: row.name,
    creationTime: row.created_at,
    ...(row.first_event_at === null ? {} : { firstEventTimestamp: row.first_event_at }),
    ...(row.last_event_at === null ? {} : { lastEventTimestamp: row.last_event_at }),
    ...(row.last_ingested_at === null ? {} : { lastIngestionTime: row.last_ingested_at }),
    uploadSequenceToken: sequenceToken(row),
    arn: state.streamArn(group.name, row.name),
    // Zero since 2019 (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogStream.html).
    storedBytes: 0,
  });

  return { CreateLogStream, DeleteLogStream, DescribeLogStreams };
}
