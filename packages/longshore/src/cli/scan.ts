import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Attribute,
  DescribeImageScanFindingsResponse,
  EnhancedImageScanFinding,
  ImageScanFinding,
} from '@aws-sdk/client-ecr';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type AwsClient, AwsError, awsClient } from './aws-client.ts';
import { dataDirOption, jsonOption, withExamples } from './connection-options.ts';
import { dataDirOf, readConnection } from './data-dir.ts';
import { type ImageName, parseImageName } from './image-names.ts';
import { CommandError, paint, say, sayJson } from './output.ts';
import { table } from './table.ts';

interface ScanOptions {
  readonly dataDir: string;
  readonly json?: boolean;
  readonly failOn?: string;
  readonly all?: boolean;
}

const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL', 'UNDEFINED'] as const;
const waitMs = 20 * 60_000;
const shownUsually = 25;

export function scanCommand(): Command {
  const command = new Command('scan')
    .helpGroup('Use it:')
    .description('look for known vulnerabilities in an image of the registry')
    .argument('<image>', 'REPOSITORY[:TAG] or REPOSITORY@DIGEST')
    .addOption(
      new Option('--fail-on <severity>', 'exit with 2 where there is a finding so bad or worse').argParser((text) => {
        const severity = text.toUpperCase();
        if (!(severities as readonly string[]).includes(severity))
          throw new InvalidArgumentError(`It must be one of ${severities.join(', ').toLowerCase()}.`);
        return severity;
      }),
    )
    .addOption(new Option('--all', `every finding, not only the worst ${shownUsually}`))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((image: string, options: ScanOptions) => scan(image, options));
  return withExamples(command, [
    ['longshore scan shop:1.4', 'the findings, the worst first'],
    ['longshore scan shop:1.4 --fail-on high', 'in a pipeline'],
    ['longshore scan shop:1.4 --json', 'for programs, in the API’s own shapes'],
  ]);
}

async function scan(text: string, options: ScanOptions): Promise<void> {
  const image = parseImageName(text);
  const client = awsClient(readConnection(dataDirOf(options.dataDir)));
  await start(client, image);
  const answer = await wait(client, image);
  if (options.json) sayJson(answer);
  else say(render(text, answer, Math.max(60, process.stdout.columns ?? 80), options.all ?? false).join('\n'));
  if (answer.imageScanStatus?.status === 'FAILED') process.exitCode = 1;
  else if (options.failOn) {
    const counts = answer.imageScanFindings?.findingSeverityCounts ?? {};
    const bad = severities.slice(0, severities.indexOf(options.failOn as (typeof severities)[number]) + 1);
    if (bad.some((severity) => (counts[severity] ?? 0) > 0)) process.exitCode = 2;
  }
}

/** Where the image was scanned lately, or is scanned by itself, that scan will do. */
async function start(client: AwsClient, { repository, imageId }: ImageName): Promise<void> {
  try {
    await client.call('ecr', 'StartImageScan', { repositoryName: repository, imageId });
  } catch (error) {
    if (error instanceof AwsError && ['LimitExceededException', 'ValidationException'].includes(error.code)) return;
    throw error;
  }
}

