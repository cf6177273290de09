import type { Kysely } from 'kysely';
import type { Tx } from '../../state/store.ts';
import { writeLifecyclePolicy } from './operations/lifecycle.ts';
import type { Ecr } from './parts.ts';
import { insertRepository } from './repositories.ts';
import type { ExclusionFilter } from './rules/tag-mutability.ts';
import type { EcrTables } from './tables.ts';

export type Purpose = 'PULL_THROUGH_CACHE' | 'REPLICATION' | 'CREATE_ON_PUSH';

/** What a creation template keeps (API reference, RepositoryCreationTemplate). */
export interface TemplateDocument {
  readonly description?: string | undefined;
  readonly resourceTags?: readonly { Key: string; Value: string }[] | undefined;
  readonly imageTagMutability: string;
  readonly imageTagMutabilityExclusionFilters?: readonly ExclusionFilter[] | undefined;
  readonly repositoryPolicy?: string | undefined;
  readonly lifecyclePolicy?: string | undefined;
  readonly appliedFor: readonly string[];
  readonly customRoleArn?: string | undefined;
}

/** Does a prefix, with its assumed `/`, cover a repository? `ROOT` covers all. */
export function coversRepository(prefix: string, repository: string): boolean {
  return prefix === 'ROOT' || repository.startsWith(`${prefix.replace(/\/$/, '')}/`);
}

/** The one with the longest prefix that covers a repository; `ROOT` is the shortest of all. */
export function longestPrefix<T extends { readonly prefix: string }>(
  candidates: readonly T[],
  repository: string,
): T | undefined {
  const length = ({ prefix }: T) => (prefix === 'ROOT' ? 0 : prefix.length);
  return candidates
    .filter(({ prefix }) => coversRepository(prefix, repository))
    .reduce<T | undefined>((best, each) => (best && length(best) >= length(each) ? best : each), undefined);
}

/** The template that repositories of that name are made by for a purpose. */
export async function templateFor(
  db: Kysely<EcrTables>,
  repository: string,
  purpose: Purpose,
): Promise<TemplateDocument | undefined> {
  const rows = await db.selectFrom('ecr_creation_template').select(['prefix', 'document']).execute();
  const templates = rows.map((row) => ({ prefix: row.prefix, ...(JSON.parse(row.document) as TemplateDocument) }));
  return longestPrefix(
    templates.filter((template) => template.appliedFor.includes(purpose)),
    repository,
  );
}

/** Makes a repository by a template, or by ECR's defaults without one. */
export async function insertByTemplate(
  { settings, clock }: Pick<Ecr, 'settings' | 'clock'>,
  tx: Tx<EcrTables>,
  name: string,
  template: TemplateDocument | undefined,
): Promise<void> {
  await insertRepository(tx, settings, {
    name,
    created_at: clock.now(),
    tag_mutability: template?.imageTagMutability ?? 'MUTABLE',
    exclusion_filters: JSON.stringify(template?.imageTagMutabilityExclusionFilters ?? []),
    scan_on_push: 0,
    tags: JSON.stringify(template?.resourceTags ?? []),
    policy: template?.repositoryPolicy || null,
  });
  if (template?.lifecyclePolicy) await writeLifecyclePolicy(tx, name, template.lifecyclePolicy);
}
