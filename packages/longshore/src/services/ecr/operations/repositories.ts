import type {
  CreateRepositoryRequest,
  CreateRepositoryResponse,
  DeleteRepositoryRequest,
  DeleteRepositoryResponse,
  DescribeRepositoriesRequest,
  DescribeRepositoriesResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault, inRepository, invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import {
  describeRepository,
  findRepository,
  insertRepository,
  invalidRepositoryName,
  repositoryAccess,
  repositoryArn,
  requireRepository,
} from '../repositories.ts';
import { isRepositoryName } from '../rules/grammar.ts';
import { mutabilityFlaw } from '../rules/tag-mutability.ts';
import { onRepository } from './access.ts';
import { cutPage, readPage } from './pages.ts';
import { mergeTags } from './tags.ts';

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html */
export function createRepository(ecr: Ecr): Operation<CreateRepositoryRequest, CreateRepositoryResponse> {
  const { settings, store, clock } = ecr;
  return {
    access(input) {
      const tags = input.tags ?? [];
      const context: Record<string, string | string[]> = { 'aws:TagKeys': tags.map((tag) => tag.Key ?? '') };
      for (const { Key, Value } of tags) context[`aws:RequestTag/${Key}`] = Value ?? '';
      const resource = repositoryArn(settings, input.repositoryName ?? '');
      return tags.length === 0
        ? [{ resource }]
        : [
            { resource, context },
            { resource, context, action: 'ecr:TagResource' },
          ];
    },
    async handle(input, context) {
      const { repositoryName: name = '', imageTagMutability = 'MUTABLE' } = input;
      if (!isRepositoryName(name)) throw invalidRepositoryName();
      if (input.registryId !== undefined && input.registryId !== settings.accountId)
        throw invalidParameter('registryId', 'must be the account of the caller');
      const flaw = mutabilityFlaw(imageTagMutability, readFilters(input.imageTagMutabilityExclusionFilters));
      if (flaw) throw fault('InvalidParameterException', `Invalid parameter: ${flaw}`);
      if (input.encryptionConfiguration && input.encryptionConfiguration.encryptionType !== 'AES256')
        throw fault(
          'NotImplementedException',
          'Encryption with KMS keys is not implemented: leave encryptionConfiguration out.',
        );
      const row = {
        name,
        created_at: clock.now(),
        tag_mutability: imageTagMutability,
        exclusion_filters: JSON.stringify(input.imageTagMutabilityExclusionFilters ?? []),
        scan_on_push: input.imageScanningConfiguration?.scanOnPush ? 1 : 0,
        tags: JSON.stringify(mergeTags([], input.tags ?? [])),
      };
      await store.transaction(async (tx) => {
        if (await findRepository(tx.db, name))
          throw fault(
            'RepositoryAlreadyExistsException',
            `The repository with name '${name}' already exists in the registry with id '${settings.accountId}'`,
          );
        await insertRepository(tx, settings, row);
      });
      return { repository: describeRepository({ ...row, policy: null }, settings, context.endpoint) };
    },
  };
}

/** Filters with their members filled in: the model requires both. */
export function readFilters(filters: CreateRepositoryRequest['imageTagMutabilityExclusionFilters']) {
  return filters?.map(({ filterType = 'WILDCARD', filter = '' }) => ({ filterType, filter }));
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html */
export function describeRepositories(ecr: Ecr): Operation<DescribeRepositoriesRequest, DescribeRepositoriesResponse> {
  const { settings, store } = ecr;
  return {
    async access(input) {
      if (!input.repositoryNames) return [{ resource: repositoryArn(settings, '*') }];
      const names = [...new Set(input.repositoryNames)];
      return Promise.all(names.map(async (name) => repositoryAccess(ecr, name, await findRepository(store.db, name))));
    },
    async handle(input, context) {
      const { registryId, repositoryNames } = input;
      const describe = (row: Parameters<typeof describeRepository>[0]) =>
        describeRepository(row, settings, context.endpoint);
      if (repositoryNames) {
        if (input.nextToken !== undefined || input.maxResults !== undefined)
          throw fault(
            'InvalidParameterException',
            "Invalid parameter: 'maxResults' and 'nextToken' cannot be given with 'repositoryNames'",
          );
        const repositories = [];
        for (const repositoryName of new Set(repositoryNames))
          repositories.push(describe(await requireRepository(store.db, settings, { registryId, repositoryName })));
        return { repositories };
      }
      if (registryId !== undefined && registryId !== settings.accountId)
        throw invalidParameter('registryId', 'must be the account of the caller');
      const { after, limit } = readPage(input);
      const { rows, token } = cutPage(
        await store.db
          .selectFrom('ecr_repository')
          .selectAll()
          .where('name', '>', after[0] ?? '')
          .orderBy('name')
          .limit(limit + 1)
          .execute(),
        limit,
        (row) => [row.name],
      );
      return { repositories: rows.map(describe), ...token };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html */
export function deleteRepository(ecr: Ecr): Operation<DeleteRepositoryRequest, DeleteRepositoryResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input, context) {
      const row = await store.transaction(async (tx) => {
        const repository = await requireRepository(tx.db, settings, input);
        const { name } = repository;
        const image = await tx.db
          .selectFrom('ecr_manifest')
          .select('digest')
          .where('repository', '=', name)
          .executeTakeFirst();
        if (image && !input.force)
          throw fault(
            'RepositoryNotEmptyException',
            `The repository with name '${name}' in registry with id '${settings.accountId}' cannot be deleted because it still contains images`,
          );
        for (const table of [
          'ecr_manifest',
          'ecr_manifest_ref',
          'ecr_tag',
          'ecr_referrer',
          'ecr_repository_blob',
          'ecr_upload',
          'ecr_lifecycle_policy',
          'ecr_lifecycle_preview',
          'ecr_upstream_tag',
          'ecr_upstream_manifest',
          'ecr_replication',
          'ecr_image_scan',
          'ecr_image_finding',
          'ecr_image_sbom',
        ] as const)
          await tx.db.deleteFrom(table).where('repository', '=', name).execute();
        await tx.db.deleteFrom('ecr_repository').where('name', '=', name).execute();
        tx.changed('ecr.repository', name);
        return repository;
      });
      ecr.log.info({ repository: row.name }, `deleted ${inRepository(settings.accountId, row.name)}`);
      return { repository: describeRepository(row, settings, context.endpoint) };
    },
  };
}
