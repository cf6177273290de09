import type { ImageTagMutability, Repository, Tag } from '@aws-sdk/client-ecr';
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { Settings } from '../../base/settings.ts';
import type { Tx } from '../../state/store.ts';
import { formatArn } from '../../wire/arn.ts';
import type { Access } from '../../wire/service.ts';
import { fault, invalidParameter, repositoryNotFound } from './faults.ts';
import type { Ecr } from './parts.ts';
import { isRepositoryName } from './rules/grammar.ts';
import { type ExclusionFilter, isImmutableTag } from './rules/tag-mutability.ts';
import type { EcrTables } from './tables.ts';

export type RepositoryRow = Selectable<EcrTables['ecr_repository']>;

/** Where the registry is: the account and region of this Longshore. */
export type Place = Pick<Settings, 'accountId' | 'region'>;

export function repositoryArn({ region, accountId }: Place, name: string): string {
  return formatArn('ecr', region, accountId, `repository/${name}`);
}

/** Docker trusts loopback without TLS, so clients reach the registry as `localhost:PORT`, whatever name they call the API by. */
export function registryHost(endpoint: string): string {
  const { port } = new URL(endpoint);
  return port === '' ? 'localhost' : `localhost:${port}`;
}

export async function findRepository(db: Kysely<EcrTables>, name: string): Promise<RepositoryRow | undefined> {
  return db.selectFrom('ecr_repository').selectAll().where('name', '=', name).executeTakeFirst();
}

/** ECR's quota (user guide, "Amazon ECR service quotas"). */
const mostRepositories = 100_000;

/** Makes a repository. Throws LimitExceededException. */
export async function insertRepository(
  tx: Tx<EcrTables>,
  place: Place,
  row: Insertable<EcrTables['ecr_repository']>,
): Promise<void> {
  const beyond = await tx.db
    .selectFrom('ecr_repository')
    .select('name')
    .orderBy('name')
    .limit(1)
    .offset(mostRepositories - 1)
    .executeTakeFirst();
  if (beyond)
    throw fault(
      'LimitExceededException',
      `The registry with id '${place.accountId}' already has the maximum of ${mostRepositories} repositories`,
    );
  await tx.db.insertInto('ecr_repository').values(row).execute();
  tx.changed('ecr.repository', row.name);
}

/** A repository that a request names. Throws RepositoryNotFoundException, also for another account's registry. */
export async function requireRepository(
  db: Kysely<EcrTables>,
  place: Place,
  request: { readonly registryId?: string | undefined; readonly repositoryName: string | undefined },
): Promise<RepositoryRow> {
  const { registryId = place.accountId, repositoryName = '' } = request;
  if (!isRepositoryName(repositoryName)) throw invalidRepositoryName();
  const found = registryId === place.accountId ? await findRepository(db, repositoryName) : undefined;
  if (!found) throw repositoryNotFound(registryId, repositoryName);
  return found;
}

export function invalidRepositoryName() {
  return invalidParameter(
    'repositoryName',
    "must satisfy regular expression '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*' and be 2 to 256 characters long",
  );
}

export function repositoryTags(row: RepositoryRow): Tag[] {
  return JSON.parse(row.tags) as Tag[];
}

export function exclusionFilters(row: RepositoryRow): ExclusionFilter[] {
  return JSON.parse(row.exclusion_filters) as ExclusionFilter[];
}

export function isImmutable(row: RepositoryRow, tag: string): boolean {
  return isImmutableTag(row.tag_mutability, exclusionFilters(row), tag);
}

/** A repository as DescribeRepositories shows it. */
export function describeRepository(row: RepositoryRow, place: Place, endpoint: string): Repository {
  const filters = exclusionFilters(row);
  return {
    repositoryArn: repositoryArn(place, row.name),
    registryId: place.accountId,
    repositoryName: row.name,
    repositoryUri: `${registryHost(endpoint)}/${row.name}`,
    createdAt: new Date(row.created_at),
    imageTagMutability: row.tag_mutability as ImageTagMutability,
    ...(filters.length > 0
      ? { imageTagMutabilityExclusionFilters: filters as Repository['imageTagMutabilityExclusionFilters'] }
      : {}),
    imageScanningConfiguration: { scanOnPush: row.scan_on_push === 1 },
    encryptionConfiguration: { encryptionType: 'AES256' },
  };
}

/** What policies are asked about an action on a repository: its ARN, its tags as condition keys, and the policies that it and its registry carry. */
export function repositoryAccess(
  { settings, documents }: Pick<Ecr, 'settings' | 'documents'>,
  name: string,
  row: RepositoryRow | undefined,
): Access {
  const context: Record<string, string> = {};
  for (const { Key, Value } of row ? repositoryTags(row) : []) {
    context[`aws:ResourceTag/${Key}`] = Value ?? '';
    context[`ecr:ResourceTag/${Key}`] = Value ?? '';
  }
  const resourcePolicies = [row?.policy, documents.text('policy')].filter((text) => typeof text === 'string');
  return { resource: repositoryArn(settings, name), context, resourcePolicies };
}
