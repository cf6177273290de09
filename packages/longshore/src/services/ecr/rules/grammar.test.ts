import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRepositoryName, isTag, isUploadId, parseDigest, parseRegistryPath } from './grammar.ts';

test('repository names follow ECR and can never leave a folder', () => {
  for (const name of ['ab', 'a-b', 'a--b', 'a__b', 'a.b_c', 'team/app/web', `${'a'.repeat(256)}`, '00'])
    assert.equal(isRepositoryName(name), true, name);
  const bad = [
    'a',
    '',
    'A/b',
    '..',
    '../etc',
    'a/../b',
    'a..b',
    'a//b',
    '/a',
    'a/',
    'a___b',
    '-a',
    'a-',
    'a b',
    'a\0b',
    'a\nb',
  ];
  for (const name of [...bad, 'a'.repeat(257), 'a%2fb', 'é', 'a/./b'])
    assert.equal(isRepositoryName(name), false, name);
});

test('a hostile name is refused at once', () => {
  const started = performance.now();
  assert.equal(isRepositoryName(`${'a_'.repeat(100_000)}!`), false);
  assert.equal(isRepositoryName(`${'a-'.repeat(127)}!`), false);
  assert.ok(performance.now() - started < 100);
});

test('tags have at most 128 characters at /v2/, 300 at the API', () => {
  assert.equal(isTag('t'.repeat(128)), true);
  assert.equal(isTag('t'.repeat(129)), false);
  assert.equal(isTag('t'.repeat(300), 300), true);
  assert.equal(isTag('t'.repeat(301), 300), false);
  for (const tag of ['', '.hidden', '-dash', 'a/b', 'a:b', '..', 'a\n']) assert.equal(isTag(tag), false, tag);
  assert.equal(isTag('_v1.0-rc_2'), true);
});

test('digests are sha256 or sha512, lower case, of full length', () => {
  const hex = 'a'.repeat(64);
  assert.deepEqual(parseDigest(`sha256:${hex}`), { algorithm: 'sha256', hex });
  assert.deepEqual(parseDigest(`sha512:${hex}${hex}`), { algorithm: 'sha512', hex: hex + hex });
  for (const text of [
    hex,
    `sha256:${hex}a`,
    `sha256:${hex.toUpperCase()}`,
    `md5:${hex}`,
    `sha512:${hex}`,
    'sha256:',
    `sha256:../${hex}`,
  ])
    assert.equal(parseDigest(text), undefined, text);
});

test('upload ids are UUIDs', () => {
  assert.equal(isUploadId('2b0f9d52-5b8f-4a0e-9c4e-0d5a6b7c8d9e'), true);
  for (const id of [
    '..',
    '../x',
    '',
    '2B0F9D52-5b8f-4a0e-9c4e-0d5a6b7c8d9e',
    '2b0f9d52-5b8f-4a0e-9c4e-0d5a6b7c8d9e/..',
  ])
    assert.equal(isUploadId(id), false, id);
});

test('paths are taken apart from their end', () => {
  assert.deepEqual(parseRegistryPath('/v2/'), { kind: 'base' });
  assert.deepEqual(parseRegistryPath('/v2/a/b/blobs/sha256:00'), {
    kind: 'blob',
    repository: 'a/b',
    digest: 'sha256:00',
  });
  assert.deepEqual(parseRegistryPath('/v2/a/blobs/sha256%3A00'), {
    kind: 'blob',
    repository: 'a',
    digest: 'sha256:00',
  });
  assert.deepEqual(parseRegistryPath('/v2/a/blobs/uploads/'), { kind: 'uploads', repository: 'a' });
  assert.deepEqual(parseRegistryPath('/v2/a/blobs/uploads'), { kind: 'uploads', repository: 'a' });
  assert.deepEqual(parseRegistryPath('/v2/a/blobs/uploads/7'), { kind: 'upload', repository: 'a', id: '7' });
  assert.deepEqual(parseRegistryPath('/v2/blobs/manifests/manifests/x'), {
    kind: 'manifest',
    repository: 'blobs/manifests',
    reference: 'x',
  });
  assert.deepEqual(parseRegistryPath('/v2/a/tags/list'), { kind: 'tags', repository: 'a' });
  assert.deepEqual(parseRegistryPath('/v2/a/referrers/d'), { kind: 'referrers', repository: 'a', digest: 'd' });
  for (const path of ['/v2/a', '/v2/a/b', '/v2/%zz/tags/list', '/v3/a/tags/list', '/v2/a/tags/other'])
    assert.equal(parseRegistryPath(path), undefined, path);
});
