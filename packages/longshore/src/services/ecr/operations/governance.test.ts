import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  CreateRepositoryCommand,
  DeleteLifecyclePolicyCommand,
  DeleteRepositoryCommand,
  DeregisterPullTimeUpdateExclusionCommand,
  DescribeImageSigningStatusCommand,
  DescribeImagesCommand,
  ECRClient,
  GetAccountSettingCommand,
  GetLifecyclePolicyCommand,
  GetLifecyclePolicyPreviewCommand,
  GetSigningConfigurationCommand,
  ListImageReferrersCommand,
  ListImagesCommand,
  ListPullTimeUpdateExclusionsCommand,
  PutAccountSettingCommand,
  PutLifecyclePolicyCommand,
  PutSigningConfigurationCommand,
  RegisterPullTimeUpdateExclusionCommand,
  StartLifecyclePolicyPreviewCommand,
  UpdateImageStorageClassCommand,
} from '@aws-sdk/client-ecr';
import { type Clock, systemClock } from '../../../base/clock.ts';
import { eventually } from '../../../base/eventually.testing.ts';
import type { EmittedEvent } from '../../events/contract.ts';
import { openRig, pushImageBlobs, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';

const day = 24 * 3_600_000;
let rig: Rig;
let ecr: ECRClient;
let now = Date.now();
let used: readonly string[] = [];
const events: EmittedEvent[] = [];
const timers: { at: number; run: () => void }[] = [];
const clock: Clock = {
  ...systemClock,
  now: () => now,
  after(ms, run) {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => timers.splice(timers.indexOf(timer), 1);
  },
};

before(async () => {
  rig = await openRig({
    clock,
    neighbours: {
      imagesInUse: async () => used,
      events: {
        async emit(_tx, event) {
          events.push(event);
        },
      },
    },
  });
  ecr = new ECRClient(rig.client);
});
after(async () => {
  ecr.destroy();
  await rig.close();
});

/** Lets time pass, and the loops that wait for it run. Requests must be signed by true time. */
async function pass(milliseconds: number): Promise<void> {
  now += milliseconds;
  for (const timer of timers.filter((each) => each.at <= now)) {
    timers.splice(timers.indexOf(timer), 1);
    timer.run();
  }
}
const make = (repositoryName: string) => ecr.send(new CreateRepositoryCommand({ repositoryName }));
async function push(repository: string, reference: string, more: object = {}): Promise<string> {
  const text = await pushImageBlobs(rig, repository, more);
  const reply = await putManifestText(rig, repository, reference === '' ? sha256(text) : reference, text);
  assert.equal(reply.status, 201, reply.body.toString());
  return sha256(text);
}
const digestsOf = async (repository: string) => {
  const rows = await rig.store.db
    .selectFrom('ecr_manifest')
    .select('digest')
    .where('repository', '=', repository)
    .execute();
  return rows.map((row) => row.digest).sort();
};
const expireUntagged = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      description: 'untagged images go after a day',
      selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 },
      action: { type: 'expire' },
    },
    {
      rulePriority: 2,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 2 },
      action: { type: 'expire' },
    },
  ],
});

test('a lifecycle policy is previewed, then applied by the clock; what tasks use stays', async () => {
  const repositoryName = 'life';
  await make(repositoryName);
  const old = await push(repositoryName, '');
  const running = await push(repositoryName, '');
  const signature = await push(repositoryName, '', {
    subject: { mediaType: mediaTypes.ociManifest, digest: old, size: 1 },
    artifactType: 'application/vnd.cncf.notary.signature',
  });
  const tagged: string[] = [];
  for (const tag of ['v1', 'v2', 'v3']) {
    tagged.push(await push(repositoryName, tag));
    now += 1000;
  }
  used = [`localhost:1/${repositoryName}@${running}`];
  await assert.rejects(ecr.send(new GetLifecyclePolicyCommand({ repositoryName })), {
    name: 'LifecyclePolicyNotFoundException',
  });
  await assert.rejects(
    ecr.send(
      new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: expireUntagged.replace('days', 'weeks') }),
    ),
    { name: 'InvalidParameterException', message: /Lifecycle policy validation failure: .*countUnit/ },
  );
  await ecr.send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: expireUntagged }));
  const own = await ecr.send(new GetLifecyclePolicyCommand({ repositoryName }));
  assert.equal(own.lifecyclePolicyText, expireUntagged);

  now += day + 1000;
  await rig.store.transaction(async () => {});
  const preview = await rig.call('StartLifecyclePolicyPreview', { repositoryName });
  assert.equal(preview.status, 'IN_PROGRESS');
  const shown = await rig.call('GetLifecyclePolicyPreview', { repositoryName });
  assert.equal(shown.status, 'COMPLETE');
  assert.deepEqual(
    shown.previewResults
      .map((each: { imageDigest: string; appliedRulePriority: number }) => [each.imageDigest, each.appliedRulePriority])
      .sort(),
    [
      [old, 1],
      [signature, 1],
      [tagged[0], 2],
    ].sort(),
  );
  assert.equal(shown.summary.expiringImageTotalCount, 3);
  const onlyTagged = await rig.call('GetLifecyclePolicyPreview', { repositoryName, filter: { tagStatus: 'TAGGED' } });
  assert.equal(onlyTagged.previewResults.length, 1);

  events.length = 0;
  await pass(0);
  const left = [running, tagged[1], tagged[2]].sort();
  await eventually('images go', async () => (await digestsOf(repositoryName)).length === 3, 20_000);
  assert.deepEqual(await digestsOf(repositoryName), left);
  const deletes = events.filter((event) => (event.detail as Record<string, string>)['action-type'] === 'DELETE');
  assert.deepEqual(deletes.map((event) => (event.detail as Record<string, string>)['image-tag']).sort(), [
    'v1',
    undefined,
    undefined,
  ]);
  await pass(2 * 3_600_000);
  used = [];
  await pass(2 * 3_600_000);
  await eventually('images go', async () => (await digestsOf(repositoryName)).length === 2, 20_000);
  now = Date.now();
  assert.ok((await ecr.send(new GetLifecyclePolicyCommand({ repositoryName }))).lastEvaluatedAt);
  await ecr.send(new DeleteLifecyclePolicyCommand({ repositoryName }));
  await assert.rejects(ecr.send(new GetLifecyclePolicyCommand({ repositoryName })), {
    name: 'LifecyclePolicyNotFoundException',
  });
});

