import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  DescribeImageScanFindingsCommand,
  DescribeImagesCommand,
  type ECRClient,
  StartImageScanCommand,
} from '@aws-sdk/client-ecr';
import { openRig, type Rig, rawRequest, user } from '../rig.testing.ts';
import { gzipLayer, pushImage, type TestEntry } from './images.testing.ts';

const debian: TestEntry = { name: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n' };
const dpkg = (entries: Readonly<Record<string, string>>): TestEntry => ({
  name: 'var/lib/dpkg/status',
  content: Object.entries(entries)
    .map(
      ([name, version]) => `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n`,
    )
    .join('\n'),
});
const npm = (name: string, version: string): TestEntry => ({
  name: `app/node_modules/${name}/package.json`,
  content: JSON.stringify({ name, version }),
});

const advisory = (more: object) => ({ advisory: { cves: [], ranges: [], ...more } });
const statements = [
  advisory({
    ecosystem: 'Debian:12',
    name: 'openssl',
    id: 'CVE-2023-0286',
    cves: ['CVE-2023-0286'],
    authority: true,
    ranges: [{ events: [{ introduced: '0' }, { fixed: '3.0.8-1' }] }],
    severity: 'HIGH',
    description: 'type confusion',
  }),
  advisory({
    ecosystem: 'Debian:12',
    name: 'bash',
    id: 'CVE-2019-9999',
    cves: ['CVE-2019-9999'],
    authority: true,
    ranges: [],
  }),
  advisory({
    ecosystem: 'Debian:12',
    name: 'bash',
    id: 'DEBIAN-CVE-2019-9999',
    cves: ['CVE-2019-9999'],
    ranges: [{ events: [{ introduced: '0' }] }],
    severity: 'CRITICAL',
  }),
  advisory({
    ecosystem: 'npm',
    name: 'lodash',
    id: 'GHSA-35jh-r3h4-6jhm',
    cves: ['CVE-2021-23337'],
    ranges: [{ semver: true, events: [{ introduced: '0' }, { fixed: '4.17.21' }] }],
    scores: [{ version: '3.1', vector: 'CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H', score: 7.2 }],
    modifiedAt: 1_700_000_000_000,
  }),
  { overlay: { kind: 'kev', id: 'CVE-2021-23337', addedOn: '2024-01-02', dueOn: '', ransomware: false } },
  { overlay: { kind: 'epss', id: 'CVE-2021-23337', probability: 0.5, percentile: 0.97 } },
];

async function importAdvisories(rig: Rig, name: string, lines: readonly object[], end = lines.length) {
  const body = [...lines, { end }].map((line) => JSON.stringify(line)).join('\n');
  return rig.send('PUT', `/_longshore/advisories/${name}?format=osv`, {}, body);
}

async function scanned(rig: Rig, repositoryName: string, imageId: object, caller = user('tester')) {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await rig.call('DescribeImageScanFindings', { repositoryName, imageId }, caller).catch((error) => {
      if (error.code === 'ScanNotFoundException') return { imageScanStatus: { status: 'PENDING' } };
      throw error;
    });
    const { status } = answer.imageScanStatus;
    if (status !== 'IN_PROGRESS' && status !== 'PENDING') return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail('the scan did not end within 15 s');
}

describe('scanning', () => {
  let rig: Rig;
  let sdk: ECRClient;
  before(async () => {
    rig = await openRig();
    const { ECRClient } = await import('@aws-sdk/client-ecr');
    sdk = new ECRClient(rig.client);
  });
  after(() => rig.close());

  test('an image that is pushed is scanned: findings with package, version, fix, path and layer, worst first', async () => {
    assert.equal((await importAdvisories(rig, 'all', statements)).status, 200);
    await rig.call('CreateRepository', { repositoryName: 'shop', imageScanningConfiguration: { scanOnPush: true } });
    const { digest, layers } = await pushImage(rig, 'shop', 'v1', [
      await gzipLayer([debian, dpkg({ openssl: '3.0.7-1', bash: '5.2' })]),
      await gzipLayer([npm('lodash', '4.17.20'), npm('express', '4.0.0')]),
    ]);
    await scanned(rig, 'shop', { imageTag: 'v1' });
    const first = await sdk.send(
      new DescribeImageScanFindingsCommand({ repositoryName: 'shop', imageId: { imageTag: 'v1' }, maxResults: 1 }),
    );
    assert.equal(first.imageScanStatus?.status, 'COMPLETE');
    assert.deepEqual(first.imageScanFindings?.findingSeverityCounts, { HIGH: 2 });
    assert.equal(first.imageScanFindings?.vulnerabilitySourceUpdatedAt?.getTime(), 1_700_000_000_000);
    const [lodash] = first.imageScanFindings?.findings ?? [];
    const attributes = Object.fromEntries(lodash?.attributes?.map(({ key, value }) => [key, value]) ?? []);
    assert.equal(lodash?.name, 'CVE-2021-23337');
    assert.deepEqual(
      [attributes.package_name, attributes.package_version, attributes.fixed_in_version, attributes.CVSS3_SCORE],
      ['lodash', '4.17.20', '4.17.21', '7.2'],
    );
    assert.equal(attributes.package_path, 'app/node_modules/lodash/package.json');
    assert.equal(attributes.layer_digest, layers[1]);
    assert.equal(attributes.known_exploited_since, '2024-01-02');
    assert.equal(attributes.epss_percentile, '0.97');
    const second = await sdk.send(
      new DescribeImageScanFindingsCommand({
        repositoryName: 'shop',
        imageId: { imageDigest: digest },
        maxResults: 1,
        nextToken: first.nextToken,
      }),
    );
    const [openssl] = second.imageScanFindings?.findings ?? [];
    // Debian itself says that bash is not affected, whatever others say.
    assert.equal(openssl?.name, 'CVE-2023-0286');
    assert.equal(openssl?.attributes?.find((one) => one.key === 'layer_digest')?.value, layers[0]);
    assert.equal(second.nextToken, undefined);

    const { imageDetails = [] } = await sdk.send(new DescribeImagesCommand({ repositoryName: 'shop' }));
    assert.equal(imageDetails.length, 1);
    assert.equal(imageDetails[0]?.imageScanStatus?.status, 'COMPLETE');
    assert.deepEqual(imageDetails[0]?.imageScanFindingsSummary?.findingSeverityCounts, { HIGH: 2 });
  });

  test('its SBOM is a referrer that lists do not show, and goes with it', async () => {
    const { imageDetails } = await rig.call('DescribeImages', { repositoryName: 'shop' });
    const digest = imageDetails[0].imageDigest;
    const referrers = JSON.parse((await rig.send('GET', `/v2/shop/referrers/${digest}`)).body.toString());
    assert.equal(referrers.manifests[0].artifactType, 'application/vnd.cyclonedx+json');
    const manifest = JSON.parse(
      (await rig.send('GET', `/v2/shop/manifests/${referrers.manifests[0].digest}`)).body.toString(),
    );
    const sbom = JSON.parse((await rig.send('GET', `/v2/shop/blobs/${manifest.layers[0].digest}`)).body.toString());
    assert.equal(sbom.specVersion, '1.6');
    assert.deepEqual(sbom.components.map((one: { purl?: string; name: string }) => one.purl ?? one.name).sort(), [
      'debian',
      'pkg:deb/debian/bash@5.2?arch=amd64&distro=debian-12',
      'pkg:deb/debian/openssl@3.0.7-1?arch=amd64&distro=debian-12',
      'pkg:npm/express@4.0.0',
      'pkg:npm/lodash@4.17.20',
    ]);
    const { imageIds } = await rig.call('ListImages', { repositoryName: 'shop' });
    assert.equal(imageIds.length, 1);
    await rig.call('BatchDeleteImage', { repositoryName: 'shop', imageIds: [{ imageDigest: digest }] });
    await rig.call('DeleteRepository', { repositoryName: 'shop' });
    assert.equal((await rig.store.db.selectFrom('ecr_image_inventory').selectAll().execute()).length, 0);
  });

  test('a scan on demand; a second one within a day is refused, until new advisories come', async () => {
    await rig.call('CreateRepository', { repositoryName: 'demand' });
    await pushImage(rig, 'demand', 'v1', [await gzipLayer([npm('lodash', '4.17.20')])]);
    const imageId = { imageTag: 'v1' };
    await assert.rejects(rig.call('DescribeImageScanFindings', { repositoryName: 'demand', imageId }), {
      code: 'ScanNotFoundException',
    });
    const { imageScanStatus } = await sdk.send(new StartImageScanCommand({ repositoryName: 'demand', imageId }));
    assert.equal(imageScanStatus?.status, 'IN_PROGRESS');
    await scanned(rig, 'demand', imageId);
    await assert.rejects(sdk.send(new StartImageScanCommand({ repositoryName: 'demand', imageId })), {
      name: 'LimitExceededException',
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await importAdvisories(
      rig,
      'all',
      statements.filter((one) => !JSON.stringify(one).includes('lodash')),
    );
    await rig.call('StartImageScan', { repositoryName: 'demand', imageId });
    const { imageScanStatus: again } = await scanned(rig, 'demand', imageId);
    assert.match(again.description, /no advisories for: npm/);
  });

  test('what can’t be scanned says why: nothing in it, no advisories, a bomb, a foreign layer, no image', async () => {
    await importAdvisories(rig, 'all', statements);
    await rig.call('CreateRepository', { repositoryName: 'odd', imageScanningConfiguration: { scanOnPush: true } });
    const reason = async (tag: string) => {
      const { imageScanStatus } = await scanned(rig, 'odd', { imageTag: tag });
      assert.equal(imageScanStatus.status, 'FAILED');
      return imageScanStatus.description;
    };
    await pushImage(rig, 'odd', 'empty', [await gzipLayer([{ name: 'bin/sh', content: 'x', mode: 0o755 }])]);
    assert.match(await reason('empty'), /^UnsupportedImageError/);
    const alpine = { name: 'etc/os-release', content: 'ID=alpine\nVERSION_ID=3.19.1\n' };
    await pushImage(rig, 'odd', 'alpine', [
      await gzipLayer([alpine, { name: 'lib/apk/db/installed', content: 'P:musl\nV:1.2.4-r2\n' }]),
    ]);
    assert.match(await reason('alpine'), /no advisories for Alpine:v3\.19: .*longshore advisories import/);
    await pushImage(rig, 'odd', 'broken', [
      { data: Buffer.from('nonsense'.repeat(200)), mediaType: 'application/vnd.oci.image.layer.v1.tar' },
    ]);
    assert.match(await reason('broken'), /layer sha256:[0-9a-f]{64}: a tar header/);
    await pushImage(rig, 'odd', 'strange', [{ data: Buffer.from('x'), mediaType: 'application/vnd.example.thing' }]);
    assert.match(await reason('strange'), /UnsupportedImageError/);
  });

  test('enhanced scanning: findings in Inspector’s shape, compared anew when advisories come', async () => {
    await importAdvisories(rig, 'all', statements.slice(0, 3));
    await assert.rejects(
      rig.call('PutRegistryScanningConfiguration', {
        scanType: 'BASIC',
        rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [{ filter: '*', filterType: 'WILDCARD' }] }],
      }),
      { code: 'InvalidParameterException' },
    );
    await rig.call('PutRegistryScanningConfiguration', {
      scanType: 'ENHANCED',
      rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [{ filter: 'live/*', filterType: 'WILDCARD' }] }],
    });
    try {
      await rig.call('CreateRepository', { repositoryName: 'live/one' });
      const { scanningConfigurations, failures } = await rig.call('BatchGetRepositoryScanningConfiguration', {
        repositoryNames: ['live/one', 'demand', 'none'],
      });
      assert.deepEqual(
        scanningConfigurations.map((one: { scanFrequency: string }) => one.scanFrequency),
        ['CONTINUOUS_SCAN', 'MANUAL'],
      );
      assert.equal(failures[0].failureCode, 'REPOSITORY_NOT_FOUND');
      await pushImage(rig, 'live/one', 'v1', [
        await gzipLayer([debian, dpkg({ openssl: '3.0.7-1' }), npm('lodash', '4.17.20')]),
      ]);
      const imageId = { imageTag: 'v1' };
      const before = await scanned(rig, 'live/one', imageId);
      assert.equal(before.imageScanStatus.status, 'ACTIVE');
      const [openssl] = before.imageScanFindings.enhancedFindings;
      assert.equal(openssl.type, 'PACKAGE_VULNERABILITY');
      assert.deepEqual(openssl.packageVulnerabilityDetails.vulnerablePackages[0].fixedInVersion, '3.0.8-1');
      assert.equal(openssl.resources[0].details.awsEcrContainerImage.platform, 'DEBIAN_12');
      await assert.rejects(rig.call('StartImageScan', { repositoryName: 'live/one', imageId }), {
        code: 'ValidationException',
      });
      await importAdvisories(rig, 'all', statements);
      for (let tries = 0; ; tries++) {
        const { imageScanFindings } = await rig.call('DescribeImageScanFindings', {
          repositoryName: 'live/one',
          imageId,
        });
        if (imageScanFindings.enhancedFindings.length === 2) break;
        assert.ok(tries < 200, 'not compared anew within 10 s');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      await rig.call('PutRegistryScanningConfiguration', { scanType: 'BASIC', rules: [] });
    }
  });

  test('advisories: a source is replaced as a whole or not at all; nobody may who was not let in', async () => {
    const documents = async () =>
      (await rig.store.db.selectFrom('ecr_advisory').select('document').where('source', '=', 'one').execute()).length;
    assert.equal((await importAdvisories(rig, 'one', statements)).status, 200);
    assert.equal((await importAdvisories(rig, 'one', statements)).status, 200);
    assert.equal(await documents(), 4);
    const cutOff = await importAdvisories(rig, 'one', statements.slice(0, 1), 7);
    assert.equal(cutOff.status, 400);
    assert.match(cutOff.body.toString(), /cut off after 1 statements; nothing was changed/);
    assert.equal((await rig.send('PUT', '/_longshore/advisories/one?format=osv', {}, 'nonsense')).status, 400);
    assert.equal(await documents(), 4);
    const stranger = await rawRequest({ port: rig.port, method: 'GET', path: '/_longshore/advisories' });
    assert.equal(stranger.status, 401);
    assert.equal((await rig.send('DELETE', '/_longshore/advisories/one')).status, 200);
    assert.equal(await documents(), 0);
  });
});

