import type {
  DescribeImagesResponse,
  DescribeRepositoriesResponse,
  ImageDetail,
  ImageScanFindingsSummary,
} from '@aws-sdk/client-ecr';
import { Command } from 'commander';
import { type AwsClient, awsClient } from './aws-client.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { dataDirOf, readConnection } from './data-dir.ts';
import { paint, say, sayJson } from './output.ts';
import { age, table } from './table.ts';

interface ImagesOptions {
  readonly dataDir: string;
  readonly json?: boolean;
}

export function imagesCommand(): Command {
  const command = new Command('images')
    .helpGroup('Use it:')
    .description('the images in the registry, and what their scans found')
    .argument('[repository]', 'only those of this repository')
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((repository: string | undefined, options: ImagesOptions) => images(repository, options));
  return withExamples(command, [
    ['longshore images', 'all of them, the newest first'],
    ['longshore images shop', 'of one repository'],
    ['longshore images --json', 'for programs, in the API’s own shapes'],
  ]);
}

async function images(repository: string | undefined, options: ImagesOptions): Promise<void> {
  const client = awsClient(readConnection(dataDirOf(options.dataDir)));
  const names = repository === undefined ? await repositories(client) : [repository];
  const found: ImageDetail[] = [];
  for (const repositoryName of names)
    for (let nextToken: string | undefined, first = true; first || nextToken; first = false) {
      const page: DescribeImagesResponse = await client.call('ecr', 'DescribeImages', {
        repositoryName,
        maxResults: 1000,
        ...(nextToken ? { nextToken } : {}),
      });
      found.push(...(page.imageDetails ?? []));
      nextToken = page.nextToken;
    }
  if (options.json) return sayJson(found);
  if (found.length === 0) return say('No images yet: `docker push`, or `longshore deploy ./my-app`.');
  say(render(found, Math.max(60, process.stdout.columns ?? 80), Date.now()).join('\n'));
}

async function repositories(client: AwsClient): Promise<string[]> {
  const names: string[] = [];
  for (let nextToken: string | undefined, first = true; first || nextToken; first = false) {
    const page: DescribeRepositoriesResponse = await client.call('ecr', 'DescribeRepositories', {
      maxResults: 1000,
      ...(nextToken ? { nextToken } : {}),
    });
    names.push(...(page.repositories ?? []).flatMap((one) => one.repositoryName ?? []));
    nextToken = page.nextToken;
  }
  return names;
}

/** Images as lines of at most `width` characters, the newest first. `now` in milliseconds. */
export function render(images: readonly ImageDetail[], width: number, now: number): string[] {
  const rows = [...images]
    .sort((one, other) => milliseconds(other.imagePushedAt) - milliseconds(one.imagePushedAt))
    .map((image) => [
      image.repositoryName ?? '',
      image.imageTags?.join(', ') ?? '-',
      (image.imageDigest ?? '').replace(/^sha(256|512):/, '').slice(0, 12),
      size(image.imageSizeInBytes ?? 0),
      `${age(milliseconds(image.imagePushedAt), now)} ago`,
      scanned(image),
    ]);
  const [headings = '', ...lines] = table(['REPOSITORY', 'TAGS', 'DIGEST', 'SIZE', 'PUSHED', 'SCAN'], rows, width);
  return [paint('dim', headings), ...lines];
}

/** JSON has seconds where the SDK has dates. */
function milliseconds(value: Date | number | undefined): number {
  return typeof value === 'number' ? value * 1000 : (value?.getTime() ?? 0);
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function scanned({ imageScanStatus, imageScanFindingsSummary }: ImageDetail): string {
  const status = imageScanStatus?.status;
  if (!status) return '-';
  if (status === 'FAILED') return 'failed';
  if (!imageScanFindingsSummary) return status.toLowerCase().replaceAll('_', ' ');
  return counted(imageScanFindingsSummary);
}

function counted({ findingSeverityCounts: counts = {} }: ImageScanFindingsSummary): string {
  const parts = (['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'] as const).flatMap((severity) =>
    (counts[severity] ?? 0) > 0 ? [`${counts[severity]} ${severity.toLowerCase()}`] : [],
  );
  const others = (counts.INFORMATIONAL ?? 0) + (counts.UNDEFINED ?? 0);
  if (parts.length > 0) return parts.slice(0, 2).join(', ');
  return others > 0 ? `${others} minor` : 'clean';
}
