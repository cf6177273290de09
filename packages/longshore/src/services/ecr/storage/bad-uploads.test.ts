import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { openRig, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';
import { registryStorage } from './storage.ts';

async function open(): Promise<Rig> {
  const rig = await openRig();
  await rig.call('CreateRepository', { repositoryName: 'app' });
  return rig;
}

test('10,000 uploads that were given up: a start is quick beside them, and they are swept', async (t) => {
  const rig = await open();
  t.after(() => rig.close());
  const longAgo = Date.now() - 25 * 3_600_000;
  const ids = Array.from({ length: 10_000 }, () => randomUUID());
  const folder = join(rig.dataDir, 'registry/uploads');
  for (const id of ids) {
    writeFileSync(join(folder, id), 'x');
    utimesSync(join(folder, id), longAgo / 1000, longAgo / 1000);
  }
  await rig.store.transaction(async (tx) => {
    for (let start = 0; start < ids.length; start += 500)
      await tx.db
        .insertInto('ecr_upload')
        .values(
          ids.slice(start, start + 500).map((id) => ({
            id,
            repository: 'app',
            algorithm: 'sha256',
            started_at: longAgo,
            short_part_end: null,
          })),
        )
        .execute();
  });
  const storage = registryStorage({
    store: rig.store,
    clock: systemClock,
    random: systemRandom,
    settings: rig.settings,
    log: silentLogger,
  });
  const began = performance.now();
  await storage.prepare();
  for (const controller of storage.controllers) await controller.start();
  const took = performance.now() - began;
  assert.ok(took < 1000, `a start took ${took} ms`);
  // Meanwhile the registry answers.
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  assert.equal((await rig.send('PATCH', location, {}, 'hello')).status, 202);
  for (let tries = 0; tries < 1000 && readdirSync(folder).length > 1; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(readdirSync(folder), [location.split('/').at(-1)]);
  for (const controller of storage.controllers) await controller.stop();
  assert.equal((await rig.send('PUT', `${location}?digest=${sha256('hello')}`)).status, 201);
});

test('a chunk that is cut off is kept as far as it came; chunks that overlap or leave a gap are refused', async (t) => {
  const rig = await open();
  t.after(() => rig.close());
  const data = randomBytes(400_000);
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  await new Promise<void>((resolve) => {
    const socket = connect(rig.port, '127.0.0.1', () => {
      socket.write(
        `PATCH ${location} HTTP/1.1\r\nhost: x\r\nauthorization: ${rig.authorization}\r\ncontent-length: ${data.length}\r\ncontent-range: 0-${data.length - 1}\r\n\r\n`,
      );
      socket.write(data.subarray(0, 100_000), () => setTimeout(() => socket.destroy(), 100));
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
  const status = await rig.send('GET', location);
  assert.equal(status.headers.range, '0-99999');
  for (const range of ['50000-149999', '99999-199998', '100001-200000', '0-99999']) {
    const [start = 0, end = 0] = range.split('-').map(Number);
    const chunk = await rig.send('PATCH', location, { 'content-range': range }, data.subarray(start, end + 1));
    assert.deepEqual([chunk.status, chunk.code, chunk.headers.range], [416, 'BLOB_UPLOAD_INVALID', '0-99999'], range);
  }
  const rest = { 'content-range': `100000-${data.length - 1}` };
  assert.equal((await rig.send('PATCH', location, rest, data.subarray(100_000))).status, 202);
  assert.equal((await rig.send('PUT', `${location}?digest=${sha256(data)}`)).status, 201);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${sha256(data)}`)).body.equals(data));
});

test('an upload begun for one algorithm may end with a digest of the other, if that is right', async (t) => {
  const rig = await open();
  t.after(() => rig.close());
  const data = randomBytes(100_000);
  const long = `sha512:${createHash('sha512').update(data).digest('hex')}`;
  const begin = async () => (await rig.send('POST', '/v2/app/blobs/uploads/')).headers.location ?? '';
  const end = (location: string, digest: string) => rig.send('PUT', `${location}?digest=${digest}`, {}, data);
  assert.equal((await end(await begin(), long)).status, 201);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${long}`)).body.equals(data));
  for (const wrong of [
    `sha512:${'0'.repeat(128)}`,
    `sha256:${long.slice(7)}`,
    `md5:${'0'.repeat(32)}`,
    `sha256:${sha256(data).slice(7).toUpperCase()}`,
  ])
    assert.equal((await end(await begin(), wrong)).code, 'DIGEST_INVALID', wrong);
});

test('a manifest that names blobs which are missing, elsewhere or of another size is refused', async (t) => {
  const rig = await open();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'other' });
  const there = '{}';
  for (const name of ['app', 'other'])
    await rig.send('POST', `/v2/${name}/blobs/uploads/?digest=${sha256(there)}`, {}, there);
  await rig.send('POST', `/v2/other/blobs/uploads/?digest=${sha256('elsewhere')}`, {}, 'elsewhere');
  const text = (digest: string, size: number) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(there), size: 2 },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }],
    });
  for (const [digest, size, code] of [
    [sha256('nowhere'), 7, 'MANIFEST_BLOB_UNKNOWN'],
    [sha256('elsewhere'), 9, 'MANIFEST_BLOB_UNKNOWN'],
    [sha256(there), 3, 'MANIFEST_INVALID'],
  ] as const)
    assert.equal((await putManifestText(rig, 'app', 'v1', text(digest, size))).code, code);
  assert.equal((await rig.send('GET', '/v2/app/manifests/v1')).status, 404);
  assert.equal((await putManifestText(rig, 'app', 'v1', text(sha256(there), 2))).status, 201);
});
