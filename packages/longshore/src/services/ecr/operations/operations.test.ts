import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Fault } from '../../../wire/fault.ts';
import { openRig, pushBlob, pushImageBlobs, putManifestText, type Rig, rawRequest, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';

let rig: Rig;
before(async () => {
  rig = await openRig();
});
after(() => rig.close());

const repository = async (repositoryName: string, more: object = {}) =>
  (await rig.call('CreateRepository', { repositoryName, ...more })).repository;

function refused(promise: Promise<unknown>, code: string, words: RegExp | string = /./) {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.code, code);
    if (typeof words === 'string') assert.equal(error.message, words);
    else assert.match(error.message, words);
    return true;
  });
}

test('a repository is made, described, and deleted', async () => {
  const made = await repository('team/app', { tags: [{ Key: 'stage', Value: 'dev' }] });
  assert.equal(made.repositoryArn, 'arn:aws:ecr:eu-west-1:111122223333:repository/team/app');
  assert.equal(made.repositoryUri, `localhost:${rig.port}/team/app`);
  assert.equal(made.imageTagMutability, 'MUTABLE');
  assert.deepEqual(made.encryptionConfiguration, { encryptionType: 'AES256' });
  assert.ok(made.createdAt instanceof Date);
  await refused(
    repository('team/app'),
    'RepositoryAlreadyExistsException',
    "The repository with name 'team/app' already exists in the registry with id '111122223333'",
  );
  assert.deepEqual((await rig.call('DescribeRepositories', { repositoryNames: ['team/app'] })).repositories, [made]);
  await rig.call('DeleteRepository', { repositoryName: 'team/app' });
  await refused(
    rig.call('DescribeRepositories', { repositoryNames: ['team/app'] }),
    'RepositoryNotFoundException',
    "The repository with name 'team/app' does not exist in the registry with id '111122223333'",
  );
  await refused(rig.call('DeleteRepository', { repositoryName: 'team/app' }), 'RepositoryNotFoundException');
});

