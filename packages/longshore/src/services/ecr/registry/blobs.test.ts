import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openRig, pushBlob, type Rig, rawRequest, sha256 } from '../rig.testing.ts';

let rig: Rig;
before(async () => {
  rig = await openRig();
  for (const repositoryName of ['app', 'other']) await rig.call('CreateRepository', { repositoryName });
});
after(() => rig.close());

const files = (folder: string) => readdir(join(rig.dataDir, 'registry', folder), { recursive: true });

test('a blob goes in whole and comes out by ranges and conditions', async () => {
  const data = randomBytes(3_000_000);
  const digest = await pushBlob(rig, 'app', data);
  const path = `/v2/app/blobs/${digest}`;
  const whole = await rig.send('GET', path);
  assert.equal(whole.status, 200);
  assert.ok(whole.body.equals(data));
  assert.equal(whole.headers['docker-content-digest'], digest);
  const head = await rig.send('HEAD', path);
  assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '3000000', 0]);
  const part = await rig.send('GET', path, { range: 'bytes=1000000-2000000' });
  assert.equal(part.status, 206);
  assert.equal(part.headers['content-range'], 'bytes 1000000-2000000/3000000');
  assert.ok(part.body.equals(data.subarray(1_000_000, 2_000_001)));
  const tail = await rig.send('GET', path, { range: 'bytes=-5' });
  assert.ok(tail.body.equals(data.subarray(-5)));
  const beyond = await rig.send('GET', path, { range: 'bytes=3000000-' });
  assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */3000000']);
  assert.equal((await rig.send('GET', path, { 'if-none-match': `"${digest}"` })).status, 304);
  assert.equal((await rig.send('GET', path, { range: 'bytes=0-1', 'if-range': '"other"' })).status, 200);
});

test('an empty blob is a blob', async () => {
  const digest = await pushBlob(rig, 'app', '');
  const reply = await rig.send('GET', `/v2/app/blobs/${digest}`);
  assert.deepEqual([reply.status, reply.headers['content-length']], [200, '0']);
});