test('a scan that was under way when the process ended is begun again', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'longshore-ecr-'));
  try {
    const first = await openRig({ dataDir });
    await importAdvisories(first, 'all', statements);
    await first.call('CreateRepository', { repositoryName: 'kept' });
    const { digest } = await pushImage(first, 'kept', 'v1', [await gzipLayer([npm('lodash', '4.17.20')])]);
    await first.close();
    const crashed = await openRig({ dataDir });
    await crashed.store.transaction(async (tx) => {
      await tx.db
        .insertInto('ecr_image_scan')
        .values({
          repository: 'kept',
          digest,
          status: 'IN_PROGRESS',
          description: null,
          requested_at: 1,
          completed_at: null,
          advisories_at: null,
          counts: null,
          run: null,
          attempts: 1,
        })
        .execute();
    });
    await crashed.close();
    const second = await openRig({ dataDir });
    try {
      const { imageScanStatus } = await scanned(second, 'kept', { imageTag: 'v1' });
      assert.equal(imageScanStatus.status, 'COMPLETE');
    } finally {
      await second.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('an external scanner is given the image as an OCI layout, and its report counts (a stand-in plays the scanner)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-external-'));
  const program = join(folder, 'stand-in.mjs');
  writeFileSync(
    program,
    `// Stands in for Trivy: says what it was given, in the shape of Trivy's report.
import { readFileSync } from 'node:fs';
const layout = process.argv[2];
const index = JSON.parse(readFileSync(layout + '/index.json'));
const manifest = JSON.parse(readFileSync(layout + '/blobs/' + index.manifests[0].digest.replace(':', '/')));
const layer = manifest.layers[0];
readFileSync(layout + '/blobs/' + layer.digest.replace(':', '/'));
console.log(JSON.stringify({ SchemaVersion: 2, Results: [{ Target: 'app', Type: 'npm', Vulnerabilities: [{
  VulnerabilityID: 'CVE-2020-0001', PkgName: 'stand-in', InstalledVersion: '1.0', FixedVersion: '1.1', Severity: 'CRITICAL',
  Layer: { Digest: layer.digest }, CVSS: { nvd: { V3Vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' } } }] }] }));
`,
  );
  const leftBefore = readdirSync(tmpdir()).filter((name) => name.startsWith('longshore-scan-'));
  const rig = await openRig({ scanner: [process.execPath, program, '{layout}'] });
  try {
    await rig.call('CreateRepository', { repositoryName: 'ext', imageScanningConfiguration: { scanOnPush: true } });
    const { layers } = await pushImage(rig, 'ext', 'v1', [await gzipLayer([npm('lodash', '4.17.20')])]);
    const { imageScanFindings } = await scanned(rig, 'ext', { imageTag: 'v1' });
    const [finding] = imageScanFindings.findings;
    const attributes = Object.fromEntries(
      finding.attributes.map(({ key, value }: { key: string; value: string }) => [key, value]),
    );
    assert.equal(finding.severity, 'CRITICAL');
    assert.deepEqual(
      [attributes.package_name, attributes.layer_digest, attributes.CVSS3_SCORE],
      ['stand-in', layers[0], '9.8'],
    );
    const leftAfter = readdirSync(tmpdir()).filter((name) => name.startsWith('longshore-scan-'));
    assert.deepEqual(
      leftAfter.filter((name) => !leftBefore.includes(name)),
      [],
    );
  } finally {
    await rig.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a real system: what dpkg installed on this machine, found in an image of it', {
  skip: !existsSync('/var/lib/dpkg/status'),
}, async () => {
  const rig = await openRig();
  try {
    await rig.call('CreateRepository', { repositoryName: 'debian', imageScanningConfiguration: { scanOnPush: true } });
    await importAdvisories(rig, 'debian', [
      advisory({
        ecosystem: 'Debian:12',
        name: 'dpkg',
        id: 'CVE-2099-0001',
        cves: ['CVE-2099-0001'],
        ranges: [{ events: [{ introduced: '0' }] }],
      }),
    ]);
    const status = readFileSync('/var/lib/dpkg/status');
    await pushImage(rig, 'debian', 'v1', [await gzipLayer([debian, { name: 'var/lib/dpkg/status', content: status }])]);
    const { imageScanFindings } = await scanned(rig, 'debian', { imageTag: 'v1' });
    assert.equal(imageScanFindings.findings[0].name, 'CVE-2099-0001');
    const { document } = await rig.store.db
      .selectFrom('ecr_image_inventory')
      .select('document')
      .executeTakeFirstOrThrow();
    const installed = status.toString().match(/^Status: .* installed$/gm)?.length;
    assert.equal(JSON.parse(document).packages.length, installed);
  } finally {
    await rig.close();
  }
});
