import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { awsClient } from '../../longshore/src/cli/aws-client.ts';
import { readConnection } from '../../longshore/src/cli/data-dir.ts';
import { Longshore } from '../../longshore/test/e2e/longshore.ts';
import { buildSuite, runSuite } from '../src/oci.ts';

/** What the specification's four workflow categories come to in the suite's own report. */
const categories = {
  Pull: ['Blob get', 'Blob get range', 'Blob head', 'Manifest get by digest', 'Manifest get by tag'],
  Push: [
    'Blob push',
    'Blob post only',
    'Blob post put',
    'Blob chunked',
    'Blob streaming',
    'Blob mount',
    'Blob anonymous mount',
    'Manifest put by digest',
    'Manifest put by tag',
    'Manifest put with subject',
  ],
  'Content discovery': ['Tag listing', 'Referrers'],
  'Content management': ['Tag delete', 'Manifest delete', 'Blob delete', 'Blob delete atomic'],
};

test('the OCI distribution conformance suite passes wholly, at 1.1 and at what comes after it', {
  timeout: 540_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-oci-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const built = await buildSuite(folder);
  if ('missing' in built) return t.skip(built.missing);

  const longshore = await Longshore.create('--runtime', 'simulated');
  t.after(() => longshore.destroy());
  await longshore.up();
  const client = awsClient(readConnection(longshore.dataDir));
  const { authorizationData } = await client.call<{ authorizationData: readonly { authorizationToken: string }[] }>(
    'ecr',
    'GetAuthorizationToken',
  );
  const [username = '', password = ''] = Buffer.from(authorizationData[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .split(':');

  for (const version of ['1.1', 'dev'] as const) {
    await t.test(`distribution specification ${version}`, async (t) => {
      const name = version.replace('.', '-');
      const repositories = [`conformance-${name}/one`, `conformance-${name}/two`] as const;
      for (const repositoryName of repositories) await client.call('ecr', 'CreateRepository', { repositoryName });
      const results = join(folder, name);
      mkdirSync(results);
      const registry = `127.0.0.1:${longshore.port}`;
      const began = Date.now();
      const { counts, parts, output } = await runSuite(built.program, {
        registry,
        username,
        password,
        repositories,
        version,
        results,
      });
      const counted = counts.Total - counts.Disabled;
      t.diagnostic(
        `OCI ${version}: ${counts.Pass} of ${counted} passed (${((counts.Pass / counted) * 100).toFixed(1)} %), ` +
          `${counts.Disabled} not of this version, in ${((Date.now() - began) / 1000).toFixed(1)} s`,
      );
      for (const [category, names] of Object.entries(categories)) {
        const outcomes = names.map((part) => `${part}: ${parts.get(part) ?? 'missing'}`);
        t.diagnostic(`  ${category}: ${outcomes.filter((text) => text.endsWith(': Pass')).length} of ${names.length}`);
        assert.deepEqual(
          outcomes,
          names.map((part) => `${part}: Pass`),
        );
      }
      assert.ok(counted >= 860, `the suite counted only ${counted} tests`);
      assert.equal(counts.Pass, counted, output.slice(-6000));
    });
  }
});
