import type {
  PutImageScanningConfigurationRequest,
  PutImageScanningConfigurationResponse,
  PutImageTagMutabilityRequest,
  PutImageTagMutabilityResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { mutabilityFlaw } from '../rules/tag-mutability.ts';
import { onRepository } from './access.ts';
import { readFilters } from './repositories.ts';

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html */
export function putImageTagMutability(
  ecr: Ecr,
): Operation<PutImageTagMutabilityRequest, PutImageTagMutabilityResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { imageTagMutability = 'MUTABLE', imageTagMutabilityExclusionFilters } = input;
      const filters = readFilters(imageTagMutabilityExclusionFilters);
      const flaw = mutabilityFlaw(imageTagMutability, filters);
      if (flaw) throw fault('InvalidParameterException', `Invalid parameter: ${flaw}`);
      const name = await store.transaction(async (tx) => {
        const repository = await requireRepository(tx.db, settings, input);
        await tx.db
          .updateTable('ecr_repository')
          .set({ tag_mutability: imageTagMutability, exclusion_filters: JSON.stringify(filters ?? []) })
          .where('name', '=', repository.name)
          .execute();
        tx.changed('ecr.repository', repository.name);
        return repository.name;
      });
      return {
        registryId: settings.accountId,
        repositoryName: name,
        imageTagMutability,
        ...(filters
          ? {
              imageTagMutabilityExclusionFilters: imageTagMutabilityExclusionFilters as NonNullable<
                typeof imageTagMutabilityExclusionFilters
              >,
            }
          : {}),
      };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageScanningConfiguration.html */
export function putImageScanningConfiguration(
  ecr: Ecr,
): Operation<PutImageScanningConfigurationRequest, PutImageScanningConfigurationResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const scanOnPush = input.imageScanningConfiguration?.scanOnPush ?? false;
      const name = await store.transaction(async (tx) => {
        const repository = await requireRepository(tx.db, settings, input);
        await tx.db
          .updateTable('ecr_repository')
          .set({ scan_on_push: scanOnPush ? 1 : 0 })
          .where('name', '=', repository.name)
          .execute();
        tx.changed('ecr.repository', repository.name);
        return repository.name;
      });
      return { registryId: settings.accountId, repositoryName: name, imageScanningConfiguration: { scanOnPush } };
    },
  };
}
