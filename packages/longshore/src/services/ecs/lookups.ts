import type { Tag } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import type { RequestContext } from '../../wire/service.ts';
import { fault } from './faults.ts';
import { type Place, taskDefinitionArn, toArn, toClusterArn } from './names.ts';
import type { ClusterRow, EcsTables, ServiceRow, TaskDefinitionRow } from './tables.ts';
import type { Definition } from './task-definition/definition.ts';

type Db = Kysely<EcsTables>;

/** Where a request's resources are: the caller's account in this region. */
export const placeOf = (context: RequestContext): Place => ({ region: context.region, accountId: context.accountId });

/** The active cluster that a request names. Throws ClusterNotFoundException. */
export async function activeCluster(db: Db, context: RequestContext, given: string | undefined): Promise<ClusterRow> {
  const row = await db
    .selectFrom('ecs_clusters')
    .selectAll()
    .where('arn', '=', toClusterArn(placeOf(context), given))
    .executeTakeFirst();
  if (row?.status !== 'ACTIVE') throw fault('ClusterNotFoundException', 'Cluster not found.');
  return row;
}

/** The service that a request names, whatever its status. Throws ClusterNotFoundException, ServiceNotFoundException. */
export async function findService(
  db: Db,
  context: RequestContext,
  cluster: string | undefined,
  given: string | undefined,
): Promise<ServiceRow> {
  const { name } = await activeCluster(db, context, cluster);
  const arn = toArn(placeOf(context), 'service', name, given ?? '');
  const found = await db.selectFrom('ecs_services').selectAll().where('arn', '=', arn).executeTakeFirst();
  if (!found) throw fault('ServiceNotFoundException', 'Service not found.');
  return found;
}

/** A task definition by ARN, `family:revision`, or `family` (its newest active revision); undefined where there is none. */
export async function findDefinition(db: Db, place: Place, given: string): Promise<TaskDefinitionRow | undefined> {
  const name = given.startsWith('arn:')
    ? given.slice(given.indexOf(':task-definition/') + ':task-definition/'.length)
    : given;
  const [family = '', revision] = name.split(':');
  if (revision !== undefined) {
    const arn = given.startsWith('arn:') ? given : taskDefinitionArn(place, family, Number(revision));
    return db.selectFrom('ecs_task_definitions').selectAll().where('arn', '=', arn).executeTakeFirst();
  }
  return db
    .selectFrom('ecs_task_definitions')
    .selectAll()
    .where('accountId', '=', place.accountId)
    .where('family', '=', family)
    .where('status', '=', 'ACTIVE')
    .orderBy('revision', 'desc')
    .executeTakeFirst();
}

/** The active task definition that a launch names. Throws ClientException as RunTask and CreateService do. */
export async function launchableDefinition(db: Db, context: RequestContext, given: string): Promise<TaskDefinitionRow> {
  const row = await findDefinition(db, placeOf(context), given);
  if (!row) throw fault('ClientException', 'TaskDefinition not found.');
  if (row.status !== 'ACTIVE') throw fault('ClientException', 'TaskDefinition is inactive');
  return row;
}

export const definitionOf = (row: Pick<TaskDefinitionRow, 'document'>): Definition =>
  JSON.parse(row.document) as Definition;

/** Tags by resource. */
export async function tagsOf(db: Db, arns: readonly string[]): Promise<ReadonlyMap<string, Tag[]>> {
  if (arns.length === 0) return new Map();
  const rows = await db.selectFrom('ecs_tags').selectAll().where('arn', 'in', arns).execute();
  return new Map(rows.map((row) => [row.arn, JSON.parse(row.tags) as Tag[]]));
}

/** Replaces a resource's tags. */
export async function setTags(db: Db, arn: string, tags: readonly Tag[]): Promise<void> {
  await db.deleteFrom('ecs_tags').where('arn', '=', arn).execute();
  if (tags.length > 0)
    await db
      .insertInto('ecs_tags')
      .values({ arn, tags: JSON.stringify(tags) })
      .execute();
}

/** `more` over `tags`: the same key again gets the later value. Throws InvalidParameterException beyond 50. */
export function mergeTags(tags: readonly Tag[], more: readonly Tag[]): Tag[] {
  const merged = new Map(tags.map((tag) => [tag.key, tag]));
  for (const tag of more) merged.set(tag.key, { key: tag.key, value: tag.value ?? '' });
  if (merged.size > 50) throw fault('InvalidParameterException', 'Too many tags: a resource has at most 50.');
  for (const tag of more)
    if (tag.key?.toLowerCase().startsWith('aws:'))
      throw fault('InvalidParameterException', 'Tag keys that start with aws: are reserved.');
  return [...merged.values()];
}
