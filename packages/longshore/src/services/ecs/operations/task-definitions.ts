import type {
  DeleteTaskDefinitionsRequest,
  DeleteTaskDefinitionsResponse,
  DeregisterTaskDefinitionRequest,
  DeregisterTaskDefinitionResponse,
  DescribeTaskDefinitionRequest,
  DescribeTaskDefinitionResponse,
  Failure,
  ListTaskDefinitionFamiliesRequest,
  ListTaskDefinitionFamiliesResponse,
  ListTaskDefinitionsRequest,
  ListTaskDefinitionsResponse,
  RegisterTaskDefinitionRequest,
  RegisterTaskDefinitionResponse,
  TaskDefinition,
} from '@aws-sdk/client-ecs';
import type { AnyOperation, RequestContext } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { definitionOf, findDefinition, mergeTags, placeOf, setTags, tagsOf } from '../lookups.ts';
import { type Place, taskDefinitionArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import type { TaskDefinitionRow } from '../tables.ts';
import { normaliseDefinition, withoutUndefined } from '../task-definition/normalise.ts';
import { validateDefinition } from '../task-definition/validate.ts';
import { anywhere, operation } from './table.ts';

const unknown = () => fault('ClientException', 'Unable to describe task definition.');

/** A task definition as answers show it. */
export function renderDefinition(row: TaskDefinitionRow): TaskDefinition {
  const date = (value: number | null) => (value === null ? undefined : new Date(Number(value)));
  return withoutUndefined<TaskDefinition>({
    taskDefinitionArn: row.arn,
    ...definitionOf(row),
    revision: row.revision,
    status: row.status,
    registeredAt: date(row.registeredAt),
    registeredBy: row.registeredBy,
    deregisteredAt: date(row.deregisteredAt),
    deleteRequestedAt: date(row.deleteRequestedAt),
  });
}

function resourceOf(given: string | undefined, place: Place): string {
  if (given?.startsWith('arn:')) return given;
  const [family = '', revision] = (given ?? '').split(':');
  return revision
    ? taskDefinitionArn(place, family, Number(revision))
    : `${taskDefinitionArn(place, family, 0).slice(0, -1)}*`;
}

/** Task definitions: registered, described, listed, deregistered, deleted. */
export function taskDefinitionOperations(parts: EcsParts): Record<string, AnyOperation> {
  const { store, clock } = parts;
  const on = (input: { readonly taskDefinition?: string | undefined }, place: Place) => [
    { resource: resourceOf(input.taskDefinition, place) },
  ];

  async function byName(context: RequestContext, given: string | undefined): Promise<TaskDefinitionRow> {
    const row = await findDefinition(store.db, placeOf(context), given ?? '');
    if (!row) throw unknown();
    return row;
  }
  /** `family:revision` or an ARN: AWS takes no bare family where something is taken away. */
  function withRevision(given: string | undefined): string {
    const [, revision] = (given?.split('/').at(-1) ?? '').split(':');
    if (!revision)
      throw fault(
        'InvalidParameterException',
        'Revision is missing: give family:revision or the full ARN of the task definition.',
      );
    return given ?? '';
  }

  return {
    RegisterTaskDefinition: operation<RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse>(
      (input, place) => [{ resource: `${taskDefinitionArn(place, input.family ?? '', 0).slice(0, -1)}*` }],
      async ({ tags: given, ...input }, context) => {
        const request = {
          ...input,
          family: input.family ?? '',
          containerDefinitions: input.containerDefinitions ?? [],
        };
        validateDefinition(request);
        const tags = mergeTags([], given ?? []);
        const document = normaliseDefinition(request);
        const row = await store.transaction(async (tx) => {
          const { accountId } = context;
          const { family } = request;
          const last = await tx.db
            .selectFrom('ecs_families')
            .select('lastRevision')
            .where('accountId', '=', accountId)
            .where('family', '=', family)
            .executeTakeFirst();
          const revision = (last?.lastRevision ?? 0) + 1;
          await tx.db
            .insertInto('ecs_families')
            .values({ accountId, family, lastRevision: revision })
            .onConflict((conflict) => conflict.columns(['accountId', 'family']).doUpdateSet({ lastRevision: revision }))
            .execute();
          const made: TaskDefinitionRow = {
            arn: taskDefinitionArn(placeOf(context), family, revision),
            accountId,
            family,
            revision,
            status: 'ACTIVE',
            document: JSON.stringify(document),
            registeredAt: clock.now(),
            registeredBy: context.caller.arn,
            deregisteredAt: null,
            deleteRequestedAt: null,
          };
          await tx.db.insertInto('ecs_task_definitions').values(made).execute();
          await setTags(tx.db, made.arn, tags);
          return made;
        });
        return { taskDefinition: renderDefinition(row), ...(tags.length > 0 && { tags }) };
      },
    ),

    DescribeTaskDefinition: operation<DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse>(
      anywhere,
      async (input, context) => {
        const row = await byName(context, input.taskDefinition);
        const tags = (await tagsOf(store.db, [row.arn])).get(row.arn) ?? [];
        return { taskDefinition: renderDefinition(row), ...(input.include?.includes('TAGS') && { tags }) };
      },
    ),

    DeregisterTaskDefinition: operation<DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse>(
      on,
      async (input, context) => {
        const row = await byName(context, withRevision(input.taskDefinition));
        if (row.status === 'DELETE_IN_PROGRESS')
          throw fault('ClientException', 'The specified task definition is being deleted.');
        const deregisteredAt = row.deregisteredAt ?? clock.now();
        await store.transaction((tx) =>
          tx.db
            .updateTable('ecs_task_definitions')
            .set({ status: 'INACTIVE', deregisteredAt })
            .where('arn', '=', row.arn)
            .execute(),
        );
        return { taskDefinition: renderDefinition({ ...row, status: 'INACTIVE', deregisteredAt }) };
      },
    ),

    DeleteTaskDefinitions: operation<DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse>(
      (input, place) => (input.taskDefinitions ?? []).map((given) => ({ resource: resourceOf(given, place) })),
      async (input, context) => {
        const deleted: TaskDefinition[] = [];
        const failures: Failure[] = [];
        for (const given of input.taskDefinitions ?? []) {
          const row = await findDefinition(store.db, placeOf(context), withRevision(given));
          if (!row) {
            failures.push({
              arn: resourceOf(given, placeOf(context)),
              reason:
                'The specified task definition does not exist. Specify a valid account, family, revision and try again.',
            });
          } else if (row.status === 'ACTIVE') {
            failures.push({
              arn: row.arn,
              reason:
                'The specified task definition is still in ACTIVE status. Please deregister the target and try again.',
            });
          } else {
            const deleteRequestedAt = clock.now();
            await store.transaction(async (tx) => {
              const used =
                (await tx.db
                  .selectFrom('ecs_tasks')
                  .select('arn')
                  .where('taskDefinitionArn', '=', row.arn)
                  .where('lastStatus', '!=', 'STOPPED')
                  .executeTakeFirst()) ??
                (await tx.db
                  .selectFrom('ecs_deployments')
                  .select('id')
                  .where('taskDefinitionArn', '=', row.arn)
                  .where('status', '!=', 'INACTIVE')
                  .executeTakeFirst());
              if (used)
                await tx.db
                  .updateTable('ecs_task_definitions')
                  .set({ status: 'DELETE_IN_PROGRESS', deleteRequestedAt })
                  .where('arn', '=', row.arn)
                  .execute();
              else {
                await tx.db.deleteFrom('ecs_task_definitions').where('arn', '=', row.arn).execute();
                await setTags(tx.db, row.arn, []);
              }
            });
            deleted.push(renderDefinition({ ...row, status: 'DELETE_IN_PROGRESS', deleteRequestedAt }));
          }
        }
        return { taskDefinitions: deleted, failures };
      },
    ),

    ListTaskDefinitions: operation<ListTaskDefinitionsRequest, ListTaskDefinitionsResponse>(
      anywhere,
      async (input, context) => {
        let query = store.db
          .selectFrom('ecs_task_definitions')
          .select(['arn', 'family', 'revision'])
          .where('accountId', '=', context.accountId)
          .where('status', '=', input.status ?? 'ACTIVE');
        if (input.familyPrefix) query = query.where('family', '=', input.familyPrefix);
        const page = pageOf(
          await query.execute(),
          (row) => `${row.family} ${String(row.revision).padStart(10, '0')}`,
          input,
          input.sort === 'DESC' ? 'descending' : 'ascending',
        );
        return { taskDefinitionArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
      },
    ),

    ListTaskDefinitionFamilies: operation<ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse>(
      anywhere,
      async (input, context) => {
        const rows = await store.db
          .selectFrom('ecs_task_definitions')
          .where('accountId', '=', context.accountId)
          .groupBy('family')
          .select((eb) => [
            'family',
            eb.fn.max(eb.case().when('status', '=', 'ACTIVE').then(1).else(0).end()).as('active'),
          ])
          .execute();
        const status = input.status ?? 'ACTIVE';
        const families = rows
          .filter((row) => status === 'ALL' || (status === 'ACTIVE') === (Number(row.active) === 1))
          .map((row) => row.family)
          .filter((family) => family.startsWith(input.familyPrefix ?? ''));
        const page = pageOf(families, (family) => family, input);
        return { families: page.items, nextToken: page.nextToken };
      },
    ),
  };
}
