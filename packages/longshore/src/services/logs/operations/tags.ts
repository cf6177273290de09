import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  ListTagsLogGroupRequest,
  TagLogGroupRequest,
  TagResourceRequest,
  UntagLogGroupRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-cloudwatch-logs';
import type { Kysely } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { fault, type LogsState, nameFromIdentifier, requireGroup } from '../state.ts';
import type { LogsTables } from '../tables.ts';

type Tags = Readonly<Record<string, string>>;

const most = 50;

/** Adds or overwrites. Throws TooManyTagsException. */
export async function putTags(db: Kysely<LogsTables>, groupId: string, tags: Tags | undefined): Promise<void> {
  for (const [key, value] of Object.entries(tags ?? {})) {
    if (/^aws:/i.test(key)) throw fault('InvalidParameterException', 'Tag keys starting with aws: are reserved.');
    await db
      .insertInto('logs_tag')
      .values({ group_id: groupId, key, value })
      .onConflict((oc) => oc.columns(['group_id', 'key']).doUpdateSet({ value }))
      .execute();
  }
  if (Object.keys(await readTags(db, groupId)).length > most) {
    throw fault('TooManyTagsException', `A log group can have at most ${most} tags.`);
  }
}

async function readTags(db: Kysely<LogsTables>, groupId: string): Promise<Record<string, string>> {
  const rows = await db.selectFrom('logs_tag').selectAll().where('group_id', '=', groupId).orderBy('key').execute();
  return Object.fromEntries(rows.map((row) => [row.key, row.value]));
}

/** Tags of log groups, in both generations of the API. */
export function tagOperations(state: LogsState) {
  const tag = (name: string, tags: Tags | undefined) =>
    state.store.transaction(async ({ db }) => {
      await putTags(db, (await requireGroup(db, name)).id, tags);
      return {};
    });
  const untag = (name: string, keys: readonly string[] | undefined) =>
    state.store.transaction(async ({ db }) => {
      const group = await requireGroup(db, name);
      if (keys?.length) {
        await db.deleteFrom('logs_tag').where('group_id', '=', group.id).where('key', 'in', keys).execute();
      }
      return {};
    });
  const list = async (name: string) => ({ tags: await readTags(state.db, (await requireGroup(state.db, name)).id) });

  const TagResource: Operation<TagResourceRequest, object> = {
    access: ({ resourceArn }) => [{ resource: resourceArn! }],
    handle: ({ resourceArn, tags }) => tag(nameFromIdentifier(resourceArn!), tags),
  };
  const UntagResource: Operation<UntagResourceRequest, object> = {
    access: ({ resourceArn }) => [{ resource: resourceArn! }],
    handle: ({ resourceArn, tagKeys }) => untag(nameFromIdentifier(resourceArn!), tagKeys),
  };
  const ListTagsForResource: Operation<ListTagsForResourceRequest, ListTagsForResourceResponse> = {
    access: ({ resourceArn }) => [{ resource: resourceArn! }],
    handle: ({ resourceArn }) => list(nameFromIdentifier(resourceArn!)),
  };
  const TagLogGroup: Operation<TagLogGroupRequest, object> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    handle: ({ logGroupName, tags }) => tag(logGroupName!, tags),
  };
  const UntagLogGroup: Operation<UntagLogGroupRequest, object> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    handle: ({ logGroupName, tags }) => untag(logGroupName!, tags),
  };
  const ListTagsLogGroup: Operation<ListTagsLogGroupRequest, { tags: Record<string, string> }> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    handle: ({ logGroupName }) => list(logGroupName!),
  };
  return { TagResource, UntagResource, ListTagsForResource, TagLogGroup, UntagLogGroup, ListTagsLogGroup };
}
