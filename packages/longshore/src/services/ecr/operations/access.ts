import { parseArn } from '../../../wire/arn.ts';
import type { Access, RequestContext } from '../../../wire/service.ts';
import { invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { findRepository, repositoryAccess, repositoryArn } from '../repositories.ts';

/** What an operation on one repository asks of policies: the operation's own action on the repository. */
export function onRepository(ecr: Ecr) {
  return async (input: { readonly repositoryName?: string | undefined }): Promise<readonly Access[]> => {
    const name = input.repositoryName ?? '';
    return [repositoryAccess(ecr, name, await findRepository(ecr.store.db, name))];
  };
}

/** What an operation on the whole registry asks. */
export function onRegistry({ documents }: Ecr) {
  return (): readonly Access[] => {
    const policy = documents.text('policy');
    return [{ resource: '*', ...(policy === undefined ? {} : { resourcePolicies: [policy] }) }];
  };
}

/** Throws InvalidParameterException where a request names another account's registry. */
export function requireOwnRegistry(ecr: Ecr, input: { readonly registryId?: string | undefined }): void {
  if (input.registryId !== undefined && input.registryId !== ecr.settings.accountId)
    throw invalidParameter('registryId', 'must be the account of the caller');
}

/**
 * The policies that must not keep the account's root from setting them anew: nobody else could mend a policy that shuts
 * everyone out.
 */
export function exceptForRoot(accesses: readonly Access[], context: RequestContext): readonly Access[] {
  if (context.caller.type !== 'root') return accesses;
  return accesses.map(({ resourcePolicies: _, ...access }) => access);
}

/** The same where the repository is named by its ARN. */
export function onResource(ecr: Ecr) {
  return async (input: { readonly resourceArn?: string | undefined }): Promise<readonly Access[]> => {
    const name = repositoryNameOf(ecr, input.resourceArn);
    return [repositoryAccess(ecr, name, await findRepository(ecr.store.db, name))];
  };
}

/** The name in a repository's ARN. Throws InvalidParameterException for any other. */
export function repositoryNameOf(ecr: Ecr, resourceArn: string | undefined): string {
  const name = parseArn(resourceArn ?? '')?.resource.replace(/^repository\//, '') ?? '';
  if (name === '' || resourceArn !== repositoryArn(ecr.settings, name))
    throw invalidParameter('resourceArn', 'must be the ARN of a repository of this registry');
  return name;
}
