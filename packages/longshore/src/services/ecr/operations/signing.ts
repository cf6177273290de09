import type {
  DeleteSigningConfigurationResponse,
  DescribeImageSigningStatusRequest,
  DescribeImageSigningStatusResponse,
  GetSigningConfigurationResponse,
  ImageSigningStatus,
  PutSigningConfigurationRequest,
  PutSigningConfigurationResponse,
  SigningConfiguration,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault, invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { matchesWildcard } from '../rules/tag-mutability.ts';
import { onRegistry, onRepository } from './access.ts';
import { requireImage } from './identifiers.ts';

/** ECR's quotas (user guide, "Managed signing"). */
const mostRules = 10;
const mostFilters = 100;

/** What signatures of Notation and of cosign call themselves. */
const signatureTypes = [
  'application/vnd.cncf.notary.signature',
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.dev.cosign.simplesigning.v1+json',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
];

function requireConfiguration({ documents, settings }: Ecr): SigningConfiguration {
  const text = documents.text('signing');
  if (text === undefined)
    throw fault(
      'SigningConfigurationNotFoundException',
      `Signing configuration does not exist in the registry with id '${settings.accountId}'`,
    );
  return JSON.parse(text) as SigningConfiguration;
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutSigningConfiguration.html */
export function putSigningConfiguration(
  ecr: Ecr,
): Operation<PutSigningConfigurationRequest, PutSigningConfigurationResponse> {
  return {
    access: onRegistry(ecr),
    async handle({ signingConfiguration }) {
      const rules = signingConfiguration?.rules ?? [];
      if (rules.length === 0 || rules.length > mostRules)
        throw invalidParameter('signingConfiguration.rules', `must have 1 to ${mostRules} rules`);
      for (const { signingProfileArn, repositoryFilters = [] } of rules) {
        if (!/^arn:aws[\w-]*:signer:[\w-]+:\d{12}:\/signing-profiles\/\w+$/.test(signingProfileArn ?? ''))
          throw invalidParameter('signingProfileArn', 'must be the ARN of a signing profile');
        if (repositoryFilters.length > mostFilters)
          throw invalidParameter('repositoryFilters', `must have at most ${mostFilters} filters`);
      }
      await ecr.documents.write('signing', JSON.stringify({ rules }));
      return { signingConfiguration: { rules } };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetSigningConfiguration.html */
export function getSigningConfiguration(ecr: Ecr): Operation<object, GetSigningConfigurationResponse> {
  return {
    access: onRegistry(ecr),
    handle: async () => ({
      registryId: ecr.settings.accountId,
      signingConfiguration: requireConfiguration(ecr),
    }),
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteSigningConfiguration.html */
export function deleteSigningConfiguration(ecr: Ecr): Operation<object, DeleteSigningConfigurationResponse> {
  return {
    access: onRegistry(ecr),
    async handle() {
      const signingConfiguration = requireConfiguration(ecr);
      await ecr.documents.write('signing', undefined);
      return { registryId: ecr.settings.accountId, signingConfiguration };
    },
  };
}

/**
 * For every signing profile that the configuration asks of the image: COMPLETE where the image has a signature (a referrer of
 * Notation or cosign, or cosign's tag), else FAILED: AWS Signer, which would make one, is not served.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageSigningStatus.html
 */
export function describeImageSigningStatus(
  ecr: Ecr,
): Operation<DescribeImageSigningStatusRequest, DescribeImageSigningStatusResponse> {
  const { store, settings } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const imageId = input.imageId ?? {};
      const digest = await requireImage(store.db, settings.accountId, name, imageId);
      const { rules } = requireConfiguration(ecr);
      const profiles = (rules ?? [])
        .filter(
          ({ repositoryFilters = [] }) =>
            repositoryFilters.length === 0 ||
            repositoryFilters.some(({ filter }) => matchesWildcard(filter ?? '', name)),
        )
        .map((rule) => rule.signingProfileArn ?? '');
      const signed = await isSigned(ecr, name, digest);
      return {
        registryId: settings.accountId,
        repositoryName: name,
        imageId: { ...imageId, imageDigest: digest },
        signingStatuses: [...new Set(profiles)].map(
          (signingProfileArn): ImageSigningStatus =>
            signed
              ? { signingProfileArn, status: 'COMPLETE' }
              : {
                  signingProfileArn,
                  status: 'FAILED',
                  failureCode: 'SIGNER_NOT_AVAILABLE',
                  failureReason:
                    'AWS Signer is not served here: sign the image with notation or cosign, then ask again.',
                },
        ),
      };
    },
  };
}

async function isSigned({ store }: Ecr, repository: string, digest: string): Promise<boolean> {
  const referrer = await store.db
    .selectFrom('ecr_referrer')
    .select('digest')
    .where('repository', '=', repository)
    .where('subject', '=', digest)
    .where('artifact_type', 'in', signatureTypes)
    .executeTakeFirst();
  if (referrer) return true;
  const tag = await store.db
    .selectFrom('ecr_tag')
    .select('tag')
    .where('repository', '=', repository)
    .where('tag', '=', `${digest.replace(':', '-')}.sig`)
    .executeTakeFirst();
  return tag !== undefined;
}
