import type {
  CreateLogGroupRequest,
  DeleteLogGroupRequest,
  DescribeLogGroupsRequest,
  DescribeLogGroupsResponse,
  ListLogGroupsRequest,
  ListLogGroupsResponse,
  PutLogGroupDeletionProtectionRequest,
} from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '../../../wire/service.ts';
import { fault, groupTopic, type LogsState, nameFromIdentifier, requireGroup } from '../state.ts';
import type { GroupRow } from '../tables.ts';
import { page } from './paging.ts';
import { putTags } from './tags.ts';

/** Log groups: made, described, deleted, protected. */
export function groupOperations(state: LogsState) {
  const { db, store } = state;

  const CreateLogGroup: Operation<CreateLogGroupRequest, object> = {
    access: ({ logGroupName, tags }) => [
      {
        ...state.access(logGroupName!)[0]!,
        context: {
          'aws:TagKeys': Object.keys(tags ?? {}),
          ...Object.fromEntries(Object.entries(tags ?? {}).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
        },
      },
    ],
    handle: (input) =>
      store.transaction(async (tx) => {
        const name = input.logGroupName!;
        if (/^aws\//i.test(name)) {
          throw fault('InvalidParameterException', 'Log groups starting with AWS/ are reserved for AWS.');
        }
        const there = await tx.db.selectFrom('logs_group').select('id').where('name', '=', name).executeTakeFirst();
        if (there) throw fault('ResourceAlreadyExistsException', 'The specified log group already exists');
        const id = state.random.hex(16);
        await tx.db
          .insertInto('logs_group')
          .values({
            id,
            name,
            created_at: state.clock.now(),
            retention_days: null,
            class: input.logGroupClass ?? 'STANDARD',
            kms_key_id: input.kmsKeyId ?? null,
            deletion_protection: input.deletionProtectionEnabled ? 1 : 0,
            stored_bytes: 0,
          })
          .execute();
        await putTags(tx.db, id, input.tags);
        tx.changed(groupTopic, name);
        return {};
      }),
  };

  const DeleteLogGroup: Operation<DeleteLogGroupRequest, object> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    handle: ({ logGroupName }) =>
      store.transaction(async (tx) => {
        const group = await requireGroup(tx.db, logGroupName!);
        if (group.deletion_protection) {
          throw fault(
            'ValidationException',
            'The log group is protected from deletion. Disable deletion protection first.',
          );
        }
        const streams = await tx.db.selectFrom('logs_stream').select('id').where('group_id', '=', group.id).execute();
        for (const { id } of streams) await tx.db.insertInto('logs_garbage').values({ stream_id: id }).execute();
        await tx.db.deleteFrom('logs_stream').where('group_id', '=', group.id).execute();
        await tx.db.deleteFrom('logs_tag').where('group_id', '=', group.id).execute();
        await tx.db.deleteFrom('logs_group').where('id', '=', group.id).execute();
        tx.changed(groupTopic, group.name);
        return {};
      }),
  };

  const DescribeLogGroups: Operation<DescribeLogGroupsRequest, DescribeLogGroupsResponse> = {
    access: () => state.access(''),
    async handle(input) {
      const { logGroupNamePrefix: prefix, logGroupNamePattern: part, logGroupClass: kind } = input;
      if (prefix !== undefined && part !== undefined) {
        throw fault(
          'InvalidParameterException',
          'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.',
        );
      }
      const named = input.logGroupIdentifiers?.length
        ? new Set(input.logGroupIdentifiers.map(nameFromIdentifier))
        : undefined;
      const rows = await db.selectFrom('logs_group').selectAll().execute();
      const chosen = rows.filter(
        (row) =>
          (prefix === undefined || row.name.startsWith(prefix)) &&
          (part === undefined || row.name.includes(part)) &&
          (kind === undefined || row.class === kind) &&
          (named === undefined || named.has(row.name)),
      );
      const { items, ...next } = page(chosen, input, (row) => row.name);
      return { logGroups: items.map(shape), ...next };
    },
  };

  const ListLogGroups: Operation<ListLogGroupsRequest, ListLogGroupsResponse> = {
    access: () => state.access(''),
    async handle(input) {
      if (input.dataSources?.length || input.fieldIndexNames?.length || input.logGroupTags?.length) {
        throw fault('NotImplementedException', 'ListLogGroups filters by name pattern and class only.');
      }
      const patterns = input.logGroupNamePattern?.split('|');
      const rows = await db.selectFrom('logs_group').selectAll().execute();
      const chosen = rows.filter(
        (row) =>
          (input.logGroupClass === undefined || row.class === input.logGroupClass) &&
          (!patterns ||
            patterns.some((part) =>
              part.startsWith('^') ? row.name.startsWith(part.slice(1)) : row.name.includes(part),
            )),
      );
      const { items, ...next } = page(chosen, input, (row) => row.name);
      return {
        logGroups: items.map((row) => ({
          logGroupName: row.name,
          logGroupArn: state.groupArn(row.name),
          logGroupClass: row.class as 'STANDARD',
        })),
        ...next,
      };
    },
  };

  const PutLogGroupDeletionProtection: Operation<PutLogGroupDeletionProtectionRequest, object> = {
    access: ({ logGroupIdentifier }) => state.access(nameFromIdentifier(logGroupIdentifier!)),
    handle: ({ logGroupIdentifier, deletionProtectionEnabled }) =>
      store.transaction(async (tx) => {
        const group = await requireGroup(tx.db, nameFromIdentifier(logGroupIdentifier!));
        await tx.db
          .updateTable('logs_group')
          .set({ deletion_protection: deletionProtectionEnabled ? 1 : 0 })
          .where('id', '=', group.id)
          .execute();
        tx.changed(groupTopic, group.name);
        return {};
      }),
  };

  const shape = (row: GroupRow) => ({
    logGroupName: row.name,
    creationTime: row.created_at,
    ...(row.retention_days === null ? {} : { retentionInDays: row.retention_days }),
    metricFilterCount: 0,
    arn: `${state.groupArn(row.name)}:*`,
    storedBytes: row.stored_bytes,
    ...(row.kms_key_id === null ? {} : { kmsKeyId: row.kms_key_id }),
    logGroupClass: row.class as 'STANDARD',
    logGroupArn: state.groupArn(row.name),
    deletionProtectionEnabled: row.deletion_protection === 1,
  });

  return { CreateLogGroup, DeleteLogGroup, DescribeLogGroups, ListLogGroups, PutLogGroupDeletionProtection };
}
