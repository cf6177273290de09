import type {
  DeleteRegistryPolicyRequest,
  DeleteRegistryPolicyResponse,
  GetRegistryPolicyRequest,
  GetRegistryPolicyResponse,
  PutRegistryPolicyRequest,
  PutRegistryPolicyResponse,
} from '@aws-sdk/client-ecr';
import type { Operation, RequestContext } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { exceptForRoot, onRegistry } from './access.ts';

const onOwnPolicy = (ecr: Ecr) => {
  const access = onRegistry(ecr);
  return (_input: unknown, context: RequestContext) => exceptForRoot(access(), context);
};

function requirePolicy({ settings, documents }: Ecr): string {
  const text = documents.text('policy');
  if (text === undefined)
    throw fault(
      'RegistryPolicyNotFoundException',
      `Registry policy does not exist in the registry with id '${settings.accountId}'`,
    );
  return text;
}

/**
 * The registry's policy counts for every action of ECR in the registry (AWS's policy scope V2).
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutRegistryPolicy.html
 */
export function putRegistryPolicy(ecr: Ecr): Operation<PutRegistryPolicyRequest, PutRegistryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    async handle({ policyText = '' }) {
      const flaw = await ecr.neighbours.iam.resourcePolicyFlaw(policyText, 'registry');
      if (flaw !== undefined)
        throw fault(
          'InvalidParameterException',
          `Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided': ${flaw}`,
        );
      await ecr.documents.write('policy', policyText);
      return { registryId: ecr.settings.accountId, policyText };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRegistryPolicy.html */
export function getRegistryPolicy(ecr: Ecr): Operation<GetRegistryPolicyRequest, GetRegistryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    handle: async () => ({ registryId: ecr.settings.accountId, policyText: requirePolicy(ecr) }),
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRegistryPolicy.html */
export function deleteRegistryPolicy(ecr: Ecr): Operation<DeleteRegistryPolicyRequest, DeleteRegistryPolicyResponse> {
  return {
    access: onOwnPolicy(ecr),
    async handle() {
      const policyText = requirePolicy(ecr);
      await ecr.documents.write('policy', undefined);
      return { registryId: ecr.settings.accountId, policyText };
    },
  };
}
