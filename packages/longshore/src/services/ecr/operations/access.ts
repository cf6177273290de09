import { parseArn } from '../../../wire/arn.ts';
import type { Access } from '../../../wire/service.ts';
import { invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { findRepository, repositoryAccess, repositoryArn } from '../repositories.ts';

/** What an operation on one repository asks of policies: the operation's own action on the repository. */
export function onRepository(ecr: Ecr) {
  return async (input: { readonly repositoryName?: string | undefined }): Promise<readonly Access[]> => {
    const name = input.repositoryName ?? '';
    return [repositoryAccess(ecr.settings, name, await findRepository(ecr.store.db, name))];
  };
}

/** The same where the repository is named by its ARN. */
export function onResource(ecr: Ecr) {
  return async (input: { readonly resourceArn?: string | undefined }): Promise<readonly Access[]> => {
    const name = repositoryNameOf(ecr, input.resourceArn);
    return [repositoryAccess(ecr.settings, name, await findRepository(ecr.store.db, name))];
  };
}

/** The name in a repository's ARN. Throws InvalidParameterException for any other. */
export function repositoryNameOf(ecr: Ecr, resourceArn: string | undefined): string {
  const name = parseArn(resourceArn ?? '')?.resource.replace(/^repository\//, '') ?? '';
  if (name === '' || resourceArn !== repositoryArn(ecr.settings, name))
    throw invalidParameter('resourceArn', 'must be the ARN of a repository of this registry');
  return name;
}
