import type {
  DeleteRepositoryPolicyRequest,
  DeleteRepositoryPolicyResponse,
  GetRepositoryPolicyRequest,
  GetRepositoryPolicyResponse,
  SetRepositoryPolicyRequest,
  SetRepositoryPolicyResponse,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../../wire/fault.ts';
import type { Access, Operation, RequestContext } from '../../../wire/service.ts';
import { fault, inRepository } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { type RepositoryRow, repositoryArn, requireRepository } from '../repositories.ts';
import { exceptForRoot, onRepository } from './access.ts';

function onOwnPolicy(ecr: Ecr) {
  const access = onRepository(ecr);
  return async (input: { readonly repositoryName?: string | undefined }, context: RequestContext) =>
    exceptForRoot(await access(input), context);
}

function requirePolicy(ecr: Ecr, row: RepositoryRow): string {
  if (row.policy === null)
    throw fault(
      'RepositoryPolicyNotFoundException',
      `Repository policy does not exist for ${inRepository(ecr.settings.accountId, row.name)}`,
    );
  return row.policy;
}

/** Throws InvalidParameterException where a document can't be a repository policy. */
export async function checkRepositoryPolicy({ neighbours }: Ecr, text: string): Promise<void> {
  const flaw = await neighbours.iam.resourcePolicyFlaw(text, 'repository');
  if (flaw !== undefined)
    throw fault(
      'InvalidParameterException',
      `Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided': ${flaw}`,
    );
}

/** Throws where the policy would keep its own setter from setting another (API reference, SetRepositoryPolicy, `force`). */
async function refuseLockout(ecr: Ecr, name: string, policy: string, context: RequestContext): Promise<void> {
  const access: Access = { resource: repositoryArn(ecr.settings, name), resourcePolicies: [policy] };
  try {
    await context.authorize({ ...access, action: 'ecr:SetRepositoryPolicy' });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw fault(
      'InvalidParameterException',
      "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy would prevent you from setting another policy in the future: give force to set it nevertheless'",
    );
  }
}

async function write(ecr: Ecr, name: string, policy: string | null): Promise<void> {
  await ecr.store.transaction(async (tx) => {
    await requireRepository(tx.db, ecr.settings, { repositoryName: name });
    await tx.db.updateTable('ecr_repository').set({ policy }).where('name', '=', name).execute();
    tx.changed('ecr.repository', name);
  });
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html */
export function setRepositoryPolicy(ecr: Ecr): Operation<SetRepositoryPolicyRequest, SetRepositoryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    async handle(input, context) {
      const { policyText = '' } = input;
      const { name } = await requireRepository(ecr.store.db, ecr.settings, input);
      await checkRepositoryPolicy(ecr, policyText);
      if (!input.force) await refuseLockout(ecr, name, policyText, context);
      await write(ecr, name, policyText);
      return { registryId: ecr.settings.accountId, repositoryName: name, policyText };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRepositoryPolicy.html */
export function getRepositoryPolicy(ecr: Ecr): Operation<GetRepositoryPolicyRequest, GetRepositoryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    async handle(input) {
      const row = await requireRepository(ecr.store.db, ecr.settings, input);
      return { registryId: ecr.settings.accountId, repositoryName: row.name, policyText: requirePolicy(ecr, row) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepositoryPolicy.html */
export function deleteRepositoryPolicy(
  ecr: Ecr,
): Operation<DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    async handle(input) {
      const row = await requireRepository(ecr.store.db, ecr.settings, input);
      const policyText = requirePolicy(ecr, row);
      await write(ecr, row.name, null);
      return { registryId: ecr.settings.accountId, repositoryName: row.name, policyText };
    },
  };
}
