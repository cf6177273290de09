import type { AnyOperation } from '../../../wire/service.ts';
import type { Sessions } from '../../iam/contract.ts';
import { assumeRole } from './assume-role.ts';
import { identityOperations } from './identity.ts';

/** Every operation of STS that is answered. */
export function stsOperations(sessions: Sessions): Readonly<Record<string, AnyOperation>> {
  return { AssumeRole: assumeRole(sessions), ...identityOperations(sessions) };
}
