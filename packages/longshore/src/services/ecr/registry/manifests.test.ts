import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openRig, pushImageBlobs, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';

let rig: Rig;
before(async () => {
  rig = await openRig();
  await rig.call('CreateRepository', { repositoryName: 'app' });
});
after(() => rig.close());

test('a manifest goes in by tag and comes out by tag and digest, byte for byte', async () => {
  const text = `${await pushImageBlobs(rig, 'app')}\n`;
  const put = await putManifestText(rig, 'app', 'v1', text);
  const digest = sha256(text);
  assert.deepEqual([put.status, put.headers['docker-content-digest']], [201, digest]);
  for (const reference of ['v1', digest]) {
    const get = await rig.send('GET', `/v2/app/manifests/${reference}`);
    assert.equal(get.body.toString(), text);
    assert.equal(get.headers['content-type'], mediaTypes.ociManifest);
    const head = await rig.send('HEAD', `/v2/app/manifests/${reference}`);
    assert.deepEqual([head.status, head.headers['content-length']], [200, String(text.length)]);
    assert.equal(
      (await rig.send('GET', `/v2/app/manifests/${reference}`, { 'if-none-match': `"${digest}"` })).status,
      304,
    );
  }
  assert.equal((await putManifestText(rig, 'app', 'v1', text)).status, 201, 'the same again');
  assert.equal((await putManifestText(rig, 'app', sha256('other'), text)).code, 'DIGEST_INVALID');
});

test('a push by digest gives tags, a push by tag says its digest', async () => {
  const text = await pushImageBlobs(rig, 'app');
  const digest = sha256(text);
  const put = await putManifestText(rig, 'app', `${digest}?tag=x1&tag=x2`, text);
  assert.deepEqual([put.status, put.headers['oci-tag']], [201, 'x1, x2']);
  for (const tag of ['x1', 'x2'])
    assert.equal((await rig.send('HEAD', `/v2/app/manifests/${tag}`)).headers['docker-content-digest'], digest);
  assert.equal((await putManifestText(rig, 'app', `${digest}?tag=ok&tag=../no`, text)).code, 'TAG_INVALID');
  assert.equal((await rig.send('HEAD', '/v2/app/manifests/ok')).status, 404, 'all tags or none');
  const sha512 = `sha512:${createHash('sha512').update(text).digest('hex')}`;
  const tagged = await putManifestText(rig, 'app', `long?digest=${sha512}`, text);
  assert.equal(tagged.headers['docker-content-digest'], sha512);
  assert.equal((await putManifestText(rig, 'app', `long?digest=${sha256('other')}`, text)).code, 'DIGEST_INVALID');
});

test('what a manifest needs must be there before', async () => {
  const text = await pushImageBlobs(rig, 'app');
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256('missing'), size: 7 };
  const broken = JSON.stringify({ ...JSON.parse(text), layers: [layer] });
  const refused = await putManifestText(rig, 'app', 'broken', broken);
  assert.deepEqual([refused.status, refused.code], [400, 'MANIFEST_BLOB_UNKNOWN']);
  const child = { mediaType: mediaTypes.ociManifest, digest: sha256('no child'), size: 7 };
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
  assert.equal((await putManifestText(rig, 'app', 'broken', index, mediaTypes.ociIndex)).code, 'MANIFEST_BLOB_UNKNOWN');
  const lie = JSON.parse(text);
  lie.layers[0].size += 1;
  assert.equal((await putManifestText(rig, 'app', 'broken', JSON.stringify(lie))).code, 'MANIFEST_INVALID');
  assert.equal((await rig.send('GET', '/v2/app/manifests/broken')).code, 'MANIFEST_UNKNOWN');
});

test('foreign layers and foreign media types', async () => {
  const document = JSON.parse(await pushImageBlobs(rig, 'app'));
  document.layers.push({
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: sha256('windows'),
    size: 9,
    urls: ['https://example.com/layer'],
  });
  assert.equal((await putManifestText(rig, 'app', 'foreign', JSON.stringify(document))).status, 201);
  for (const type of ['application/vnd.docker.distribution.manifest.v1+json', 'text/html', 'application/x-unknown'])
    assert.equal(
      (await putManifestText(rig, 'app', 'odd', JSON.stringify({ schemaVersion: 2 }), type)).code,
      'MANIFEST_INVALID',
    );
  for (const text of ['', '{', 'null', '[]', '"x"', '\ufeff{}', `${'['.repeat(100_000)}`])
    assert.equal((await putManifestText(rig, 'app', 'odd', text)).code, 'MANIFEST_INVALID', text.slice(0, 9));
});

test('a manifest has at most 4 MiB', async () => {
  const document = JSON.parse(await pushImageBlobs(rig, 'app'));
  const padded = (size: number) => {
    const empty = JSON.stringify({ ...document, annotations: { pad: '' } }).length;
    return JSON.stringify({ ...document, annotations: { pad: 'x'.repeat(size - empty) } });
  };
  const largest = padded(4 * 1024 * 1024);
  assert.equal((await putManifestText(rig, 'app', 'large', largest)).status, 201);
  assert.equal((await rig.send('GET', '/v2/app/manifests/large')).body.length, largest.length);
  for (const size of [4 * 1024 * 1024 + 1, 5_000_000]) {
    const reply = await putManifestText(rig, 'app', 'larger', padded(size));
    assert.deepEqual([reply.status, reply.code], [413, 'SIZE_INVALID']);
  }
  const chunked = await rig.send(
    'PUT',
    '/v2/app/manifests/larger',
    { 'content-type': mediaTypes.ociManifest, 'transfer-encoding': 'chunked' },
    padded(5_000_000),
  );
  assert.equal(chunked.status, 413);
});

