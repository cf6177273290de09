import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Clock, systemClock } from '../../../../base/clock.ts';
import { silentLogger } from '../../../../base/log.ts';
import { openRig, pushBlob, pushImageBlobs, putManifestText, sha256 } from '../../rig.testing.ts';
import { garbageCollector } from '../garbage.ts';
import { garbagePeriods } from '../leases.ts';
import { blobObjects } from './blob-objects.ts';
import { noMoto, startMoto } from './moto.testing.ts';

const hour = 3_600_000;
let moto: Awaited<ReturnType<typeof startMoto>>;
before(async () => {
  if (noMoto) return;
  moto = await startMoto();
  Object.assign(process.env, moto.env);
});
after(() => moto?.stop());

test('the registry on S3: chunks, a restart between them, downloads by redirect and through us, clean-up', {
  skip: noMoto,
  timeout: 60_000,
}, async (t) => {
  const blobStore = await moto.bucket();
  let ahead = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
  const first = await openRig({ settings: { blobStore }, clock });
  await first.call('CreateRepository', { repositoryName: 'app' });
  const data = randomBytes(19_000_000);
  const digest = sha256(data);
  const { location = '' } = (await first.send('POST', '/v2/app/blobs/uploads/')).headers;
  assert.equal((await first.send('PATCH', location, {}, data.subarray(0, 7_000_001))).status, 202);
  assert.equal((await first.send('PATCH', location, {}, data.subarray(7_000_001, 12_000_000))).status, 202);

  // Another process on the same state: what the first one hashed is not known to it.
  const rig = await openRig({ settings: { blobStore }, clock, dataDir: first.dataDir });
  t.after(async () => {
    await rig.close();
    await first.close();
  });
  assert.equal((await rig.send('GET', location)).headers.range, '0-11999999');
  assert.equal((await rig.send('PATCH', location, { 'content-range': '5-6' }, 'xx')).status, 416);
  assert.equal((await rig.send('PUT', `${location}?digest=${digest}`, {}, data.subarray(12_000_000))).status, 201);

  const redirect = await rig.send('GET', `/v2/app/blobs/${digest}`);
  assert.equal(redirect.status, 307);
  const got = await fetch(redirect.headers.location ?? '', { headers: { range: 'bytes=100-299' } });
  assert.deepEqual([got.status, Buffer.from(await got.arrayBuffer())], [206, data.subarray(100, 300)]);
  const whole = await fetch(redirect.headers.location ?? '');
  assert.equal(sha256(Buffer.from(await whole.arrayBuffer())), digest);
  assert.equal((await rig.send('HEAD', `/v2/app/blobs/${digest}`)).headers['content-length'], String(data.length));

  const through = await openRig({ settings: { blobStore: `${blobStore}&redirect=off` }, dataDir: first.dataDir });
  t.after(() => through.close());
  const direct = await through.send('GET', `/v2/app/blobs/${digest}`, { range: 'bytes=10-19' });
  assert.deepEqual([direct.status, direct.body], [206, data.subarray(10, 20)]);
  assert.ok((await through.send('GET', `/v2/app/blobs/${digest}`)).body.equals(data));

  const wrong = await rig.send('POST', `/v2/app/blobs/uploads/?digest=${sha256('other')}`, {}, randomBytes(100));
  assert.equal(wrong.code, 'DIGEST_INVALID');
  const text = await pushImageBlobs(rig, 'app');
  assert.equal((await putManifestText(rig, 'app', 'v1', text)).status, 201);
  await pushBlob(rig, 'app', randomBytes(50));

  const files = blobObjects(moto.location(blobStore), clock);
  const garbage = garbageCollector({ store: rig.store, files, clock, log: silentLogger, periods: garbagePeriods });
  ahead = 25 * hour;
  assert.equal((await garbage.collect({ orphans: true })).condemned, 2);
  ahead += 2 * hour;
  assert.equal((await garbage.collect()).removed, 2);
  const left = [];
  for await (const batch of files.listBlobs()) left.push(...batch.map((blob) => blob.digest));
  const { config, layers } = JSON.parse(text);
  assert.deepEqual(left.sort(), [config.digest, layers[0].digest].sort());
  assert.deepEqual(await files.listUploads(), []);
});