test('previews: of a given policy, by pages, and none', async () => {
  const repositoryName = 'preview';
  await make(repositoryName);
  await assert.rejects(ecr.send(new StartLifecyclePolicyPreviewCommand({ repositoryName })), {
    name: 'LifecyclePolicyNotFoundException',
  });
  await assert.rejects(ecr.send(new GetLifecyclePolicyPreviewCommand({ repositoryName })), {
    name: 'LifecyclePolicyPreviewNotFoundException',
  });
  for (const tag of ['a', 'b', 'c', 'd', 'e']) await push(repositoryName, tag);
  await ecr.send(new StartLifecyclePolicyPreviewCommand({ repositoryName, lifecyclePolicyText: expireUntagged }));
  const first = await ecr.send(new GetLifecyclePolicyPreviewCommand({ repositoryName, maxResults: 2 }));
  const second = await ecr.send(
    new GetLifecyclePolicyPreviewCommand({ repositoryName, maxResults: 2, nextToken: first.nextToken }),
  );
  assert.deepEqual([first.previewResults?.length, second.previewResults?.length, second.nextToken], [2, 1, undefined]);
  assert.equal((await digestsOf(repositoryName)).length, 5, 'a preview removes nothing');
});

test('an archived image can not be pulled until it is restored', async () => {
  const repositoryName = 'attic';
  await make(repositoryName);
  const digest = await push(repositoryName, 'v1');
  const imageId = { imageTag: 'v1' };
  const move = (targetStorageClass: 'ARCHIVE' | 'STANDARD') =>
    ecr.send(new UpdateImageStorageClassCommand({ repositoryName, imageId, targetStorageClass }));
  assert.equal((await move('ARCHIVE')).imageStatus, 'ARCHIVED');
  await assert.rejects(move('ARCHIVE'), { name: 'ImageStorageClassUpdateNotSupportedException' });
  for (const method of ['GET', 'HEAD'])
    assert.equal((await rig.send(method, `/v2/${repositoryName}/manifests/v1`)).status, 404);
  const got = await ecr.send(new BatchGetImageCommand({ repositoryName, imageIds: [imageId] }));
  assert.equal(got.failures?.[0]?.failureCode, 'ImageInaccessible');
  assert.deepEqual((await ecr.send(new ListImagesCommand({ repositoryName }))).imageIds, []);
  const archived = await ecr.send(new DescribeImagesCommand({ repositoryName, filter: { imageStatus: 'ARCHIVED' } }));
  assert.equal(archived.imageDetails?.[0]?.imageDigest, digest);
  assert.ok(archived.imageDetails?.[0]?.lastArchivedAt instanceof Date);
  assert.equal((await move('STANDARD')).imageStatus, 'ACTIVE');
  assert.equal((await rig.send('GET', `/v2/${repositoryName}/manifests/v1`)).status, 200);
});

