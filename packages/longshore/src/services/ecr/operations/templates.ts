import type {
  CreateRepositoryCreationTemplateRequest,
  CreateRepositoryCreationTemplateResponse,
  DeleteRepositoryCreationTemplateRequest,
  DeleteRepositoryCreationTemplateResponse,
  DescribeRepositoryCreationTemplatesRequest,
  DescribeRepositoryCreationTemplatesResponse,
  RepositoryCreationTemplate,
  UpdateRepositoryCreationTemplateRequest,
  UpdateRepositoryCreationTemplateResponse,
} from '@aws-sdk/client-ecr';
import type { Kysely, Selectable } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { fault, invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { mutabilityFlaw } from '../rules/tag-mutability.ts';
import type { EcrTables } from '../tables.ts';
import type { TemplateDocument } from '../templates.ts';
import { onRegistry } from './access.ts';
import { checkLifecyclePolicy } from './lifecycle.ts';
import { cutPage, readPage } from './pages.ts';
import { checkRepositoryPolicy } from './repository-policy.ts';
import { mergeTags } from './tags.ts';

type Row = Selectable<EcrTables['ecr_creation_template']>;

function shown(row: Row): RepositoryCreationTemplate {
  return {
    prefix: row.prefix,
    encryptionConfiguration: { encryptionType: 'AES256' },
    ...(JSON.parse(row.document) as object),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  };
}

async function find(db: Kysely<EcrTables>, prefix: string): Promise<Row> {
  const row = await db.selectFrom('ecr_creation_template').selectAll().where('prefix', '=', prefix).executeTakeFirst();
  if (!row)
    throw fault('TemplateNotFoundException', `The repository creation template with prefix '${prefix}' does not exist`);
  return row;
}

const normal = (prefix = '') => prefix.replace(/\/$/, '');

/** Checks every part by the rule that it would meet when set on a repository. */
async function checked(ecr: Ecr, input: UpdateRepositoryCreationTemplateRequest): Promise<TemplateDocument> {
  const { imageTagMutability = 'MUTABLE', repositoryPolicy, lifecyclePolicy, appliedFor = [] } = input;
  if (input.encryptionConfiguration && input.encryptionConfiguration.encryptionType !== 'AES256')
    throw fault('NotImplementedException', 'Encryption with KMS keys is not implemented: leave it out.');
  const filters = input.imageTagMutabilityExclusionFilters?.map(({ filterType = 'WILDCARD', filter = '' }) => ({
    filterType,
    filter,
  }));
  const flaw = mutabilityFlaw(imageTagMutability, filters);
  if (flaw) throw fault('InvalidParameterException', `Invalid parameter: ${flaw}`);
  if (appliedFor.length === 0) throw invalidParameter('appliedFor', 'must name at least one purpose');
  if (repositoryPolicy) await checkRepositoryPolicy(ecr, repositoryPolicy);
  if (lifecyclePolicy) checkLifecyclePolicy(lifecyclePolicy);
  const tags = mergeTags([], input.resourceTags ?? []);
  return {
    description: input.description,
    resourceTags: tags.length > 0 ? tags.map(({ Key = '', Value = '' }) => ({ Key, Value })) : undefined,
    imageTagMutability,
    imageTagMutabilityExclusionFilters: filters,
    repositoryPolicy: repositoryPolicy || undefined,
    lifecyclePolicy: lifecyclePolicy || undefined,
    appliedFor: [...new Set(appliedFor)],
    customRoleArn: input.customRoleArn,
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepositoryCreationTemplate.html */
export function createRepositoryCreationTemplate(
  ecr: Ecr,
): Operation<CreateRepositoryCreationTemplateRequest, CreateRepositoryCreationTemplateResponse> {
  const { store, clock, settings } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const prefix = normal(input.prefix);
      const now = clock.now();
      const document = JSON.stringify(await checked(ecr, input));
      const row = { prefix, document, created_at: now, updated_at: now };
      await store.transaction(async (tx) => {
        const there = await tx.db
          .selectFrom('ecr_creation_template')
          .select('prefix')
          .where('prefix', '=', prefix)
          .executeTakeFirst();
        if (there)
          throw fault(
            'TemplateAlreadyExistsException',
            `A repository creation template with prefix '${prefix}' already exists`,
          );
        await tx.db.insertInto('ecr_creation_template').values(row).execute();
      });
      return { registryId: settings.accountId, repositoryCreationTemplate: shown(row) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdateRepositoryCreationTemplate.html */
export function updateRepositoryCreationTemplate(
  ecr: Ecr,
): Operation<UpdateRepositoryCreationTemplateRequest, UpdateRepositoryCreationTemplateResponse> {
  const { store, clock, settings } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const prefix = normal(input.prefix);
      const row = await find(store.db, prefix);
      const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
      const old = JSON.parse(row.document) as object;
      const merged = { ...old, ...given } as UpdateRepositoryCreationTemplateRequest;
      if (input.imageTagMutability !== undefined && input.imageTagMutabilityExclusionFilters === undefined)
        delete merged.imageTagMutabilityExclusionFilters;
      const document = JSON.stringify(await checked(ecr, merged));
      const updated = { document, updated_at: clock.now() };
      await store.transaction(async (tx) => {
        await tx.db.updateTable('ecr_creation_template').set(updated).where('prefix', '=', prefix).execute();
      });
      return { registryId: settings.accountId, repositoryCreationTemplate: shown({ ...row, ...updated }) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepositoryCreationTemplate.html */
export function deleteRepositoryCreationTemplate(
  ecr: Ecr,
): Operation<DeleteRepositoryCreationTemplateRequest, DeleteRepositoryCreationTemplateResponse> {
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const prefix = normal(input.prefix);
      const row = await ecr.store.transaction(async (tx) => {
        const found = await find(tx.db, prefix);
        await tx.db.deleteFrom('ecr_creation_template').where('prefix', '=', prefix).execute();
        return found;
      });
      return { registryId: ecr.settings.accountId, repositoryCreationTemplate: shown(row) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositoryCreationTemplates.html */
export function describeRepositoryCreationTemplates(
  ecr: Ecr,
): Operation<DescribeRepositoryCreationTemplatesRequest, DescribeRepositoryCreationTemplatesResponse> {
  const { store, settings } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const registryId = settings.accountId;
      if (input.prefixes?.length) {
        const rows = [];
        for (const prefix of new Set(input.prefixes)) rows.push(await find(store.db, normal(prefix)));
        return { registryId, repositoryCreationTemplates: rows.map(shown) };
      }
      const { after, limit } = readPage(input);
      const found = await store.db
        .selectFrom('ecr_creation_template')
        .selectAll()
        .where('prefix', '>', after[0] ?? '')
        .orderBy('prefix')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [row.prefix]);
      return { registryId, repositoryCreationTemplates: rows.map(shown), ...token };
    },
  };
}
