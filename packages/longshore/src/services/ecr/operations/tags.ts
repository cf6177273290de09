import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  Tag,
  TagResourceRequest,
  TagResourceResponse,
  UntagResourceRequest,
  UntagResourceResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { repositoryTags, requireRepository } from '../repositories.ts';
import { onResource, repositoryNameOf } from './access.ts';

const mostTags = 50;

/** Tags with others laid over. Throws InvalidTagParameterException and TooManyTagsException by the rules of AWS tags. */
export function mergeTags(present: readonly Tag[], added: readonly Tag[]): Tag[] {
  const merged = new Map(present.map((tag) => [tag.Key ?? '', tag.Value ?? '']));
  const seen = new Set<string>();
  for (const { Key = '', Value = '' } of added) {
    if (Key.length < 1 || Key.length > 128 || Value.length > 256 || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(Key + Value))
      throw fault(
        'InvalidTagParameterException',
        `Invalid parameter at 'tags': the tag with key '${Key}' is not valid`,
      );
    if (Key.toLowerCase().startsWith('aws:'))
      throw fault(
        'InvalidTagParameterException',
        "Invalid parameter at 'tags': keys that start with 'aws:' are AWS's own",
      );
    if (seen.has(Key))
      throw fault('InvalidTagParameterException', `Invalid parameter at 'tags': the key '${Key}' is there twice`);
    seen.add(Key);
    merged.set(Key, Value);
  }
  if (merged.size > mostTags) throw fault('TooManyTagsException', `A repository can have at most ${mostTags} tags`);
  return [...merged].map(([Key, Value]) => ({ Key, Value }));
}

async function change(ecr: Ecr, resourceArn: string | undefined, edit: (tags: Tag[]) => Tag[]): Promise<void> {
  const repositoryName = repositoryNameOf(ecr, resourceArn);
  await ecr.store.transaction(async (tx) => {
    const repository = await requireRepository(tx.db, ecr.settings, { repositoryName });
    await tx.db
      .updateTable('ecr_repository')
      .set({ tags: JSON.stringify(edit(repositoryTags(repository))) })
      .where('name', '=', repositoryName)
      .execute();
    tx.changed('ecr.repository', repositoryName);
  });
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_TagResource.html */
export function tagResource(ecr: Ecr): Operation<TagResourceRequest, TagResourceResponse> {
  return {
    async access(input) {
      const tags = input.tags ?? [];
      const asked: Record<string, string | string[]> = { 'aws:TagKeys': tags.map((tag) => tag.Key ?? '') };
      for (const { Key, Value } of tags) asked[`aws:RequestTag/${Key}`] = Value ?? '';
      return (await onResource(ecr)(input)).map((access) => ({ ...access, context: { ...access.context, ...asked } }));
    },
    async handle(input) {
      await change(ecr, input.resourceArn, (tags) => mergeTags(tags, input.tags ?? []));
      return {};
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UntagResource.html */
export function untagResource(ecr: Ecr): Operation<UntagResourceRequest, UntagResourceResponse> {
  return {
    async access(input) {
      const asked = { 'aws:TagKeys': input.tagKeys ?? [] };
      return (await onResource(ecr)(input)).map((access) => ({ ...access, context: { ...access.context, ...asked } }));
    },
    async handle(input) {
      const gone = new Set(input.tagKeys);
      await change(ecr, input.resourceArn, (tags) => tags.filter((tag) => !gone.has(tag.Key ?? '')));
      return {};
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListTagsForResource.html */
export function listTagsForResource(ecr: Ecr): Operation<ListTagsForResourceRequest, ListTagsForResourceResponse> {
  return {
    access: onResource(ecr),
    async handle(input) {
      const repositoryName = repositoryNameOf(ecr, input.resourceArn);
      return { tags: repositoryTags(await requireRepository(ecr.store.db, ecr.settings, { repositoryName })) };
    },
  };
}
