import type {
  DeleteLifecyclePolicyRequest,
  DeleteLifecyclePolicyResponse,
  GetLifecyclePolicyRequest,
  GetLifecyclePolicyResponse,
  PutLifecyclePolicyRequest,
  PutLifecyclePolicyResponse,
} from '@aws-sdk/client-ecr';
import type { Tx } from '../../../state/store.ts';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { LifecycleFlaw, type LifecycleRule, parseLifecyclePolicy } from '../lifecycle/grammar.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import type { EcrTables } from '../tables.ts';
import { onRepository } from './access.ts';

/** The rules of a policy that a caller gave. Throws InvalidParameterException. */
export function checkLifecyclePolicy(text: string): readonly LifecycleRule[] {
  try {
    return parseLifecyclePolicy(text);
  } catch (error) {
    if (!(error instanceof LifecycleFlaw)) throw error;
    throw fault(
      'InvalidParameterException',
      `Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ${error.message}'`,
    );
  }
}

export function lifecyclePolicyNotFound(registryId: string, repository: string) {
  return fault(
    'LifecyclePolicyNotFoundException',
    `Lifecycle policy does not exist for the repository with name '${repository}' in the registry with id '${registryId}'`,
  );
}

/** Puts a repository's policy. Announces `ecr.lifecycle`, key: the repository. */
export async function writeLifecyclePolicy(tx: Tx<EcrTables>, repository: string, document: string): Promise<void> {
  await tx.db
    .insertInto('ecr_lifecycle_policy')
    .values({ repository, document, evaluated_at: null })
    .onConflict((conflict) => conflict.column('repository').doUpdateSet({ document }))
    .execute();
  tx.changed('ecr.lifecycle', repository);
}

async function require(ecr: Ecr, repository: string) {
  const found = await ecr.store.db
    .selectFrom('ecr_lifecycle_policy')
    .selectAll()
    .where('repository', '=', repository)
    .executeTakeFirst();
  if (!found) throw lifecyclePolicyNotFound(ecr.settings.accountId, repository);
  return {
    registryId: ecr.settings.accountId,
    repositoryName: repository,
    lifecyclePolicyText: found.document,
    lastEvaluatedAt: new Date(found.evaluated_at ?? 0),
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html */
export function putLifecyclePolicy(ecr: Ecr): Operation<PutLifecyclePolicyRequest, PutLifecyclePolicyResponse> {
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { lifecyclePolicyText = '' } = input;
      checkLifecyclePolicy(lifecyclePolicyText);
      const repositoryName = await ecr.store.transaction(async (tx) => {
        const { name } = await requireRepository(tx.db, ecr.settings, input);
        await writeLifecyclePolicy(tx, name, lifecyclePolicyText);
        return name;
      });
      return { registryId: ecr.settings.accountId, repositoryName, lifecyclePolicyText };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicy.html */
export function getLifecyclePolicy(ecr: Ecr): Operation<GetLifecyclePolicyRequest, GetLifecyclePolicyResponse> {
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(ecr.store.db, ecr.settings, input);
      return require(ecr, name);
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteLifecyclePolicy.html */
export function deleteLifecyclePolicy(
  ecr: Ecr,
): Operation<DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse> {
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(ecr.store.db, ecr.settings, input);
      const gone = await require(ecr, name);
      await ecr.store.transaction(async (tx) => {
        await tx.db.deleteFrom('ecr_lifecycle_policy').where('repository', '=', name).execute();
        tx.changed('ecr.lifecycle', name);
      });
      return gone;
    },
  };
}
