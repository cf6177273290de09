import type {
  BatchGetRepositoryScanningConfigurationRequest,
  BatchGetRepositoryScanningConfigurationResponse,
  GetRegistryScanningConfigurationRequest,
  GetRegistryScanningConfigurationResponse,
  PutRegistryScanningConfigurationRequest,
  PutRegistryScanningConfigurationResponse,
  RegistryScanningConfiguration,
  RepositoryScanningConfiguration,
  RepositoryScanningConfigurationFailure,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../../wire/service.ts';
import { fault } from '../../faults.ts';
import { onRegistry } from '../../operations/access.ts';
import type { Ecr } from '../../parts.ts';
import { findRepository, repositoryAccess, repositoryArn } from '../../repositories.ts';
import {
  configurationFlaw,
  frequencyOf,
  readConfiguration,
  type ScanningConfiguration,
  scanningDocument,
} from '../configuration.ts';

function shape({ scanType, rules }: ScanningConfiguration): RegistryScanningConfiguration {
  return { scanType, rules: [...rules] };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRegistryScanningConfiguration.html */
export function getRegistryScanningConfiguration(
  ecr: Ecr,
): Operation<GetRegistryScanningConfigurationRequest, GetRegistryScanningConfigurationResponse> {
  return {
    access: onRegistry(ecr),
    async handle() {
      return {
        registryId: ecr.settings.accountId,
        scanningConfiguration: shape(readConfiguration(ecr.documents.text(scanningDocument))),
      };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutRegistryScanningConfiguration.html */
export function putRegistryScanningConfiguration(
  ecr: Ecr,
): Operation<PutRegistryScanningConfigurationRequest, PutRegistryScanningConfigurationResponse> {
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const configuration: ScanningConfiguration = { scanType: input.scanType ?? 'BASIC', rules: input.rules ?? [] };
      const flaw = configurationFlaw(configuration);
      if (flaw) throw fault('InvalidParameterException', `Invalid parameter: ${flaw}`);
      await ecr.documents.write(scanningDocument, JSON.stringify(configuration));
      return { registryScanningConfiguration: shape(configuration) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetRepositoryScanningConfiguration.html */
export function batchGetRepositoryScanningConfiguration(
  ecr: Ecr,
): Operation<BatchGetRepositoryScanningConfigurationRequest, BatchGetRepositoryScanningConfigurationResponse> {
  const { store, settings } = ecr;
  return {
    async access(input) {
      const names = [...new Set(input.repositoryNames ?? [])];
      return Promise.all(names.map(async (name) => repositoryAccess(ecr, name, await findRepository(store.db, name))));
    },
    async handle(input) {
      const configuration = readConfiguration(ecr.documents.text(scanningDocument));
      const scanningConfigurations: RepositoryScanningConfiguration[] = [];
      const failures: RepositoryScanningConfigurationFailure[] = [];
      for (const repositoryName of new Set(input.repositoryNames ?? [])) {
        const repository = await findRepository(store.db, repositoryName);
        if (!repository) {
          failures.push({
            repositoryName,
            failureCode: 'REPOSITORY_NOT_FOUND',
            failureReason: `The repository with name '${repositoryName}' does not exist in the registry with id '${settings.accountId}'`,
          });
          continue;
        }
        const { frequency, filters } = frequencyOf(configuration, repository);
        scanningConfigurations.push({
          repositoryArn: repositoryArn(settings, repositoryName),
          repositoryName,
          scanOnPush: frequency !== 'MANUAL',
          scanFrequency: frequency,
          appliedScanFilters: [...filters],
        });
      }
      return { scanningConfigurations, failures };
    },
  };
}
