import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { parseImageName } from './image-names.ts';
import { render as renderImages } from './images.ts';
import { render as renderScan } from './scan.ts';

const plain = (lines: readonly string[]) => lines.map((line) => stripVTControlCharacters(line));

test('names of images: with and without host, tag and digest', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(parseImageName('shop'), { repository: 'shop', imageId: { imageTag: 'latest' } });
  assert.deepEqual(parseImageName('team/shop:v1'), { repository: 'team/shop', imageId: { imageTag: 'v1' } });
  assert.deepEqual(parseImageName('localhost:4566/shop:v1'), { repository: 'shop', imageId: { imageTag: 'v1' } });
  assert.deepEqual(parseImageName(`a.example/shop@${digest}`), {
    repository: 'shop',
    imageId: { imageDigest: digest },
  });
  assert.throws(() => parseImageName('UPPER:x'), /no name of an image/);
});

test('a table of images in 80 columns, the newest first', () => {
  const now = 1_700_000_000_000;
  const image = (name: string, minutes: number, more: object) => ({
    repositoryName: name,
    imageDigest: `sha256:${'0123456789abcdef'.repeat(4)}`,
    imageSizeInBytes: 5_000_000,
    imagePushedAt: new Date(now - minutes * 60_000),
    ...more,
  });
  const lines = plain(
    renderImages(
      [
        image('old', 90, { imageTags: ['v1'], imageScanStatus: { status: 'FAILED' } }),
        image('shop', 3, {
          imageTags: ['v2', 'latest'],
          imageScanStatus: { status: 'COMPLETE' },
          imageScanFindingsSummary: { findingSeverityCounts: { CRITICAL: 1, HIGH: 2, LOW: 9 } },
        }),
        image('clean', 200, {
          imageScanStatus: { status: 'COMPLETE' },
          imageScanFindingsSummary: { findingSeverityCounts: {} },
        }),
      ],
      80,
      now,
    ),
  );
  assert.deepEqual(lines, [
    'REPOSITORY  TAGS        DIGEST        SIZE     PUSHED      SCAN',
    'shop        v2, latest  0123456789ab  4.8 MiB  3 min ago   1 critical, 2 high',
    'old         v1          0123456789ab  4.8 MiB  90 min ago  failed',
    'clean       -           0123456789ab  4.8 MiB  3 h ago     clean',
  ]);
});

test('a table of findings in 80 columns; what is not known is said', () => {
  const finding = (name: string, severity: 'HIGH' | 'LOW', fixed: string) => ({
    name,
    severity,
    attributes: [
      { key: 'package_name', value: 'a-package-with-a-name-longer-than-most-of-them' },
      { key: 'package_version', value: '3.0.7-1' },
      { key: 'fixed_in_version', value: fixed },
    ],
  });
  const answer = {
    imageScanStatus: {
      status: 'COMPLETE' as const,
      description: 'Not compared, since there are no advisories for: npm.',
    },
    imageScanFindings: {
      findingSeverityCounts: { HIGH: 1, LOW: 30 },
      findings: [
        finding('CVE-2023-0286', 'HIGH', '3.0.8-1'),
        ...Array.from({ length: 30 }, () => finding('CVE-1', 'LOW', '')),
      ],
    },
  };
  const lines = plain(renderScan('shop:v1', answer, 80, false));
  assert.equal(lines[0], 'shop:v1: 1 high, 30 low');
  assert.match(lines[1] ?? '', /no advisories for: npm/);
  assert.match(lines[4] ?? '', /^HIGH +CVE-2023-0286 +a-package-with-.*… +3\.0\.7-1 +3\.0\.8-1$/);
  assert.equal(lines.at(-1), 'and 6 more: --all shows them');
  assert.ok(lines.every((line) => line.length <= 80));
  const failed = renderScan('x', { imageScanStatus: { status: 'FAILED', description: 'why' } }, 80, false);
  assert.match(plain(failed)[0] ?? '', /x could not be scanned: why/);
});
