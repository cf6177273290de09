import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import {
  CreateRepositoryCommand,
  CreateRepositoryCreationTemplateCommand,
  DescribeImageReplicationStatusCommand,
  DescribeRegistryCommand,
  DescribeRepositoriesCommand,
  ECRClient,
  PutReplicationConfigurationCommand,
} from '@aws-sdk/client-ecr';
import { type Clock, systemClock } from '../../../base/clock.ts';
import { eventually } from '../../../base/eventually.testing.ts';
import { testCredentials } from '../../../wire/server.testing.ts';
import type { EmittedEvent } from '../../events/contract.ts';
import { openRig, pushImageBlobs, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';
import { destinationsPath } from './destinations.ts';
import { destinationsOf } from './queue.ts';

// Retries wait seconds; here they come at once.
const hasty: Clock = { ...systemClock, after: (ms, work) => systemClock.after(Math.min(ms, 20), work) };
const events: EmittedEvent[] = [];
const there = { region: 'eu-west-1', registryId: '444455556666' };
let here: Rig;
let elsewhere: Rig;
let ecr: ECRClient;

before(async () => {
  here = await openRig({
    clock: { ...hasty, now: () => Date.now() },
    neighbours: {
      events: {
        async emit(_tx, event) {
          events.push(event);
        },
      },
    },
  });
  elsewhere = await openRig();
  ecr = new ECRClient(here.client);
});
after(async () => {
  ecr.destroy();
  await here.close();
  await elsewhere.close();
});

const configure = (endpoint: string) =>
  writeFile(
    destinationsPath(here.dataDir),
    JSON.stringify({ [`${there.region}/${there.registryId}`]: { endpoint, ...testCredentials } }),
  );
const put = (filter?: string) =>
  ecr.send(
    new PutReplicationConfigurationCommand({
      replicationConfiguration: {
        rules: [
          {
            destinations: [there],
            ...(filter ? { repositoryFilters: [{ filter, filterType: 'PREFIX_MATCH' as const }] } : {}),
          },
        ],
      },
    }),
  );
const statusOf = async (repositoryName: string, imageTag: string) => {
  const answer = await ecr.send(new DescribeImageReplicationStatusCommand({ repositoryName, imageId: { imageTag } }));
  return answer.replicationStatuses?.[0];
};
test('rules say by prefix where images go, each destination once', () => {
  const rule = (registryId: string, filter?: string) => ({
    destinations: [{ region: 'r', registryId }],
    ...(filter ? { repositoryFilters: [{ filter, filterType: 'PREFIX_MATCH' as const }] } : {}),
  });
  const rules = [rule('1', 'prod'), rule('2'), rule('1', 'prod/web')];
  const to = (name: string) => destinationsOf({ rules }, name).map((each) => each.registryId);
  assert.deepEqual([to('prod/web'), to('dev')], [['1', '2'], ['2']]);
});

test('a destination must be known', async () => {
  await assert.rejects(put(), { name: 'InvalidParameterException', message: /replication\.json must say where/ });
  const own = { region: 'eu-west-1', registryId: '111122223333' };
  await assert.rejects(
    ecr.send(
      new PutReplicationConfigurationCommand({ replicationConfiguration: { rules: [{ destinations: [own] }] } }),
    ),
    { name: 'InvalidParameterException', message: /itself/ },
  );
  assert.deepEqual((await ecr.send(new DescribeRegistryCommand({}))).replicationConfiguration, { rules: [] });
});

test('pushed images, and indexes with theirs, are copied to another Longshore, by its template', async () => {
  const other = new ECRClient(elsewhere.client);
  await other.send(
    new CreateRepositoryCreationTemplateCommand({
      prefix: 'prod',
      appliedFor: ['REPLICATION'],
      imageTagMutability: 'IMMUTABLE',
    }),
  );
  await configure(elsewhere.endpoint);
  await put('prod');
  const { rules } = (await ecr.send(new DescribeRegistryCommand({}))).replicationConfiguration ?? {};
  assert.equal(rules?.length, 1);
  for (const repositoryName of ['prod/app', 'dev/app']) await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  const text = await pushImageBlobs(here, 'prod/app');
  assert.equal((await putManifestText(here, 'prod/app', sha256(text), text)).status, 201);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ mediaType: mediaTypes.ociManifest, digest: sha256(text), size: text.length }],
  });
  assert.equal((await putManifestText(here, 'prod/app', 'v1', index, mediaTypes.ociIndex)).status, 201);
  const unsent = await pushImageBlobs(here, 'dev/app');
  await putManifestText(here, 'dev/app', 'v1', unsent);
  await eventually(
    'the copy is complete',
    async () => (await statusOf('prod/app', 'v1'))?.status === 'COMPLETE',
    20_000,
  );
  assert.equal((await elsewhere.send('GET', '/v2/prod/app/manifests/v1')).body.toString(), index);
  assert.equal((await elsewhere.send('GET', `/v2/prod/app/manifests/${sha256(text)}`)).body.toString(), text);
  for (const { digest } of [JSON.parse(text).config, ...JSON.parse(text).layers])
    assert.equal(sha256((await elsewhere.send('GET', `/v2/prod/app/blobs/${digest}`)).body), digest);
  const { repositories } = await other.send(new DescribeRepositoriesCommand({}));
  assert.deepEqual(
    repositories?.map((each) => [each.repositoryName, each.imageTagMutability]),
    [['prod/app', 'IMMUTABLE']],
  );
  assert.equal(await statusOf('dev/app', 'v1'), undefined);
  const told = events.find((event) => event.detailType === 'ECR Replication Action');
  assert.deepEqual(told?.resources, [`arn:aws:ecr:eu-west-1:${there.registryId}:repository/prod/app`]);
  other.destroy();
});

test('a destination that is away is tried again, at most five times, then the copy has failed', async () => {
  await configure('http://127.0.0.1:9');
  const text = await pushImageBlobs(here, 'prod/app');
  assert.equal((await putManifestText(here, 'prod/app', 'away', text)).status, 201);
  const rows = () => here.store.db.selectFrom('ecr_replication').selectAll().where('tag', '=', 'away').execute();
  await eventually('the first try', async () => ((await rows())[0]?.attempts ?? 0) >= 1, 20_000);
  for (let attempt = 1; attempt < 5; attempt++) {
    await here.store.transaction(async (tx) => {
      await tx.db.updateTable('ecr_replication').set({ due_at: 0 }).where('status', '=', 'IN_PROGRESS').execute();
      tx.changed('ecr.replication', 'prod/app');
    });
    await eventually(`try ${attempt + 1}`, async () => ((await rows())[0]?.attempts ?? 0) > attempt, 20_000);
  }
  const status = await statusOf('prod/app', 'away');
  assert.deepEqual([status?.status, status?.failureCode], ['FAILED', 'DestinationUnavailable']);
});
