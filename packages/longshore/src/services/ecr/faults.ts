import type { EcrErrorCode } from '../../models/errors.ts';
import { faults } from '../../wire/fault.ts';

/** A fault with one of ECR's codes. */
export const fault = faults<EcrErrorCode>();

/** `where` as ECR's messages end: the repository and its registry. */
export function inRepository(registryId: string, name: string): string {
  return `the repository with name '${name}' in the registry with id '${registryId}'`;
}

export function repositoryNotFound(registryId: string, name: string) {
  return fault(
    'RepositoryNotFoundException',
    `The repository with name '${name}' does not exist in the registry with id '${registryId}'`,
  );
}

export function imageNotFound(registryId: string, name: string, digest: string | undefined, tag: string | undefined) {
  const quoted = (text: string | undefined) => `'${text ?? 'null'}'`;
  return fault(
    'ImageNotFoundException',
    `The image with imageId {imageDigest:${quoted(digest)}, imageTag:${quoted(tag)}} does not exist within ${inRepository(registryId, name)}`,
  );
}

export function invalidParameter(parameter: string, constraint: string) {
  return fault(
    'InvalidParameterException',
    `Invalid parameter at '${parameter}' failed to satisfy constraint: '${constraint}'`,
  );
}