/** All findings, once the scan has ended. */
async function wait(client: AwsClient, { repository, imageId }: ImageName): Promise<DescribeImageScanFindingsResponse> {
  const input = { repositoryName: repository, imageId, maxResults: 1000 };
  const describe = (nextToken?: string) =>
    client.call<DescribeImageScanFindingsResponse>('ecr', 'DescribeImageScanFindings', {
      ...input,
      ...(nextToken ? { nextToken } : {}),
    });
  const end = Date.now() + waitMs;
  let pause = 100;
  for (;;) {
    const answer = await describe();
    const { status } = answer.imageScanStatus ?? {};
    if (status !== 'IN_PROGRESS' && status !== 'PENDING') {
      const findings = [...(answer.imageScanFindings?.findings ?? [])];
      const enhanced = [...(answer.imageScanFindings?.enhancedFindings ?? [])];
      for (let { nextToken } = answer; nextToken; ) {
        const more = await describe(nextToken);
        findings.push(...(more.imageScanFindings?.findings ?? []));
        enhanced.push(...(more.imageScanFindings?.enhancedFindings ?? []));
        nextToken = more.nextToken;
      }
      const { nextToken: _, ...whole } = answer;
      if (!whole.imageScanFindings) return whole;
      return {
        ...whole,
        imageScanFindings: {
          ...whole.imageScanFindings,
          ...(findings.length > 0 ? { findings } : {}),
          ...(enhanced.length > 0 ? { enhancedFindings: enhanced } : {}),
        },
      };
    }
    if (Date.now() > end)
      throw new CommandError(`The scan of ${repository} has not ended after ${waitMs / 60_000} minutes.`);
    await sleep(pause);
    pause = Math.min(pause * 2, 2_000);
  }
}

/** What a scan found, as lines of at most `width` characters. */
export function render(
  name: string,
  answer: Pick<DescribeImageScanFindingsResponse, 'imageScanStatus' | 'imageScanFindings' | 'imageId'>,
  width: number,
  all: boolean,
): string[] {
  const { status, description = '' } = answer.imageScanStatus ?? {};
  if (status === 'FAILED' || !answer.imageScanFindings)
    return [`${paint('red', '✗')} ${name} could not be scanned: ${description || status}`];
  const { findingSeverityCounts = {}, findings = [], enhancedFindings = [] } = answer.imageScanFindings;
  const counts = severities.flatMap((severity) => {
    const count = findingSeverityCounts[severity] ?? 0;
    return count > 0 ? [coloured(severity, `${count} ${severity.toLowerCase()}`)] : [];
  });
  const note = /^Not compared/.test(description) ? [paint('yellow', description)] : [];
  if (counts.length === 0) return [`${paint('green', '✔')} ${name}: nothing known to be vulnerable`, ...note];
  const rows = [...findings.map(basicRow), ...enhancedFindings.map(enhancedRow)];
  const shown = all ? rows : rows.slice(0, shownUsually);
  const [headings = '', ...lines] = table(['SEVERITY', 'ID', 'PACKAGE', 'VERSION', 'FIXED IN'], shown, width);
  return [
    `${paint('bold', name)}: ${counts.join(', ')}`,
    ...note,
    '',
    paint('dim', headings),
    ...lines.map((line, index) => coloured(shown[index]?.[0] ?? '', line)),
    ...(shown.length < rows.length
      ? ['', paint('dim', `and ${rows.length - shown.length} more: --all shows them`)]
      : []),
  ];
}

function basicRow(finding: ImageScanFinding): string[] {
  const attribute = (key: string) => finding.attributes?.find((one: Attribute) => one.key === key)?.value ?? '';
  const exploited = attribute('known_exploited_since') === '' ? '' : ' (exploited)';
  return [
    finding.severity ?? '',
    `${finding.name}${exploited}`,
    attribute('package_name'),
    attribute('package_version'),
    attribute('fixed_in_version') || '-',
  ];
}

function enhancedRow(finding: EnhancedImageScanFinding): string[] {
  const { vulnerabilityId = '', vulnerablePackages = [] } = finding.packageVulnerabilityDetails ?? {};
  const [one] = vulnerablePackages;
  const exploited = finding.exploitAvailable === 'YES' ? ' (exploited)' : '';
  return [
    finding.severity ?? '',
    `${vulnerabilityId}${exploited}`,
    one?.name ?? '',
    one?.version ?? '',
    one?.fixedInVersion ?? '-',
  ];
}

function coloured(severity: string, text: string): string {
  if (severity === 'CRITICAL' || severity === 'HIGH') return paint('red', text);
  return severity === 'MEDIUM' ? paint('yellow', text) : text;
}
