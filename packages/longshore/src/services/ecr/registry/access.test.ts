import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../base/clock.ts';
import { systemClock } from '../../../base/clock.ts';
import { openRig, pushBlob, pushImageBlobs, putManifestText, rawRequest, sha256, user } from '../rig.testing.ts';

test('policies decide over pull and push, on the ARN of the repository, by the caller of the token', async (t) => {
  const pull = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
  const app = 'arn:aws:ecr:eu-west-1:111122223333:repository/app';
  const rig = await openRig({
    allows: (caller, action, resource) =>
      caller.userId === 'TESTER' || (caller.userId === 'READER' && resource === app && pull.includes(action)),
  });
  t.after(() => rig.close());
  for (const repositoryName of ['app', 'secret']) await rig.call('CreateRepository', { repositoryName });
  const text = await pushImageBlobs(rig, 'app');
  await putManifestText(rig, 'app', 'v1', text);
  const secret = await pushBlob(rig, 'secret', 'a secret');
  const { digest } = JSON.parse(text).config;
  const authorization = await rig.signIn(user('reader'));
  const ask = async (method: string, path: string, body?: string) => {
    const reply = await rig.send(method, path, { authorization }, body);
    return reply.status === 403 ? reply.code : reply.status;
  };
  assert.equal(await ask('GET', '/v2/'), 200);
  assert.equal(await ask('GET', '/v2/app/manifests/v1'), 200);
  assert.equal(await ask('GET', `/v2/app/blobs/${digest}`), 200);
  assert.equal(await ask('HEAD', `/v2/app/blobs/${digest}`), 200, 'who may download may look');
  assert.equal(await ask('GET', '/v2/app/tags/list'), 'DENIED');
  assert.equal(await ask('POST', '/v2/app/blobs/uploads/'), 'DENIED');
  assert.equal(await ask('PUT', '/v2/app/manifests/v2', text), 'DENIED');
  assert.equal(await ask('DELETE', '/v2/app/manifests/v1'), 'DENIED');
  assert.equal(await ask('GET', `/v2/secret/blobs/${secret}`), 'DENIED');
  assert.equal(await ask('GET', '/v2/nowhere/manifests/v1'), 'DENIED', 'not told that it does not exist');
  const denied = await rig.send('PUT', '/v2/app/manifests/v2', { authorization }, text);
  assert.match(denied.body.toString(), /user\/reader is not authorized to perform: ecr:PutImage/);
});

test('a mount does not tell of blobs that the pusher may not read', async (t) => {
  const rig = await openRig({
    allows: (caller, _action, resource) => caller.userId === 'TESTER' || resource.endsWith('repository/mine'),
  });
  t.after(() => rig.close());
  for (const repositoryName of ['mine', 'theirs']) await rig.call('CreateRepository', { repositoryName });
  const digest = await pushBlob(rig, 'theirs', 'their secret');
  const authorization = await rig.signIn(user('pusher'));
  for (const query of [`mount=${digest}&from=theirs`, `mount=${digest}`, `mount=${sha256('no blob')}&from=theirs`]) {
    const reply = await rig.send('POST', `/v2/mine/blobs/uploads/?${query}`, { authorization });
    assert.equal(reply.status, 202, query);
  }
  const reply = await rig.send('POST', `/v2/mine/blobs/uploads/?mount=${digest}`);
  assert.equal(reply.status, 201, 'who may read it, mounts it even without saying from where');
});

test('a token expires after twelve hours', async (t) => {
  let now = Date.now();
  const clock: Clock = { ...systemClock, now: () => now };
  const rig = await openRig({ clock });
  t.after(() => rig.close());
  now += 12 * 3_600_000;
  const reply = await rig.send('GET', '/v2/');
  assert.deepEqual([reply.status, reply.code], [403, 'DENIED']);
  assert.match(reply.body.toString(), /Your authorization token has expired\. Reauthenticate and try again\./);
});

test('tokens outlive a restart', async (t) => {
  const rig = await openRig();
  t.after(() => rig.close());
  const again = await openRig({ dataDir: rig.dataDir });
  t.after(() => again.close());
  assert.equal((await again.send('GET', '/v2/', { authorization: rig.authorization })).status, 200);
});

test('with authentication off anything is taken', async (t) => {
  const rig = await openRig({ auth: 'off', allows: () => false });
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'app' });
  for (const headers of [{}, { authorization: `Basic ${btoa('any:thing')}` }]) {
    const reply = await rawRequest({ port: rig.port, method: 'POST', path: '/v2/app/blobs/uploads/', headers });
    assert.equal(reply.status, 202);
  }
});
