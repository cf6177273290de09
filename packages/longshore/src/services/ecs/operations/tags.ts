import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  TagResourceResponse,
  UntagResourceRequest,
  UntagResourceResponse,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { mergeTags, setTags, tagsOf } from '../lookups.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import { operation } from './table.ts';

const tables = {
  cluster: 'ecs_clusters',
  'task-definition': 'ecs_task_definitions',
  task: 'ecs_tasks',
  service: 'ecs_services',
  'container-instance': 'ecs_instances',
} as const;

const on = (input: { readonly resourceArn?: string | undefined }) => [{ resource: input.resourceArn ?? '*' }];

/** Tags of everything in ECS that has tags. */
export function tagOperations({ store }: EcsParts): Record<string, AnyOperation> {
  async function check(db: EcsTx['db'] | typeof store.db, arn: string | undefined): Promise<string> {
    const kind = /^arn:aws:ecs:[^:]*:\d{12}:([a-z-]+)\//.exec(arn ?? '')?.[1] as keyof typeof tables | undefined;
    const table = kind && tables[kind];
    if (!arn || !table) throw fault('InvalidParameterException', 'The specified resource ARN is not valid.');
    if (!(await db.selectFrom(table).select('arn').where('arn', '=', arn).executeTakeFirst()))
      throw kind === 'cluster'
        ? fault('ClusterNotFoundException', 'Cluster not found.')
        : fault('ResourceNotFoundException', 'The specified resource was not found.');
    return arn;
  }

  return {
    TagResource: operation<TagResourceRequest, TagResourceResponse>(on, async (input) => {
      await store.transaction(async (tx) => {
        const arn = await check(tx.db, input.resourceArn);
        await setTags(tx.db, arn, mergeTags((await tagsOf(tx.db, [arn])).get(arn) ?? [], input.tags ?? []));
      });
      return {};
    }),
    UntagResource: operation<UntagResourceRequest, UntagResourceResponse>(on, async (input) => {
      await store.transaction(async (tx) => {
        const arn = await check(tx.db, input.resourceArn);
        const tags = (await tagsOf(tx.db, [arn])).get(arn) ?? [];
        await setTags(
          tx.db,
          arn,
          tags.filter((tag) => !input.tagKeys?.includes(tag.key ?? '')),
        );
      });
      return {};
    }),
    ListTagsForResource: operation<ListTagsForResourceRequest, ListTagsForResourceResponse>(on, async (input) => {
      const arn = await check(store.db, input.resourceArn);
      return { tags: (await tagsOf(store.db, [arn])).get(arn) ?? [] };
    }),
  };
}