test('chunks in order, status between, a chunk out of order refused, sha512 at the end', async () => {
  const data = randomBytes(2_500_000);
  const start = await rig.send('POST', '/v2/app/blobs/uploads/');
  assert.equal(start.status, 202);
  const { location = '' } = start.headers;
  assert.equal(start.headers.range, '0-0');
  const first = await rig.send('PATCH', location, { 'content-range': '0-999999' }, data.subarray(0, 1_000_000));
  assert.deepEqual([first.status, first.headers.range], [202, '0-999999']);
  const wrong = await rig.send('PATCH', location, { 'content-range': '5-9' }, 'abcde');
  assert.deepEqual([wrong.status, wrong.code, wrong.headers.range], [416, 'BLOB_UPLOAD_INVALID', '0-999999']);
  const status = await rig.send('GET', location);
  assert.deepEqual([status.status, status.headers.range], [204, '0-999999']);
  await rig.send('PATCH', location, {}, data.subarray(1_000_000, 2_000_000));
  const digest = `sha512:${createHash('sha512').update(data).digest('hex')}`;
  const end = await rig.send('PUT', `${location}?digest=${digest}`, {}, data.subarray(2_000_000));
  assert.deepEqual([end.status, end.headers.location], [201, `/v2/app/blobs/${digest}`]);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${digest}`)).body.equals(data));
  assert.equal((await rig.send('GET', location)).code, 'BLOB_UPLOAD_UNKNOWN');
});

test('a wrong digest is refused, and nothing is kept', async () => {
  const wrong = sha256('something else');
  const whole = await rig.send('POST', `/v2/app/blobs/uploads/?digest=${wrong}`, {}, 'data');
  assert.deepEqual([whole.status, whole.code], [400, 'DIGEST_INVALID']);
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  await rig.send('PATCH', location, {}, 'data');
  const end = await rig.send('PUT', `${location}?digest=${wrong}`);
  assert.deepEqual([end.status, end.code], [400, 'DIGEST_INVALID']);
  assert.equal((await rig.send('HEAD', `/v2/app/blobs/${wrong}`)).status, 404);
  for (const digest of ['', 'sha256:zz', 'md5:00', 'sha256:../../x'])
    assert.equal((await rig.send('PUT', `${location}?digest=${digest}`)).code, 'DIGEST_INVALID', digest);
  assert.deepEqual(await files('uploads'), []);
});

test('Content-Range and Content-Length must agree', async () => {
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  assert.equal((await rig.send('PATCH', location, { 'content-range': '0-9' }, 'abc')).code, 'SIZE_INVALID');
  const chunked = await rig.send('PATCH', location, { 'content-range': '0-9', 'transfer-encoding': 'chunked' }, 'abc');
  assert.equal(chunked.code, 'SIZE_INVALID');
  assert.equal((await rig.send('GET', location)).headers.range, '0-0');
  assert.equal((await rig.send('DELETE', location)).status, 204);
  assert.equal((await rig.send('DELETE', location)).status, 404);
});

/** Sends the head of a request that promises more bytes than follow, then hangs up. */
function truncated(head: string, body: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(rig.port, '127.0.0.1', () => {
      socket.write(`${head}\r\nhost: x\r\nauthorization: ${rig.authorization}\r\n\r\n`);
      socket.write(body, () => setTimeout(() => socket.destroy(), 50));
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

async function eventually<T>(look: () => Promise<T>, right: (seen: T) => boolean): Promise<T> {
  const end = Date.now() + 5000;
  for (;;) {
    const seen = await look();
    if (right(seen)) return seen;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(seen)} after 5 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a chunk that breaks off is kept as far as it came, and the upload goes on from there', async () => {
  const data = randomBytes(1_500_000);
  const { location = '' } = (await rig.send('POST', '/v2/app/blobs/uploads/')).headers;
  await truncated(`PATCH ${location} HTTP/1.1\r\ncontent-length: ${data.length}`, data.subarray(0, 1_200_000));
  const { headers } = await eventually(
    () => rig.send('GET', location),
    (reply) => reply.headers.range !== '0-0',
  );
  const had = Number(headers.range?.slice(2)) + 1;
  assert.equal(had, 1_200_000);
  await rig.send('PATCH', location, { 'content-range': `${had}-${data.length - 1}` }, data.subarray(had));
  assert.equal((await rig.send('PUT', `${location}?digest=${sha256(data)}`)).status, 201);
});

test('a whole blob that breaks off leaves nothing', async () => {
  const data = randomBytes(100_000);
  const digest = sha256(data);
  await truncated(
    `POST /v2/app/blobs/uploads/?digest=${digest} HTTP/1.1\r\ncontent-length: 100000`,
    data.subarray(0, 50_000),
  );
  await eventually(
    () => files('uploads'),
    (names) => names.length === 0,
  );
  assert.equal((await rig.send('HEAD', `/v2/app/blobs/${digest}`)).status, 404);
  await pushBlob(rig, 'app', data);
});

test('a blob is stored once, and mounted without its bytes', async () => {
  const data = randomBytes(5000);
  const digest = await pushBlob(rig, 'app', data);
  assert.equal((await rig.send('HEAD', `/v2/other/blobs/${digest}`)).status, 404);
  const mount = await rig.send('POST', `/v2/other/blobs/uploads/?mount=${digest}&from=app`);
  assert.deepEqual([mount.status, mount.headers.location], [201, `/v2/other/blobs/${digest}`]);
  assert.ok((await rig.send('GET', `/v2/other/blobs/${digest}`)).body.equals(data));
  const hex = digest.slice(7);
  assert.equal((await files('blobs')).filter((name) => name.endsWith(hex)).length, 1);
  const facts = await stat(join(rig.dataDir, 'registry/blobs/sha256', hex.slice(0, 2), hex));
  assert.equal(facts.size, 5000);
  const missing = await rig.send('POST', `/v2/other/blobs/uploads/?mount=${sha256('never')}&from=app`);
  assert.equal(missing.status, 202);
  assert.equal((await rig.send('DELETE', missing.headers.location ?? '')).status, 204);
});

test('paths lead nowhere but into the registry', async () => {
  const bad = [
    '/v2/../../etc/passwd',
    '/v2/..%2f..%2fetc/blobs/uploads/',
    '/v2/%2e%2e/manifests/latest',
    '/v2/app/../other/tags/list',
    '/v2/APP/tags/list',
    '/v2/app/blobs/uploads/..%2f..%2f..%2fstate.db',
    '/v2/app/blobs/uploads/..',
    '/v2/app/blobs/sha256:..%2f..%2fstate.db',
    '/v2/app/manifests/..%2f..%2fstate.db',
    '/v2/app%00/tags/list',
    '/v2/%ff%fe/tags/list',
    '/v2/_catalog',
    '/v2//tags/list',
  ];
  for (const path of bad)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const reply = await rig.send(method, path, {}, method === 'GET' ? undefined : 'x');
      assert.ok([400, 404, 405].includes(reply.status), `${method} ${path} answered ${reply.status}`);
      assert.ok(reply.code, `${method} ${path} has no error code`);
    }
  const name = `/v2/${'a'.repeat(257)}/tags/list`;
  assert.equal((await rig.send('GET', name)).code, 'NAME_INVALID');
  assert.deepEqual(await files('uploads'), []);
});

test('who does not sign in is challenged', async () => {
  for (const authorization of [
    undefined,
    'Basic',
    'Basic !!',
    `Basic ${btoa('AWS:wrong')}`,
    `Basic ${btoa('root:x')}`,
    'Bearer x',
  ]) {
    const reply = await rawRequest({ port: rig.port, path: '/v2/', headers: authorization ? { authorization } : {} });
    assert.deepEqual([reply.status, reply.code], [401, 'UNAUTHORIZED'], authorization);
    assert.match(reply.headers['www-authenticate'] ?? '', /^Basic realm="http:\/\/127\.0\.0\.1:\d+\/"/);
  }
  const reply = await rig.send('GET', '/v2/');
  assert.deepEqual([reply.status, reply.headers['docker-distribution-api-version']], [200, 'registry/2.0']);
});

test('a push to a repository that does not exist is refused', async () => {
  const reply = await rig.send('POST', '/v2/nowhere/blobs/uploads/');
  assert.deepEqual([reply.status, reply.code], [404, 'NAME_UNKNOWN']);
  assert.match(
    reply.body.toString(),
    /The repository with name 'nowhere' does not exist in the registry with id '111122223333'/,
  );
});

test('a blob that an image needs stays; another goes', async () => {
  const digest = await pushBlob(rig, 'app', 'unneeded');
  assert.equal((await rig.send('DELETE', `/v2/app/blobs/${digest}`)).status, 202);
  assert.equal((await rig.send('DELETE', `/v2/app/blobs/${digest}`)).status, 404);
  assert.equal((await rig.send('GET', `/v2/app/blobs/${digest}`)).code, 'BLOB_UNKNOWN');
});