test('bad input to CreateRepository', async () => {
  for (const name of ['../etc', 'A', 'a', '', 'a'.repeat(257), 'a//b'])
    await refused(repository(name), 'InvalidParameterException', /repositoryName/);
  await refused(repository('other-account', { registryId: '999999999999' }), 'InvalidParameterException');
  await refused(repository('kms', { encryptionConfiguration: { encryptionType: 'KMS' } }), 'NotImplementedException');
  await refused(repository('half', { imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' }), 'InvalidParameterException');
  await refused(repository('tags', { tags: [{ Key: 'aws:x', Value: '' }] }), 'InvalidTagParameterException');
  const tags = Array.from({ length: 51 }, (_, n) => ({ Key: `k${n}`, Value: '' }));
  await refused(repository('tags', { tags }), 'TooManyTagsException');
});

test('repositories come in pages', async () => {
  for (const name of ['page/a', 'page/b', 'page/c']) await repository(name);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await rig.call('DescribeRepositories', { maxResults: 2, ...(nextToken ? { nextToken } : {}) });
    assert.ok(page.repositories.length <= 2);
    seen.push(...page.repositories.map((found: { repositoryName: string }) => found.repositoryName));
    nextToken = page.nextToken;
  } while (nextToken);
  assert.deepEqual(seen, [...new Set(seen)].sort());
  assert.ok(['page/a', 'page/b', 'page/c'].every((name) => seen.includes(name)));
  await refused(rig.call('DescribeRepositories', { nextToken: 'bogus' }), 'InvalidParameterException', /nextToken/);
});

test('images are listed, described, fetched and deleted', async () => {
  await repository('images');
  const text = await pushImageBlobs(rig, 'images');
  const digest = sha256(text);
  await putManifestText(rig, 'images', 'v1', text);
  await putManifestText(rig, 'images', 'v2', text);
  const bare = await pushImageBlobs(rig, 'images');
  await putManifestText(rig, 'images', sha256(bare), bare);
  const name = { repositoryName: 'images' };

  const { imageIds } = await rig.call('ListImages', name);
  assert.deepEqual(
    new Set(imageIds.map((id: { imageDigest: string; imageTag?: string }) => `${id.imageDigest} ${id.imageTag}`)),
    new Set([`${digest} v1`, `${digest} v2`, `${sha256(bare)} undefined`]),
  );
  const untagged = await rig.call('ListImages', { ...name, filter: { tagStatus: 'UNTAGGED' } });
  assert.deepEqual(untagged.imageIds, [{ imageDigest: sha256(bare) }]);
  let pages = 0;
  for (let nextToken: string | undefined, first = true; first || nextToken; first = false, pages += 1)
    ({ nextToken } = await rig.call('ListImages', { ...name, maxResults: 1, ...(nextToken ? { nextToken } : {}) }));
  assert.equal(pages, 3);

  const { imageDetails } = await rig.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'v2' }] });
  const [detail] = imageDetails;
  assert.deepEqual(detail.imageTags, ['v1', 'v2']);
  assert.equal(detail.imageManifestMediaType, mediaTypes.ociManifest);
  assert.equal(detail.imageSizeInBytes, JSON.parse(text).config.size + 1000);
  const tagged = await rig.call('DescribeImages', { ...name, filter: { tagStatus: 'TAGGED' } });
  assert.deepEqual(
    tagged.imageDetails.map((image: { imageDigest: string }) => image.imageDigest),
    [digest],
  );
  await refused(
    rig.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'nope' }] }),
    'ImageNotFoundException',
    "The image with imageId {imageDigest:'null', imageTag:'nope'} does not exist within the repository with name 'images' in the registry with id '111122223333'",
  );

  const got = await rig.call('BatchGetImage', { ...name, imageIds: [{ imageTag: 'v1' }, { imageTag: 'nope' }, {}] });
  assert.equal(got.images[0].imageManifest, text);
  assert.deepEqual(
    got.failures.map((failure: { failureCode: string }) => failure.failureCode),
    ['ImageNotFound', 'MissingDigestAndTag'],
  );
  const [pulled] = (await rig.call('DescribeImages', { ...name, imageIds: [{ imageTag: 'v1' }] })).imageDetails;
  assert.ok(pulled.lastRecordedPullTime instanceof Date);

  await refused(rig.call('DeleteRepository', name), 'RepositoryNotEmptyException', /still contains images/);
  const one = await rig.call('BatchDeleteImage', { ...name, imageIds: [{ imageTag: 'v1' }] });
  assert.deepEqual(one.imageIds, [{ imageDigest: digest, imageTag: 'v1' }]);
  assert.equal((await rig.send('GET', `/v2/images/manifests/${digest}`)).status, 200);
  await rig.call('BatchDeleteImage', { ...name, imageIds: [{ imageTag: 'v2' }] });
  assert.equal((await rig.send('GET', `/v2/images/manifests/${digest}`)).status, 404, 'gone with its last tag');
  const none = await rig.call('BatchDeleteImage', { ...name, imageIds: [{ imageDigest: digest }] });
  assert.equal(none.failures[0].failureCode, 'ImageNotFound');
  await rig.call('DeleteRepository', { ...name, force: true });
  assert.equal((await rig.send('GET', `/v2/images/manifests/${sha256(bare)}`)).code, 'NAME_UNKNOWN');
});

test('a child of an index is deleted only with or after it', async () => {
  await repository('indexed');
  const text = await pushImageBlobs(rig, 'indexed');
  const child = { mediaType: mediaTypes.ociManifest, digest: sha256(text), size: text.length };
  await putManifestText(rig, 'indexed', child.digest, text);
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
  await putManifestText(rig, 'indexed', 'all', index, mediaTypes.ociIndex);
  const [described] = (await rig.call('DescribeImages', { repositoryName: 'indexed', imageIds: [{ imageTag: 'all' }] }))
    .imageDetails;
  assert.equal(described.imageSizeInBytes, JSON.parse(text).config.size + 1000, 'as large as its largest child');
  const remove = (imageIds: object[]) => rig.call('BatchDeleteImage', { repositoryName: 'indexed', imageIds });
  const alone = await remove([{ imageDigest: child.digest }]);
  assert.equal(alone.failures[0].failureCode, 'ImageReferencedByManifestList');
  const both = await remove([{ imageDigest: child.digest }, { imageTag: 'all' }]);
  assert.deepEqual([both.failures.length, both.imageIds.length], [0, 2]);
});

