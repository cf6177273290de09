import type {
  CreatePullThroughCacheRuleRequest,
  CreatePullThroughCacheRuleResponse,
  DeletePullThroughCacheRuleRequest,
  DeletePullThroughCacheRuleResponse,
  DescribePullThroughCacheRulesRequest,
  DescribePullThroughCacheRulesResponse,
  PullThroughCacheRule,
  UpdatePullThroughCacheRuleRequest,
  UpdatePullThroughCacheRuleResponse,
  UpstreamRegistry,
  ValidatePullThroughCacheRuleRequest,
  ValidatePullThroughCacheRuleResponse,
} from '@aws-sdk/client-ecr';
import type { Kysely, Selectable } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { fault, invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { upstreamCredentials } from '../pull-through/secrets.ts';
import type { EcrTables } from '../tables.ts';
import { onRegistry, requireOwnRegistry } from './access.ts';
import { cutPage, readPage } from './pages.ts';

type Row = Selectable<EcrTables['ecr_pull_through_rule']>;

/** ECR's quota on rules of a registry. */
const mostRules = 50;

/** The registries that AWS knows, by their host names (API reference, CreatePullThroughCacheRule). Any other may be named too. */
const knownRegistries: readonly (readonly [RegExp, UpstreamRegistry])[] = [
  [/^\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com$/, 'ecr'],
  [/^public\.ecr\.aws$/, 'ecr-public'],
  [/^registry-1\.docker\.io$/, 'docker-hub'],
  [/^quay\.io$/, 'quay'],
  [/^registry\.k8s\.io$/, 'k8s'],
  [/^ghcr\.io$/, 'github-container-registry'],
  [/^[\w-]+\.azurecr\.(io|us|cn)$/, 'azure-container-registry'],
  [/^registry\.gitlab\.com$/, 'gitlab-container-registry'],
  [/^cgr\.dev$/, 'chainguard'],
];

const normal = (prefix = '') => prefix.replace(/\/$/, '');

function shown(ecr: Ecr, row: Row): PullThroughCacheRule {
  return {
    registryId: ecr.settings.accountId,
    ecrRepositoryPrefix: row.prefix,
    upstreamRegistryUrl: row.upstream_url,
    upstreamRepositoryPrefix: row.upstream_prefix,
    ...(row.upstream_registry === null ? {} : { upstreamRegistry: row.upstream_registry as UpstreamRegistry }),
    ...(row.credential_arn === null ? {} : { credentialArn: row.credential_arn }),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  };
}

async function find(db: Kysely<EcrTables>, registryId: string, prefix: string): Promise<Row> {
  const row = await db.selectFrom('ecr_pull_through_rule').selectAll().where('prefix', '=', prefix).executeTakeFirst();
  if (!row)
    throw fault(
      'PullThroughCacheRuleNotFoundException',
      `The pull through cache rule with ecrRepositoryPrefix '${prefix}' does not exist in the registry with id '${registryId}'`,
    );
  return row;
}

async function checkCredentials(
  ecr: Ecr,
  input: { credentialArn?: string | undefined; customRoleArn?: string | undefined },
) {
  if (input.customRoleArn !== undefined)
    throw fault(
      'NotImplementedException',
      'customRoleArn is not implemented: sign in to the upstream with a credentialArn instead.',
    );
  if (input.credentialArn !== undefined) await upstreamCredentials(ecr, input.credentialArn);
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html */
export function createPullThroughCacheRule(
  ecr: Ecr,
): Operation<CreatePullThroughCacheRuleRequest, CreatePullThroughCacheRuleResponse> {
  const { store, clock, settings, documents } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      requireOwnRegistry(ecr, input);
      const prefix = normal(input.ecrRepositoryPrefix);
      const host = input.upstreamRegistryUrl ?? '';
      if (!/^(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i.test(host))
        throw invalidParameter('upstreamRegistryUrl', 'must be a host, with a port where it is not the usual one');
      const known = knownRegistries.find(([pattern]) => pattern.test(host))?.[1];
      if (input.upstreamRegistry !== undefined && input.upstreamRegistry !== known)
        throw fault(
          'UnsupportedUpstreamRegistryException',
          `'${host}' is not the URL of the upstream registry '${input.upstreamRegistry}'`,
        );
      await checkCredentials(ecr, input);
      const now = clock.now();
      const row: Row = {
        prefix,
        upstream_url: host,
        upstream_registry: known ?? null,
        upstream_prefix: normal(input.upstreamRepositoryPrefix ?? 'ROOT'),
        credential_arn: input.credentialArn ?? null,
        custom_role_arn: null,
        created_at: now,
        updated_at: now,
      };
      await store.transaction(async (tx) => {
        const rows = await tx.db.selectFrom('ecr_pull_through_rule').select('prefix').execute();
        if (rows.some((each) => each.prefix === prefix))
          throw fault(
            'PullThroughCacheRuleAlreadyExistsException',
            `The pull through cache rule with ecrRepositoryPrefix '${prefix}' already exists in the registry with id '${settings.accountId}'`,
          );
        if (rows.length >= mostRules)
          throw fault('LimitExceededException', `A registry has at most ${mostRules} pull through cache rules`);
        await tx.db.insertInto('ecr_pull_through_rule').values(row).execute();
        tx.changed('ecr.registry', 'pull-through');
      });
      await documents.load();
      const { updatedAt: _, ...rule } = shown(ecr, row);
      return rule;
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html */
export function describePullThroughCacheRules(
  ecr: Ecr,
): Operation<DescribePullThroughCacheRulesRequest, DescribePullThroughCacheRulesResponse> {
  const { store, settings } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      requireOwnRegistry(ecr, input);
      if (input.ecrRepositoryPrefixes) {
        const rows: Row[] = [];
        for (const prefix of new Set(input.ecrRepositoryPrefixes))
          rows.push(await find(store.db, settings.accountId, normal(prefix)));
        return { pullThroughCacheRules: rows.map((row) => shown(ecr, row)) };
      }
      const { after, limit } = readPage(input);
      const found = await store.db
        .selectFrom('ecr_pull_through_rule')
        .selectAll()
        .where('prefix', '>', after[0] ?? '')
        .orderBy('prefix')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [row.prefix]);
      return { pullThroughCacheRules: rows.map((row) => shown(ecr, row)), ...token };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdatePullThroughCacheRule.html */
export function updatePullThroughCacheRule(
  ecr: Ecr,
): Operation<UpdatePullThroughCacheRuleRequest, UpdatePullThroughCacheRuleResponse> {
  const { store, clock, settings, documents } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      requireOwnRegistry(ecr, input);
      const prefix = normal(input.ecrRepositoryPrefix);
      await checkCredentials(ecr, input);
      const row = await store.transaction(async (tx) => {
        const found = await find(tx.db, settings.accountId, prefix);
        const change = { credential_arn: input.credentialArn ?? found.credential_arn, updated_at: clock.now() };
        await tx.db.updateTable('ecr_pull_through_rule').set(change).where('prefix', '=', prefix).execute();
        tx.changed('ecr.registry', 'pull-through');
        return { ...found, ...change };
      });
      await documents.load();
      const { registryId, ecrRepositoryPrefix, credentialArn, upstreamRepositoryPrefix, updatedAt } = shown(ecr, row);
      return { registryId, ecrRepositoryPrefix, credentialArn, upstreamRepositoryPrefix, updatedAt };
    },
  };
}

/** What is cached stays. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeletePullThroughCacheRule.html */
export function deletePullThroughCacheRule(
  ecr: Ecr,
): Operation<DeletePullThroughCacheRuleRequest, DeletePullThroughCacheRuleResponse> {
  const { store, settings, documents } = ecr;
  return {
    access: onRegistry(ecr),
    async handle(input) {
      requireOwnRegistry(ecr, input);
      const prefix = normal(input.ecrRepositoryPrefix);
      const row = await store.transaction(async (tx) => {
        const found = await find(tx.db, settings.accountId, prefix);
        await tx.db.deleteFrom('ecr_pull_through_rule').where('prefix', '=', prefix).execute();
        tx.changed('ecr.registry', 'pull-through');
        return found;
      });
      await documents.load();
      const { updatedAt: _, upstreamRegistry: __, ...rule } = shown(ecr, row);
      return rule;
    },
  };
}

/** Signs in to the upstream. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ValidatePullThroughCacheRule.html */
export function validatePullThroughCacheRule(
  ecr: Ecr,
): Operation<ValidatePullThroughCacheRuleRequest, ValidatePullThroughCacheRuleResponse> {
  return {
    access: onRegistry(ecr),
    async handle(input) {
      requireOwnRegistry(ecr, input);
      const row = await find(ecr.store.db, ecr.settings.accountId, normal(input.ecrRepositoryPrefix));
      const { createdAt: _, updatedAt: __, upstreamRegistry: ___, ...rule } = shown(ecr, row);
      try {
        await ecr.pullThrough.check(row);
        return { ...rule, isValid: true };
      } catch (error) {
        return { ...rule, isValid: false, failure: (error as Error).message };
      }
    },
  };
}
