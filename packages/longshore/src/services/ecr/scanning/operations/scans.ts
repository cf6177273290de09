import type {
  DescribeImageScanFindingsRequest,
  DescribeImageScanFindingsResponse,
  ImageIdentifier,
  StartImageScanRequest,
  StartImageScanResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../../wire/service.ts';
import { fault, imageNotFound, inRepository } from '../../faults.ts';
import { findManifest, type ManifestRow, tagsOf } from '../../images.ts';
import { onRepository } from '../../operations/access.ts';
import { locate } from '../../operations/identifiers.ts';
import { cutPage, readPage } from '../../operations/pages.ts';
import type { Ecr } from '../../parts.ts';
import { repositoryArn, requireRepository } from '../../repositories.ts';
import { mediaTypes } from '../../rules/manifest.ts';
import { readConfiguration, scanningDocument } from '../configuration.ts';
import type { Finding } from '../findings.ts';
import type { Inventory } from '../inventory.ts';
import { findScan, isScannable, requestScan } from '../scans.ts';
import { basicFinding, enhancedFinding, type FindingPlace, scanStatus } from '../shapes.ts';

/** Basic scanning: an image may be scanned once in 24 hours (user guide, "Basic scanning"). */
const periodMilliseconds = 24 * 3_600_000;

async function imageOf(ecr: Ecr, repository: string, id: ImageIdentifier | undefined): Promise<ManifestRow> {
  const found = await locate(ecr.store.db, repository, id ?? {});
  const manifest = 'digest' in found ? await findManifest(ecr.store.db, repository, found.digest) : undefined;
  if (manifest) return manifest;
  if (
    'failureCode' in found &&
    found.failureCode !== 'ImageNotFound' &&
    found.failureCode !== 'ImageTagDoesNotMatchDigest'
  )
    throw fault('InvalidParameterException', found.failureReason ?? 'Invalid parameter: imageId');
  throw imageNotFound(ecr.settings.accountId, repository, id?.imageDigest, id?.imageTag);
}

function identifier({ digest }: ManifestRow, id: ImageIdentifier | undefined): ImageIdentifier {
  return { imageDigest: digest, ...(id?.imageTag === undefined ? {} : { imageTag: id.imageTag }) };
}

/**
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartImageScan.html. Beyond AWS, an image may be scanned again at once
 * after a scan that failed, and after new advisories were imported.
 */
export function startImageScan(ecr: Ecr): Operation<StartImageScanRequest, StartImageScanResponse> {
  const { settings, store, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const manifest = await imageOf(ecr, name, input.imageId);
      if (readConfiguration(ecr.documents.text(scanningDocument)).scanType === 'ENHANCED')
        throw fault('ValidationException', 'This feature is disabled');
      const isIndex = manifest.media_type === mediaTypes.ociIndex || manifest.media_type === mediaTypes.dockerList;
      if (!isScannable({ isIndex, artifactType: manifest.artifact_type ?? undefined }))
        throw fault(
          'UnsupportedImageTypeException',
          `The image with digest '${manifest.digest}' is of type '${manifest.artifact_type ?? manifest.media_type}', which cannot be scanned`,
        );
      const row = await store.transaction(async (tx) => {
        const now = clock.now();
        const before = await findScan(tx.db, name, manifest.digest);
        if (before && before.status !== 'FAILED' && now - before.requested_at < periodMilliseconds) {
          const imported = await tx.db
            .selectFrom('ecr_advisory_source')
            .select('imported_at')
            .where('imported_at', '>', before.requested_at)
            .executeTakeFirst();
          if (!imported || before.status !== 'COMPLETE')
            throw fault('LimitExceededException', 'The scan quota per image has been exceeded. Wait and try again.');
        }
        await requestScan(tx, name, manifest.digest, now);
        return findScan(tx.db, name, manifest.digest);
      });
      return {
        registryId: settings.accountId,
        repositoryName: name,
        imageId: identifier(manifest, input.imageId),
        ...(row ? { imageScanStatus: scanStatus(row, 'BASIC') } : {}),
      };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html */
export function describeImageScanFindings(
  ecr: Ecr,
): Operation<DescribeImageScanFindingsRequest, DescribeImageScanFindingsResponse> {
  const { settings, store } = ecr;

  async function placeOf(manifest: ManifestRow, observedAt: number): Promise<FindingPlace> {
    const { repository, digest } = manifest;
    const row = await store.db
      .selectFrom('ecr_image_inventory')
      .select('document')
      .where('digest', '=', digest)
      .executeTakeFirst();
    const { os, packages = [] } = row ? (JSON.parse(row.document) as Inventory) : {};
    return {
      registryId: settings.accountId,
      region: settings.region,
      repositoryArn: repositoryArn(settings, repository),
      repository,
      digest,
      tags: (await tagsOf(store.db, repository, [digest])).get(digest) ?? [],
      pushedAt: manifest.pushed_at,
      platform: os && `${os.id.toUpperCase()}_${os.versionId.replaceAll('.', '_')}`,
      architecture: packages.find((one) => one.arch !== undefined && one.arch !== 'all' && one.arch !== 'noarch')?.arch,
      observedAt,
    };
  }

  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const manifest = await imageOf(ecr, name, input.imageId);
      const scan = await findScan(store.db, name, manifest.digest);
      if (!scan) {
        const tag = input.imageId?.imageTag ?? 'null';
        throw fault(
          'ScanNotFoundException',
          `Image scan does not exist for the image with '{imageDigest:'${manifest.digest}', imageTag:'${tag}'}' in ${inRepository(settings.accountId, name)}`,
        );
      }
      const { scanType } = readConfiguration(ecr.documents.text(scanningDocument));
      const answer = {
        registryId: settings.accountId,
        repositoryName: name,
        imageId: identifier(manifest, input.imageId),
        imageScanStatus: scanStatus(scan, scanType),
      };
      const { after, limit } = readPage(input);
      if (scan.run === null) return answer;
      const found = await store.db
        .selectFrom('ecr_image_finding')
        .select(['position', 'document'])
        .where('repository', '=', name)
        .where('digest', '=', manifest.digest)
        .where('run', '=', scan.run)
        .where('position', '>', after[0] ? Number(after[0]) : -1)
        .orderBy('position')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [String(row.position)]);
      const findings = rows.map((row) => JSON.parse(row.document) as Finding);
      const place =
        scanType === 'ENHANCED' ? await placeOf(manifest, scan.completed_at ?? scan.requested_at) : undefined;
      return {
        ...answer,
        imageScanFindings: {
          ...(scan.completed_at === null ? {} : { imageScanCompletedAt: new Date(scan.completed_at) }),
          ...(scan.advisories_at === null ? {} : { vulnerabilitySourceUpdatedAt: new Date(scan.advisories_at) }),
          findingSeverityCounts: JSON.parse(scan.counts ?? '{}') as Record<string, number>,
          ...(place
            ? { enhancedFindings: findings.map((finding) => enhancedFinding(finding, place)) }
            : { findings: findings.map(basicFinding) }),
        },
        ...token,
      };
    },
  };
}
