import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRig, pushBlob, rawRequest, sha256 } from '../rig.testing.ts';
import { checkBlobs, crashRounds, killed, makeRepository, startRegistry } from './crash-rounds.testing.ts';

test('kill -9 at any moment of a push breaks nothing, and the push can be repeated', { timeout: 60_000 }, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-ecr-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const data = randomBytes(24 * 1024 * 1024);
  const digest = sha256(data);
  let { child, port } = await startRegistry(dataDir);
  t.after(() => child.kill('SIGKILL'));
  await makeRepository(dataDir);
  for (const delay of [8, 45]) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `POST /v2/app/blobs/uploads/?digest=${digest} HTTP/1.1\r\nhost: x\r\ncontent-length: ${data.length}\r\n\r\n`,
    );
    socket.write(data);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await killed(child);
    socket.destroy();
    ({ child, port } = await startRegistry(dataDir));
    const head = await rawRequest({ port, method: 'HEAD', path: `/v2/app/blobs/${digest}` });
    assert.ok([200, 404].includes(head.status));
    if (head.status === 200) assert.equal(await checkBlobs(dataDir), 1);
    else await checkBlobs(dataDir);
  }
  const again = await rawRequest({ port, method: 'POST', path: `/v2/app/blobs/uploads/?digest=${digest}` }, data);
  assert.equal(again.status, 201);
  const get = await rawRequest({ port, path: `/v2/app/blobs/${digest}` });
  assert.ok(get.body.equals(data));
  assert.equal(await checkBlobs(dataDir), 1);
});

test('kill -9 at random moments of pushes: what was answered is there, what is there is whole', {
  timeout: 100_000,
}, async (t) => {
  const figures = await crashRounds(15);
  t.diagnostic(JSON.stringify(figures));
  assert.ok(figures.acknowledged > 0 && figures.broken > 0, 'kills came before and after answers');
});

test('an upload in chunks goes on after kill -9, by reading its file again', { timeout: 30_000 }, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-ecr-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const data = randomBytes(3_000_000);
  let { child, port } = await startRegistry(dataDir);
  t.after(() => child.kill('SIGKILL'));
  await makeRepository(dataDir);
  const { location = '' } = (await rawRequest({ port, method: 'POST', path: '/v2/app/blobs/uploads/' })).headers;
  await rawRequest({ port, method: 'PATCH', path: location }, data.subarray(0, 2_000_000));
  await killed(child);
  ({ child, port } = await startRegistry(dataDir));
  const status = await rawRequest({ port, path: location });
  assert.deepEqual([status.status, status.headers.range], [204, '0-1999999']);
  const end = { port, method: 'PUT', path: `${location}?digest=${sha256(data)}` };
  assert.equal((await rawRequest(end, data.subarray(2_000_000))).status, 201);
  assert.equal(await checkBlobs(dataDir), 1);
});

test('uploads that were given up are swept at start, others stay', async (t) => {
  const rig = await openRig();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const begin = async () => (await rig.send('POST', '/v2/app/blobs/uploads/')).headers.location ?? '';
  const old = await begin();
  const young = await begin();
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  await utimes(join(rig.dataDir, 'registry/uploads', old.split('/').at(-1) ?? ''), longAgo, longAgo);
  await rig.store.transaction(async (tx) => {
    await tx.db.updateTable('ecr_upload').set({ started_at: longAgo.getTime() }).execute();
  });
  for (const controller of rig.service.controllers) {
    await controller.stop();
    await controller.start();
  }
  for (let tries = 0; tries < 100 && (await readdir(join(rig.dataDir, 'registry/uploads'))).length > 1; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await rig.send('GET', old)).code, 'BLOB_UPLOAD_UNKNOWN');
  assert.equal((await rig.send('GET', young)).status, 204);
  assert.equal((await readdir(join(rig.dataDir, 'registry/uploads'))).length, 1);
});