test('tags have at most 128 characters', async () => {
  const text = await pushImageBlobs(rig, 'app');
  assert.equal((await putManifestText(rig, 'app', 't'.repeat(128), text)).status, 201);
  const long = await putManifestText(rig, 'app', 't'.repeat(129), text);
  assert.deepEqual([long.status, long.code], [400, 'TAG_INVALID']);
  assert.equal((await rig.send('GET', `/v2/app/manifests/${'t'.repeat(129)}`)).status, 404);
});

test('tags are listed in order and in pages', async () => {
  await rig.call('CreateRepository', { repositoryName: 'tagged' });
  const text = await pushImageBlobs(rig, 'tagged');
  for (const tag of ['b', 'a', 'C', 'd']) await putManifestText(rig, 'tagged', tag, text);
  const list = async (path: string) => {
    const reply = await rig.send('GET', path);
    return { ...JSON.parse(reply.body.toString()), link: reply.headers.link };
  };
  assert.deepEqual((await list('/v2/tagged/tags/list')).tags, ['C', 'a', 'b', 'd']);
  const first = await list('/v2/tagged/tags/list?n=3');
  assert.deepEqual(first.tags, ['C', 'a', 'b']);
  const next = /^<([^>]+)>; rel="next"$/.exec(first.link)?.[1] ?? '';
  assert.deepEqual(await list(next), { name: 'tagged', tags: ['d'], link: undefined });
  assert.deepEqual((await list('/v2/tagged/tags/list?n=0')).tags, []);
  assert.equal((await rig.send('GET', '/v2/tagged/tags/list?n=-1')).code, 'PAGINATION_NUMBER_INVALID');
});

test('referrers are found by subject, filtered by artifact type, in pages', async () => {
  const subjectText = await pushImageBlobs(rig, 'app');
  const subject = { mediaType: mediaTypes.ociManifest, digest: sha256(subjectText), size: subjectText.length };
  for (const kind of ['sbom', 'signature']) {
    const text = await pushImageBlobs(rig, 'app', { subject, artifactType: `test/${kind}`, annotations: { kind } });
    const put = await putManifestText(rig, 'app', sha256(text), text);
    assert.equal(put.headers['oci-subject'], subject.digest, 'the subject need not be there');
  }
  const all = await rig.send('GET', `/v2/app/referrers/${subject.digest}`);
  assert.equal(all.headers['content-type'], mediaTypes.ociIndex);
  assert.equal(JSON.parse(all.body.toString()).manifests.length, 2);
  const some = await rig.send('GET', `/v2/app/referrers/${subject.digest}?artifactType=test/sbom`);
  const [only, ...rest] = JSON.parse(some.body.toString()).manifests;
  assert.deepEqual([only.artifactType, only.annotations, rest.length], ['test/sbom', { kind: 'sbom' }, 0]);
  assert.equal(some.headers['oci-filters-applied'], 'artifactType');
  const page = await rig.send('GET', `/v2/app/referrers/${subject.digest}?n=1`);
  const link = /^<([^>]+)>/.exec(page.headers.link as string)?.[1] ?? '';
  assert.equal(JSON.parse((await rig.send('GET', link)).body.toString()).manifests.length, 1);
  const none = await rig.send('GET', `/v2/app/referrers/${sha256('nothing')}`);
  assert.deepEqual([none.status, JSON.parse(none.body.toString()).manifests], [200, []]);
});

test('a tag is deleted alone, a digest with its tags, a child of an index not before it', async () => {
  await rig.call('CreateRepository', { repositoryName: 'gone' });
  const text = await pushImageBlobs(rig, 'gone');
  const digest = sha256(text);
  await putManifestText(rig, 'gone', 'one', text);
  await putManifestText(rig, 'gone', 'two', text);
  const child = { mediaType: mediaTypes.ociManifest, digest, size: text.length };
  const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
  assert.equal((await putManifestText(rig, 'gone', 'all', index, mediaTypes.ociIndex)).status, 201);
  assert.equal((await rig.send('DELETE', '/v2/gone/manifests/one')).status, 202);
  assert.equal((await rig.send('GET', '/v2/gone/manifests/one')).status, 404);
  assert.equal((await rig.send('GET', '/v2/gone/manifests/two')).status, 200);
  assert.equal((await rig.send('DELETE', `/v2/gone/manifests/${digest}`)).status, 405);
  assert.equal((await rig.send('DELETE', `/v2/gone/manifests/${sha256(index)}`)).status, 202);
  assert.equal((await rig.send('DELETE', `/v2/gone/manifests/${digest}`)).status, 202);
  assert.equal((await rig.send('GET', '/v2/gone/manifests/two')).status, 404);
  assert.equal((await rig.send('DELETE', '/v2/gone/manifests/two')).code, 'MANIFEST_UNKNOWN');
});

test('an immutable tag does not move', async () => {
  await rig.call('CreateRepository', { repositoryName: 'fixed', imageTagMutability: 'IMMUTABLE' });
  const text = await pushImageBlobs(rig, 'fixed');
  assert.equal((await putManifestText(rig, 'fixed', 'v1', text)).status, 201);
  assert.equal((await putManifestText(rig, 'fixed', 'v1', text)).status, 201, 'the same again');
  const other = await putManifestText(rig, 'fixed', 'v1', await pushImageBlobs(rig, 'fixed'));
  assert.deepEqual([other.status, other.code], [400, 'TAG_INVALID']);
  assert.match(other.body.toString(), /cannot be overwritten because the tag is immutable/);
});
