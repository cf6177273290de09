import type { Service, ServiceParts } from '../contract.ts';
import type { IamContract } from '../iam/contract.ts';
import { stsOperations } from './operations/index.ts';

/** Who am I, and temporary credentials. Keeps nothing itself: sessions are IAM's. */
export function stsService(
  _parts: ServiceParts<unknown>,
  { iam }: { readonly iam: Pick<IamContract, 'sessions'> },
): Service<object> {
  return {
    definition: { name: 'sts', iamPrefix: 'sts', operations: stsOperations(iam.sessions) },
    controllers: [],
    contract: {},
  };
}
