import type { Controller } from '../../../base/controller.ts';
import type { AnyOperation, HttpRoute } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { advisoryStore } from './advisories/store.ts';
import { advisoriesRoute } from './import-route.ts';
import {
  batchGetRepositoryScanningConfiguration,
  getRegistryScanningConfiguration,
  putRegistryScanningConfiguration,
} from './operations/configuration.ts';
import { describeImageScanFindings, startImageScan } from './operations/scans.ts';
import { imageScanner, type ScannerOptions } from './scanner.ts';

/** Image scanning, as ECR's service takes it in. */
export function imageScanning(
  ecr: Ecr,
  options: ScannerOptions = {},
): {
  readonly operations: Readonly<Record<string, AnyOperation>>;
  readonly routes: readonly HttpRoute[];
  readonly controllers: readonly Controller[];
} {
  const advisories = advisoryStore(ecr);
  return {
    operations: {
      BatchGetRepositoryScanningConfiguration: batchGetRepositoryScanningConfiguration(ecr),
      DescribeImageScanFindings: describeImageScanFindings(ecr),
      GetRegistryScanningConfiguration: getRegistryScanningConfiguration(ecr),
      PutRegistryScanningConfiguration: putRegistryScanningConfiguration(ecr),
      StartImageScan: startImageScan(ecr),
    },
    routes: [advisoriesRoute(ecr, advisories)],
    controllers: [imageScanner(ecr, advisories, options)],
  };
}