test('referrers are listed by type, and tell whether an image is signed', async () => {
  const repositoryName = 'signed';
  await make(repositoryName);
  const digest = await push(repositoryName, 'v1');
  const signingProfileArn = 'arn:aws:signer:eu-west-1:111122223333:/signing-profiles/Release';
  await assert.rejects(ecr.send(new GetSigningConfigurationCommand({})), {
    name: 'SigningConfigurationNotFoundException',
  });
  const repositoryFilters = [{ filter: 'sig*', filterType: 'WILDCARD_MATCH' as const }];
  await ecr.send(
    new PutSigningConfigurationCommand({ signingConfiguration: { rules: [{ signingProfileArn, repositoryFilters }] } }),
  );
  const status = async () => {
    const answer = await ecr.send(
      new DescribeImageSigningStatusCommand({ repositoryName, imageId: { imageTag: 'v1' } }),
    );
    return answer.signingStatuses?.map((each) => `${each.signingProfileArn} ${each.status}`);
  };
  assert.deepEqual(await status(), [`${signingProfileArn} FAILED`]);
  const artifactType = 'application/vnd.cncf.notary.signature';
  const signature = await push(repositoryName, '', {
    subject: { mediaType: mediaTypes.ociManifest, digest, size: 1 },
    artifactType,
  });
  assert.deepEqual(await status(), [`${signingProfileArn} COMPLETE`]);
  const list = (artifactTypes?: string[]) =>
    ecr.send(
      new ListImageReferrersCommand({
        repositoryName,
        subjectId: { imageDigest: digest },
        ...(artifactTypes ? { filter: { artifactTypes } } : {}),
      }),
    );
  const { referrers } = await list([artifactType]);
  assert.deepEqual(
    referrers?.map((each) => [each.digest, each.artifactType]),
    [[signature, artifactType]],
  );
  assert.deepEqual((await list(['application/spdx+json'])).referrers, []);
});

test('pushes and deletes are told to EventBridge', async () => {
  const repositoryName = 'told';
  await make(repositoryName);
  events.length = 0;
  const digest = await push(repositoryName, 'v1');
  await ecr.send(new BatchDeleteImageCommand({ repositoryName, imageIds: [{ imageTag: 'v1' }] }));
  const [pushed, deleted] = events;
  assert.deepEqual([events.length, pushed?.source, pushed?.detailType], [2, 'aws.ecr', 'ECR Image Action']);
  assert.deepEqual(pushed?.detail, {
    result: 'SUCCESS',
    'repository-name': repositoryName,
    'image-digest': digest,
    'action-type': 'PUSH',
    'image-tag': 'v1',
    'manifest-media-type': mediaTypes.ociManifest,
    'artifact-media-type': 'application/vnd.oci.image.config.v1+json',
  });
  assert.ok(deleted);
  assert.equal((deleted.detail as Record<string, string>)['action-type'], 'DELETE');
  await ecr.send(new DeleteRepositoryCommand({ repositoryName, force: true }));
});

test('settings, and principals whose pulls do not count', async () => {
  const setting = async (name: string) => (await ecr.send(new GetAccountSettingCommand({ name }))).value;
  assert.equal(await setting('REGISTRY_POLICY_SCOPE'), 'V2');
  await assert.rejects(setting('NONE'), { name: 'InvalidParameterException' });
  await assert.rejects(ecr.send(new PutAccountSettingCommand({ name: 'BLOB_MOUNTING', value: 'MAYBE' })), {
    name: 'InvalidParameterException',
  });
  for (const repositoryName of ['from', 'into']) await make(repositoryName);
  const { config } = JSON.parse(await pushImageBlobs(rig, 'from'));
  const mount = () => rig.send('POST', `/v2/into/blobs/uploads/?mount=${config.digest}&from=from`);
  await ecr.send(new PutAccountSettingCommand({ name: 'BLOB_MOUNTING', value: 'DISABLED' }));
  assert.equal(await setting('BLOB_MOUNTING'), 'DISABLED');
  assert.equal((await mount()).status, 202, 'falls back to an upload');
  await ecr.send(new PutAccountSettingCommand({ name: 'BLOB_MOUNTING', value: 'ENABLED' }));
  assert.equal((await mount()).status, 201);

  const principalArn = 'arn:aws:iam::111122223333:user/tester';
  await ecr.send(new RegisterPullTimeUpdateExclusionCommand({ principalArn }));
  await assert.rejects(ecr.send(new RegisterPullTimeUpdateExclusionCommand({ principalArn })), {
    name: 'ExclusionAlreadyExistsException',
  });
  const listed = await ecr.send(new ListPullTimeUpdateExclusionsCommand({}));
  assert.deepEqual(listed.pullTimeUpdateExclusions, [principalArn]);
  await push('from', 'v1');
  const pulledAt = async () => {
    await rig.send('GET', '/v2/from/manifests/v1');
    const { imageDetails } = await ecr.send(new DescribeImagesCommand({ repositoryName: 'from' }));
    return imageDetails?.[0]?.lastRecordedPullTime;
  };
  assert.equal(await pulledAt(), undefined);
  await ecr.send(new DeregisterPullTimeUpdateExclusionCommand({ principalArn }));
  await assert.rejects(ecr.send(new DeregisterPullTimeUpdateExclusionCommand({ principalArn })), {
    name: 'ExclusionNotFoundException',
  });
  assert.ok(await pulledAt());
});