test('an image is pushed with the API alone, and its layer downloaded by URL', async () => {
  await repository('api');
  const name = { repositoryName: 'api' };
  const upload = async (...parts: Uint8Array[]) => {
    const { uploadId } = await rig.call('InitiateLayerUpload', name);
    let at = 0;
    for (const layerPartBlob of parts) {
      const last = at + layerPartBlob.length - 1;
      const range = { uploadId, partFirstByte: at, partLastByte: last, layerPartBlob };
      assert.equal((await rig.call('UploadLayerPart', { ...name, ...range })).lastByteReceived, last);
      at = last + 1;
    }
    const digest = createHash('sha256');
    for (const part of parts) digest.update(part);
    return { ...name, uploadId, layerDigests: [`sha256:${digest.digest('hex')}`] };
  };
  const config = Buffer.from('{}');
  const parts = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
  await rig.call('CompleteLayerUpload', await upload(config));
  const { layerDigest } = await rig.call('CompleteLayerUpload', await upload(...parts));
  await refused(
    rig.call('CompleteLayerUpload', await upload(config)),
    'LayerAlreadyExistsException',
    new RegExp(sha256(config)),
  );
  const { layers, failures } = await rig.call('BatchCheckLayerAvailability', {
    ...name,
    layerDigests: [layerDigest, sha256('none'), 'nonsense'],
  });
  assert.deepEqual(
    layers.map((layer: { layerAvailability: string }) => layer.layerAvailability),
    ['AVAILABLE', 'UNAVAILABLE'],
  );
  assert.equal(failures[0].failureCode, 'InvalidLayerDigest');

  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: sha256(config), size: 2 },
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest: layerDigest, size: 5243880 }],
  });
  const put = await rig.call('PutImage', { ...name, imageManifest, imageTag: 'v1' });
  assert.deepEqual(put.image.imageId, { imageDigest: sha256(imageManifest), imageTag: 'v1' });
  await refused(rig.call('PutImage', { ...name, imageManifest, imageTag: 'v1' }), 'ImageAlreadyExistsException');
  await rig.call('PutImage', { ...name, imageManifest, imageTag: 'retagged' });
  await refused(rig.call('PutImage', { ...name, imageManifest: '{' }), 'InvalidParameterException', /JSON/);
  await refused(
    rig.call('PutImage', { ...name, imageManifest, imageDigest: sha256('x') }),
    'ImageDigestDoesNotMatchException',
  );
  const missing = imageManifest.replace(layerDigest, sha256('none'));
  await refused(rig.call('PutImage', { ...name, imageManifest: missing }), 'LayersNotFoundException');

  const { downloadUrl } = await rig.call('GetDownloadUrlForLayer', { ...name, layerDigest });
  const url = new URL(downloadUrl);
  const download = await rawRequest({ port: rig.port, path: `${url.pathname}${url.search}` });
  assert.equal(sha256(download.body), layerDigest);
  const tampered = await rawRequest({ port: rig.port, path: `${url.pathname}${url.search}0` });
  assert.equal(tampered.status, 401);
  const removal = await rawRequest({ port: rig.port, method: 'DELETE', path: `${url.pathname}${url.search}` });
  assert.equal(removal.status, 405);
  await refused(
    rig.call('GetDownloadUrlForLayer', { ...name, layerDigest: sha256('none') }),
    'LayersNotFoundException',
  );
});

test('layer parts have their rules', async () => {
  await repository('parts');
  const name = { repositoryName: 'parts' };
  const start = async () => ({ ...name, uploadId: (await rig.call('InitiateLayerUpload', name)).uploadId });
  const small = Buffer.from('small');
  const upload = await start();
  const layerDigests = [sha256('smallsmall')];
  await refused(rig.call('CompleteLayerUpload', { ...upload, layerDigests }), 'EmptyUploadException');
  const part = { ...upload, partFirstByte: 0, partLastByte: 4, layerPartBlob: small };
  await rig.call('UploadLayerPart', part);
  await assert.rejects(rig.call('UploadLayerPart', part), (error) => {
    assert.ok(error instanceof Fault);
    assert.deepEqual([error.code, error.fields.lastValidByteReceived], ['InvalidLayerPartException', 4]);
    return true;
  });
  await rig.call('UploadLayerPart', { ...part, partFirstByte: 5, partLastByte: 9 });
  await refused(rig.call('CompleteLayerUpload', { ...upload, layerDigests }), 'LayerPartTooSmallException');
  const other = await start();
  await rig.call('UploadLayerPart', { ...part, ...other });
  await refused(rig.call('CompleteLayerUpload', { ...other, layerDigests }), 'InvalidLayerException');
  await refused(rig.call('CompleteLayerUpload', { ...other, layerDigests }), 'UploadNotFoundException');
  await refused(
    rig.call('UploadLayerPart', { ...part, ...other, partLastByte: 9 }),
    'InvalidParameterException',
    /layerPartBlob/,
  );
});

