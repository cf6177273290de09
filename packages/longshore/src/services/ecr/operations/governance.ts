import type { AnyOperation } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { deleteRegistryPolicy, getRegistryPolicy, putRegistryPolicy } from './registry-policy.ts';
import { deleteRepositoryPolicy, getRepositoryPolicy, setRepositoryPolicy } from './repository-policy.ts';

/** The operations of policies, rules, templates and settings. */
export function governanceOperations(ecr: Ecr): Readonly<Record<string, AnyOperation>> {
  return {
    DeleteRegistryPolicy: deleteRegistryPolicy(ecr),
    DeleteRepositoryPolicy: deleteRepositoryPolicy(ecr),
    GetRegistryPolicy: getRegistryPolicy(ecr),
    GetRepositoryPolicy: getRepositoryPolicy(ecr),
    PutRegistryPolicy: putRegistryPolicy(ecr),
    SetRepositoryPolicy: setRepositoryPolicy(ecr),
  };
}
