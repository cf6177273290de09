import type {
  Attribute,
  EnhancedImageScanFinding,
  ImageDetail,
  ImageScanFinding,
  ImageScanStatus,
} from '@aws-sdk/client-ecr';
import { preferredScore } from './advisories/ratings.ts';
import type { Finding } from './findings.ts';
import type { PackageKind } from './inventory.ts';
import type { ScanRow } from './scans.ts';

/** A scan's state as ECR shows it; enhanced scanning calls an image with findings active. */
export function scanStatus(row: ScanRow, scanType: 'BASIC' | 'ENHANCED'): ImageScanStatus {
  const hasFindings = row.run !== null;
  const shown = scanType === 'ENHANCED' && (row.status === 'COMPLETE' || hasFindings) ? 'ACTIVE' : row.status;
  // Basic scanning knows no waiting: it says that a scan is in progress from the moment that it is asked for.
  const status = scanType === 'BASIC' && shown === 'PENDING' ? 'IN_PROGRESS' : shown;
  const usual = status === 'COMPLETE' || status === 'ACTIVE' ? 'The scan was completed successfully.' : undefined;
  const description = row.description ?? usual;
  return {
    status: status as NonNullable<ImageScanStatus['status']>,
    ...(description === undefined ? {} : { description }),
  };
}

/** What DescribeImages says of an image's scan. */
export function scanDetails(
  row: ScanRow,
  scanType: 'BASIC' | 'ENHANCED',
): Pick<ImageDetail, 'imageScanStatus' | 'imageScanFindingsSummary'> {
  return {
    imageScanStatus: scanStatus(row, scanType),
    ...(row.counts === null || row.completed_at === null
      ? {}
      : {
          imageScanFindingsSummary: {
            imageScanCompletedAt: new Date(row.completed_at),
            ...(row.advisories_at === null ? {} : { vulnerabilitySourceUpdatedAt: new Date(row.advisories_at) }),
            findingSeverityCounts: JSON.parse(row.counts) as Record<string, number>,
          },
        }),
  };
}

/** A finding of basic scanning. Beside ECR's own attributes there are those that say where, how bad, and what to do. */
export function basicFinding(finding: Finding): ImageScanFinding {
  const attributes: Attribute[] = [
    { key: 'package_version', value: finding.version },
    { key: 'package_name', value: finding.name },
  ];
  const add = (key: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') attributes.push({ key, value: String(value).slice(0, 1000) });
  };
  add('package_type', finding.kind);
  add('fixed_in_version', finding.fixed);
  for (const { version, vector, score } of finding.scores) {
    const prefix = `CVSS${version.split('.')[0]}`;
    if (attributes.some((one) => one.key === `${prefix}_SCORE`)) continue;
    add(`${prefix}_VECTOR`, vector);
    add(`${prefix}_SCORE`, score);
  }
  const [place] = finding.packages;
  add('package_path', place?.path);
  add('layer_digest', place?.layer);
  add('installed_packages', [...new Set(finding.packages.map((one) => one.name))].join(', '));
  if (finding.exploitedSince !== undefined) add('known_exploited_since', finding.exploitedSince);
  add('epss_probability', finding.epss?.probability);
  add('epss_percentile', finding.epss?.percentile);
  add('advisories', finding.advisories.join(', '));
  const description = finding.description ?? finding.title;
  return {
    name: finding.id,
    ...(description === undefined ? {} : { description }),
    ...(finding.url === undefined ? {} : { uri: finding.url }),
    severity: finding.severity,
    attributes,
  };
}

/** Inspector's names of package managers (Inspector API reference, VulnerablePackage). */
const managers: Readonly<Record<PackageKind, string>> = {
  deb: 'OS',
  apk: 'OS',
  rpm: 'OS',
  npm: 'NODEPKG',
  pypi: 'PYTHONPKG',
  golang: 'GOBINARY',
  maven: 'JAR',
  gem: 'GEMSPEC',
};

export interface FindingPlace {
  readonly registryId: string;
  readonly region: string;
  readonly repositoryArn: string;
  readonly repository: string;
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  /** `DEBIAN_12` and the like are Inspector's; ours is the system's own name. */
  readonly platform: string | undefined;
  readonly architecture: string | undefined;
  readonly observedAt: number;
}