test('a blob whose file was damaged is not handed out as whole', async (t) => {
  const rig = await openRig();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const data = randomBytes(100_000);
  const digest = await pushBlob(rig, 'app', data);
  const hex = digest.slice(7);
  const file = join(rig.dataDir, 'registry/blobs/sha256', hex.slice(0, 2), hex);
  await truncate(file, 50_000);
  const cut = await rig.send('GET', `/v2/app/blobs/${digest}`);
  assert.equal(cut.status, 500);
  await rm(file);
  assert.equal((await rig.send('GET', `/v2/app/blobs/${digest}`)).code, 'BLOB_UNKNOWN');
  await pushBlob(rig, 'app', data);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${digest}`)).body.equals(data), 'a push mends it');
});

test('many push the same blob at once', async (t) => {
  const rig = await openRig();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const data = randomBytes(2_000_000);
  const digests = await Promise.all(Array.from({ length: 8 }, () => pushBlob(rig, 'app', data)));
  assert.deepEqual(new Set(digests), new Set([sha256(data)]));
  assert.equal(await checkBlobs(rig.dataDir), 1);
  assert.deepEqual(await readdir(join(rig.dataDir, 'registry/uploads')), []);
});

test('two that write to one upload take turns, and the second is told how far it is', async (t) => {
  const rig = await openRig();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const data = randomBytes(3_000_000);
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  const chunk = { 'content-range': `0-${data.length - 1}` };
  const replies = await Promise.all([1, 2].map(() => rig.send('PATCH', location, chunk, data)));
  assert.deepEqual(replies.map((reply) => reply.status).sort(), [202, 416]);
  assert.equal((await rig.send('PUT', `${location}?digest=${sha256(data)}`)).status, 201);
});

const mayMount = process.getuid?.() === 0;

test('a full disk: a clear error, what was there stays, and with room the push goes on', {
  skip: !mayMount && 'mounting needs root',
}, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-ecr-'));
  const rig = await openRig({ dataDir });
  const folder = join(dataDir, 'registry');
  await rm(folder, { recursive: true });
  execFileSync('mkdir', [folder]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'longshore-test', folder]);
  t.after(async () => {
    await rig.close();
    execFileSync('umount', ['-l', folder]);
    await rm(dataDir, { recursive: true, force: true });
  });
  await rig.service.prepare?.();
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const small = randomBytes(1_000_000);
  const large = randomBytes(6_000_000);
  const smallDigest = await pushBlob(rig, 'app', small);
  const whole = await rig.send('POST', `/v2/app/blobs/uploads/?digest=${sha256(large)}`, {}, large);
  assert.equal(whole.status, 507);
  assert.match(whole.body.toString(), /disk is full/);
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  await rig.send('PATCH', location, {}, large.subarray(0, 2_000_000));
  assert.equal((await rig.send('PATCH', location, {}, large.subarray(2_000_000))).status, 507);
  assert.equal((await rig.send('GET', location)).headers.range, '0-1999999');
  assert.ok((await rig.send('GET', `/v2/app/blobs/${smallDigest}`)).body.equals(small));
  const { uploadId } = await rig.call('InitiateLayerUpload', { repositoryName: 'app' });
  const part = { repositoryName: 'app', uploadId, partFirstByte: 0, partLastByte: 5_999_999, layerPartBlob: large };
  await assert.rejects(rig.call('UploadLayerPart', part), { code: 'ServerException', message: /disk is full/ });
  execFileSync('mount', ['-o', 'remount,size=32m', folder]);
  assert.equal((await rig.send('PATCH', location, {}, large.subarray(2_000_000))).status, 202);
  assert.equal((await rig.send('PUT', `${location}?digest=${sha256(large)}`)).status, 201);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${sha256(large)}`)).body.equals(large));
});

test('a full disk under the database: an error, and all is well with room again', {
  skip: !mayMount && 'mounting needs root',
}, async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-ecr-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'longshore-test', dataDir]);
  const rig = await openRig({ dataDir });
  t.after(async () => {
    await rig.close();
    execFileSync('umount', ['-l', dataDir]);
    await rm(dataDir, { recursive: true, force: true });
  });
  await rig.call('CreateRepository', { repositoryName: 'app' });
  const filler = join(dataDir, 'filler');
  await assert.rejects(writeFile(filler, randomBytes(9 * 1024 * 1024)), /ENOSPC/);
  let status = 202;
  for (let tries = 0; status === 202 && tries < 500; tries += 1)
    ({ status } = await rig.send('POST', '/v2/app/blobs/uploads/'));
  assert.ok(status === 507, `a full disk answered ${status}`);
  await rm(filler);
  const data = randomBytes(100_000);
  const digest = await pushBlob(rig, 'app', data);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${digest}`)).body.equals(data));
});
