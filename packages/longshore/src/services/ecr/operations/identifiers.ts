import type { ImageFailure, ImageIdentifier } from '@aws-sdk/client-ecr';
import type { Kysely } from 'kysely';
import { imageNotFound } from '../faults.ts';
import { findManifestFacts, taggedDigest } from '../images.ts';
import { isTag, parseDigest } from '../rules/grammar.ts';
import type { EcrTables } from '../tables.ts';

/** The longest tag of ECR's own API; `/v2/` takes 128 characters. */
export const longestTag = 300;

/** The image that an ImageIdentifier names, or why it names none, in ECR's failure codes and words. */
export async function locate(
  db: Kysely<EcrTables>,
  repository: string,
  { imageDigest, imageTag }: ImageIdentifier,
): Promise<{ readonly digest: string } | Pick<ImageFailure, 'failureCode' | 'failureReason'>> {
  if (imageDigest === undefined && imageTag === undefined)
    return {
      failureCode: 'MissingDigestAndTag',
      failureReason: 'Invalid request parameters: both tag and digest cannot be null',
    };
  if (imageDigest !== undefined && !parseDigest(imageDigest))
    return {
      failureCode: 'InvalidImageDigest',
      failureReason:
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    };
  if (imageTag !== undefined && !isTag(imageTag, longestTag))
    return {
      failureCode: 'InvalidImageTag',
      failureReason: "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]*'",
    };
  const missing = { failureCode: 'ImageNotFound', failureReason: 'Requested image not found' } as const;
  const tagged = imageTag === undefined ? undefined : await taggedDigest(db, repository, imageTag);
  if (imageDigest === undefined) return tagged === undefined ? missing : { digest: tagged };
  if (!(await findManifestFacts(db, repository, imageDigest))) return missing;
  if (imageTag !== undefined && tagged !== imageDigest)
    return {
      failureCode: 'ImageTagDoesNotMatchDigest',
      failureReason: `Invalid request parameters: image tag '${imageTag}' does not map to digest '${imageDigest}'`,
    };
  return { digest: imageDigest };
}

/** The digest of the image that an ImageIdentifier names. Throws ImageNotFoundException where it names none. */
export async function requireImage(
  db: Kysely<EcrTables>,
  accountId: string,
  repository: string,
  imageId: ImageIdentifier,
): Promise<string> {
  const found = await locate(db, repository, imageId);
  if ('digest' in found) return found.digest;
  throw imageNotFound(accountId, repository, imageId.imageDigest, imageId.imageTag);
}