/** A finding of enhanced scanning, in Inspector's shape. */
export function enhancedFinding(finding: Finding, place: FindingPlace): EnhancedImageScanFinding {
  const score = preferredScore(finding.scores);
  const severity = finding.severity === 'UNDEFINED' ? 'UNTRIAGED' : finding.severity;
  const at = new Date(place.observedAt);
  return {
    awsAccountId: place.registryId,
    findingArn: `arn:aws:inspector2:${place.region}:${place.registryId}:finding/${findingId(finding, place)}`,
    type: 'PACKAGE_VULNERABILITY',
    title: `${finding.id} - ${finding.name}`,
    description: finding.description ?? finding.title ?? finding.id,
    severity,
    status: 'ACTIVE',
    firstObservedAt: at,
    lastObservedAt: at,
    updatedAt: at,
    fixAvailable: finding.fixed === undefined ? 'NO' : 'YES',
    exploitAvailable: finding.exploitedSince === undefined ? 'NO' : 'YES',
    ...(score
      ? {
          score: score.score,
          scoreDetails: {
            cvss: {
              score: score.score,
              scoreSource: finding.source,
              scoringVector: score.vector,
              version: score.version,
            },
          },
        }
      : {}),
    remediation: {
      recommendation: {
        text: finding.fixed === undefined ? 'None Provided' : `Upgrade ${finding.name} to ${finding.fixed} or later`,
        ...(finding.url === undefined ? {} : { url: finding.url }),
      },
    },
    packageVulnerabilityDetails: {
      vulnerabilityId: finding.id,
      source: finding.source,
      vendorSeverity: severity,
      ...(finding.url === undefined ? {} : { sourceUrl: finding.url }),
      ...(finding.publishedAt === undefined ? {} : { vendorCreatedAt: new Date(finding.publishedAt) }),
      ...(finding.modifiedAt === undefined ? {} : { vendorUpdatedAt: new Date(finding.modifiedAt) }),
      referenceUrls: [...(finding.references ?? [])],
      relatedVulnerabilities: finding.advisories.filter((id) => id !== finding.id),
      cvss: finding.scores.map(({ version, vector, score: baseScore }) => ({
        baseScore,
        scoringVector: vector,
        source: finding.source,
        version,
      })),
      vulnerablePackages: finding.packages.map((one) => {
        const [, epoch, version = one.version, release] = /^(?:(\d+):)?(.+?)(?:-([^-]+))?$/.exec(one.version) ?? [];
        const isSystem = managers[finding.kind] === 'OS';
        return {
          name: one.name,
          version: isSystem ? version : one.version,
          packageManager: managers[finding.kind],
          filePath: one.path,
          sourceLayerHash: one.layer,
          ...(isSystem && epoch !== undefined ? { epoch: Number(epoch) } : {}),
          ...(isSystem && release !== undefined ? { release } : {}),
          ...(one.arch === undefined ? {} : { arch: one.arch }),
          ...(finding.fixed === undefined ? {} : { fixedInVersion: finding.fixed }),
        };
      }),
    },
    resources: [
      {
        type: 'AWS_ECR_CONTAINER_IMAGE',
        id: `${place.repositoryArn}/${place.digest}`,
        tags: {},
        details: {
          awsEcrContainerImage: {
            registry: place.registryId,
            repositoryName: place.repository,
            imageHash: place.digest,
            imageTags: [...place.tags],
            pushedAt: new Date(place.pushedAt),
            ...(place.platform === undefined ? {} : { platform: place.platform }),
            ...(place.architecture === undefined ? {} : { architecture: place.architecture }),
          },
        },
      },
    ],
  };
}

/** The same weakness of the same image has the same number in every scan. */
function findingId(finding: Finding, place: FindingPlace): string {
  const text = [place.repository, place.digest, finding.id, finding.kind, finding.name, finding.version].join('\n');
  let first = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) first = BigInt.asUintN(64, (first ^ BigInt(byte)) * 0x100000001b3n);
  return first.toString(16).padStart(16, '0').repeat(2);
}
