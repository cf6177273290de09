import type {
  AddTagsInput,
  AddTagsOutput,
  DescribeTagsInput,
  DescribeTagsOutput,
  RemoveTagsInput,
  RemoveTagsOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kysely } from 'kysely';
import { fault, listenerNotFound, loadBalancerNotFound, ruleNotFound, targetGroupNotFound } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import type { Elbv2Tables } from '../tables.ts';
import { checkedTags, putTags } from '../tags.ts';

/** Tags of load balancers, target groups, listeners and rules. */
export function tagOperations(parts: Elbv2Parts): Operations {
  const { store } = parts;
  const arnsOf = (input: { ResourceArns?: string[] | undefined }) => input.ResourceArns ?? [];

  const add = async (input: AddTagsInput): Promise<AddTagsOutput> => {
    const tags = checkedTags(input.Tags);
    await store.transaction(async (tx) => {
      for (const arn of arnsOf(input)) {
        await requireResource(tx.db, arn);
        await putTags(tx, arn, tags);
        const { count } = await tx.db
          .selectFrom('elbv2_tags')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('arn', '=', arn)
          .executeTakeFirstOrThrow();
        if (Number(count) > 50) {
          throw fault('TooManyTags', 'You have reached the limit on the number of tags per resource');
        }
      }
    });
    return {};
  };

  const remove = async (input: RemoveTagsInput): Promise<RemoveTagsOutput> => {
    const keys = input.TagKeys ?? [];
    await store.transaction(async (tx) => {
      for (const arn of arnsOf(input)) {
        await requireResource(tx.db, arn);
        if (keys.length > 0) {
          await tx.db.deleteFrom('elbv2_tags').where('arn', '=', arn).where('key', 'in', keys).execute();
        }
      }
    });
    return {};
  };

  const describe = async (input: DescribeTagsInput): Promise<DescribeTagsOutput> => {
    const arns = arnsOf(input);
    for (const arn of arns) await requireResource(store.db, arn);
    if (arns.length === 0) return { TagDescriptions: [] };
    const rows = await store.db.selectFrom('elbv2_tags').selectAll().where('arn', 'in', arns).orderBy('key').execute();
    const tagsOf = Map.groupBy(rows, (row) => row.arn);
    return {
      TagDescriptions: arns.map((arn) => ({
        ResourceArn: arn,
        Tags: (tagsOf.get(arn) ?? []).map(({ key, value }) => ({ Key: key, Value: value })),
      })),
    };
  };

  return {
    AddTags: operation(add, arnsOf),
    RemoveTags: operation(remove, arnsOf),
    DescribeTags: operation(describe),
  };
}

async function requireResource(db: Kysely<Elbv2Tables>, arn: string): Promise<void> {
  const [, kind] = /:(loadbalancer|targetgroup|listener|listener-rule)\//.exec(arn) ?? [];
  const kinds = {
    loadbalancer: ['elbv2_load_balancers', () => loadBalancerNotFound(arn)],
    targetgroup: ['elbv2_target_groups', targetGroupNotFound],
    listener: ['elbv2_listeners', listenerNotFound],
    'listener-rule': ['elbv2_rules', ruleNotFound],
  } as const;
  if (kind === undefined) throw fault('ValidationError', `'${arn}' is not a valid resource ARN`);
  const [table, missing] = kinds[kind as keyof typeof kinds];
  const row = await db.selectFrom(table).select('arn').where('arn', '=', arn).executeTakeFirst();
  if (!row) throw missing();
}
