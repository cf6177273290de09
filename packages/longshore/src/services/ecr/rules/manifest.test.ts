import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManifestFlaw, mediaTypes, parseManifest } from './manifest.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('c'), size: 7 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest('a'), size: 100 };
const image = { schemaVersion: 2, config, layers: [layer] };
const text = (document: unknown) => JSON.stringify(document);

test('an image manifest names its config and layers', () => {
  const parsed = parseManifest(text(image), `${mediaTypes.ociManifest}; charset=utf-8`);
  assert.deepEqual(parsed.references, [
    { kind: 'config', digest: digest('c'), size: 7 },
    { kind: 'layer', digest: digest('a'), size: 100 },
  ]);
  assert.equal(parsed.imageSize, 107);
  assert.equal(parsed.artifactType, config.mediaType);
});

test('layers that may not be distributed need not be there', () => {
  for (const mediaType of [
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  ]) {
    const parsed = parseManifest(text({ ...image, layers: [{ ...layer, mediaType }] }), mediaTypes.ociManifest);
    assert.deepEqual(
      parsed.references.map((reference) => reference.kind),
      ['config'],
    );
  }
});

test('an index names its children', () => {
  const index = { schemaVersion: 2, manifests: [{ mediaType: mediaTypes.ociManifest, digest: digest('b'), size: 5 }] };
  const parsed = parseManifest(text({ ...index, artifactType: 'x/y' }), mediaTypes.dockerList);
  assert.equal(parsed.isIndex, true);
  assert.equal(parsed.artifactType, 'x/y');
  assert.deepEqual(parsed.references, [{ kind: 'manifest', digest: digest('b'), size: 5 }]);
});

test('a subject is carried', () => {
  const subject = { mediaType: mediaTypes.ociManifest, digest: digest('5'), size: 1 };
  assert.equal(parseManifest(text({ ...image, subject }), mediaTypes.ociManifest).subject, digest('5'));
});

test('what is no manifest is refused in words', () => {
  const cases: readonly [string, string | undefined, RegExp][] = [
    ['{', undefined, /JSON syntax/],
    ['[]', undefined, /JSON object/],
    [text({}), undefined, /unsupported/],
    [text({ ...image, schemaVersion: 1 }), mediaTypes.ociManifest, /schemaVersion/],
    [text(image), 'application/vnd.docker.distribution.manifest.v1+prettyjws', /unsupported/],
    [text({ ...image, mediaType: mediaTypes.ociIndex }), mediaTypes.ociManifest, /differs/],
    [text({ ...image, config: undefined }), mediaTypes.ociManifest, /config/],
    [text({ ...image, layers: {} }), mediaTypes.ociManifest, /array/],
    [text({ ...image, layers: [{ ...layer, digest: '../../etc/passwd' }] }), mediaTypes.ociManifest, /digest/],
    [text({ ...image, layers: [{ ...layer, size: -1 }] }), mediaTypes.ociManifest, /size/],
    [text({ ...image, layers: [{ ...layer, size: 1e300 }] }), mediaTypes.ociManifest, /size/],
    [text({ ...image, manifests: [] }), mediaTypes.ociManifest, /no manifests/],
    [text({ ...image, annotations: { a: 1 } }), mediaTypes.ociManifest, /annotations/],
  ];
  for (const [given, type, words] of cases)
    assert.throws(
      () => parseManifest(given, type),
      (error) => error instanceof ManifestFlaw && words.test(error.message),
      given,
    );
});
