import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  Tag,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-eventbridge';
import type { Kysely } from 'kysely';
import { parseArn } from '../../../wire/arn.ts';
import type { Access, Operation } from '../../../wire/service.ts';
import { defaultBus, type EventsState, fault, requireBus, requireRule } from '../state.ts';
import type { EventsTables } from '../tables.ts';

const most = 50;

/** Condition keys of the tags that a request brings. */
export function tagContext(tags: readonly Tag[] | undefined): Pick<Access, 'context'> {
  if (!tags?.length) return {};
  return {
    context: {
      'aws:TagKeys': tags.map((tag) => tag.Key ?? ''),
      ...Object.fromEntries(tags.map((tag) => [`aws:RequestTag/${tag.Key}`, tag.Value ?? ''])),
    },
  };
}

/** Adds or overwrites. Throws ValidationException, LimitExceededException. */
export async function putTags(db: Kysely<EventsTables>, arn: string, tags: readonly Tag[]): Promise<void> {
  if (new Set(tags.map((tag) => tag.Key)).size < tags.length) {
    throw fault('ValidationException', 'Invalid parameter: Duplicated keys are not allowed.');
  }
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (/^aws:/i.test(key))
      throw fault('ValidationException', 'Tag keys starting with aws: are reserved for system use.');
    await db
      .insertInto('events_tag')
      .values({ arn, key, value })
      .onConflict((conflict) => conflict.columns(['arn', 'key']).doUpdateSet({ value }))
      .execute();
  }
  if ((await readTags(db, arn)).length > most) {
    throw fault('LimitExceededException', `A resource can have at most ${most} tags.`);
  }
}

export const dropTags = (db: Kysely<EventsTables>, arn: string) =>
  db.deleteFrom('events_tag').where('arn', '=', arn).execute();

const readTags = (db: Kysely<EventsTables>, arn: string) =>
  db.selectFrom('events_tag').selectAll().where('arn', '=', arn).orderBy('key').execute();

/** Throws ResourceNotFoundException or ValidationException where the ARN is not of a bus or rule that is there. */
async function requireTaggable(db: Kysely<EventsTables>, given: string): Promise<void> {
  const [kind, first = '', second] = parseArn(given)?.resource.split('/') ?? [];
  if (kind === 'event-bus') await requireBus(db, first);
  else if (kind === 'rule') await requireRule(db, second === undefined ? defaultBus : first, second ?? first);
  else {
    throw fault(
      'ValidationException',
      `Parameter ${given} is not valid. Reason: Provided Arn is not in correct format.`,
    );
  }
}

export function tagOperations(state: EventsState) {
  const TagResource: Operation<TagResourceRequest, object> = {
    access: ({ ResourceARN, Tags }) => [{ resource: ResourceARN!, ...tagContext(Tags) }],
    handle: ({ ResourceARN: arn, Tags }) =>
      state.store.transaction(async ({ db }) => {
        await requireTaggable(db, arn!);
        await putTags(db, arn!, Tags ?? []);
        return {};
      }),
  };
  const UntagResource: Operation<UntagResourceRequest, object> = {
    access: ({ ResourceARN, TagKeys }) => [{ resource: ResourceARN!, context: { 'aws:TagKeys': TagKeys ?? [] } }],
    handle: ({ ResourceARN: arn, TagKeys }) =>
      state.store.transaction(async ({ db }) => {
        await requireTaggable(db, arn!);
        if (TagKeys?.length) {
          await db.deleteFrom('events_tag').where('arn', '=', arn!).where('key', 'in', TagKeys).execute();
        }
        return {};
      }),
  };
  const ListTagsForResource: Operation<ListTagsForResourceRequest, ListTagsForResourceResponse> = {
    access: ({ ResourceARN }) => [{ resource: ResourceARN! }],
    async handle({ ResourceARN: arn }) {
      await requireTaggable(state.db, arn!);
      return { Tags: (await readTags(state.db, arn!)).map(({ key, value }) => ({ Key: key, Value: value })) };
    },
  };
  return { TagResource, UntagResource, ListTagsForResource };
}