test('immutability can be set, with exclusions, and holds for PutImage too', async () => {
  await repository('fixed');
  const name = { repositoryName: 'fixed' };
  const one = await pushImageBlobs(rig, 'fixed');
  const two = await pushImageBlobs(rig, 'fixed');
  await rig.call('PutImage', { ...name, imageManifest: one, imageTag: 'v1' });
  await rig.call('PutImage', { ...name, imageManifest: one, imageTag: 'dev-1' });
  await rig.call('PutImageTagMutability', {
    ...name,
    imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
  });
  await refused(
    rig.call('PutImage', { ...name, imageManifest: two, imageTag: 'v1' }),
    'ImageTagAlreadyExistsException',
    "The image tag 'v1' already exists in the 'fixed' repository and cannot be overwritten because the tag is immutable.",
  );
  await rig.call('PutImage', { ...name, imageManifest: two, imageTag: 'dev-1' });
  const { repositories } = await rig.call('DescribeRepositories', { repositoryNames: ['fixed'] });
  assert.equal(repositories[0].imageTagMutability, 'IMMUTABLE_WITH_EXCLUSION');
  assert.equal(repositories[0].imageTagMutabilityExclusionFilters[0].filter, 'dev-*');
});

test('settings and tags of a repository are kept', async () => {
  const { repositoryArn: resourceArn } = await repository('settings', { tags: [{ Key: 'a', Value: '1' }] });
  await rig.call('PutImageScanningConfiguration', {
    repositoryName: 'settings',
    imageScanningConfiguration: { scanOnPush: true },
  });
  const { repositories } = await rig.call('DescribeRepositories', { repositoryNames: ['settings'] });
  assert.deepEqual(repositories[0].imageScanningConfiguration, { scanOnPush: true });
  await rig.call('TagResource', {
    resourceArn,
    tags: [
      { Key: 'a', Value: '2' },
      { Key: 'b', Value: '3' },
    ],
  });
  await rig.call('UntagResource', { resourceArn, tagKeys: ['b', 'c'] });
  assert.deepEqual((await rig.call('ListTagsForResource', { resourceArn })).tags, [{ Key: 'a', Value: '2' }]);
  for (const arn of ['nonsense', 'arn:aws:ecr:eu-west-1:111122223333:repository/', resourceArn.replace('eu', 'us')])
    await refused(rig.call('ListTagsForResource', { resourceArn: arn }), 'InvalidParameterException', /resourceArn/);
});

test('the token is for Docker, and names the port that the caller used', async () => {
  const { authorizationData } = await rig.call('GetAuthorizationToken');
  const [{ authorizationToken, proxyEndpoint, expiresAt }] = authorizationData;
  assert.match(Buffer.from(authorizationToken, 'base64').toString(), /^AWS:\S+$/);
  assert.equal(proxyEndpoint, `http://localhost:${rig.port}`);
  assert.ok(Math.abs(expiresAt.getTime() - Date.now() - 12 * 3_600_000) < 60_000);
});

test('other services can ask for the digest of a tag', async () => {
  await repository('resolve');
  const text = await pushImageBlobs(rig, 'resolve');
  await putManifestText(rig, 'resolve', 'v1', text);
  const { imageDigest } = rig.service.contract;
  assert.equal(await imageDigest('resolve', 'v1'), sha256(text));
  assert.equal(await imageDigest('resolve', sha256(text)), sha256(text));
  assert.equal(await imageDigest('resolve', 'v2'), undefined);
  assert.equal(await imageDigest('nowhere', 'v1'), undefined);
});

test('a blob of a deleted repository is not there for its successor', async () => {
  await repository('reborn');
  const digest = await pushBlob(rig, 'reborn', 'old blob');
  await rig.call('DeleteRepository', { repositoryName: 'reborn' });
  await repository('reborn');
  assert.equal((await rig.send('HEAD', `/v2/reborn/blobs/${digest}`)).status, 404);
});
