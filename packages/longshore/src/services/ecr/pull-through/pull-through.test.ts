import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import {
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCreationTemplateCommand,
  DeletePullThroughCacheRuleCommand,
  DeleteRepositoryCreationTemplateCommand,
  DescribePullThroughCacheRulesCommand,
  DescribeRepositoriesCommand,
  DescribeRepositoryCreationTemplatesCommand,
  ECRClient,
  GetLifecyclePolicyCommand,
  UpdatePullThroughCacheRuleCommand,
  UpdateRepositoryCreationTemplateCommand,
  ValidatePullThroughCacheRuleCommand,
} from '@aws-sdk/client-ecr';
import { type Clock, systemClock } from '../../../base/clock.ts';
import { eventually } from '../../../base/eventually.testing.ts';
import type { EmittedEvent } from '../../events/contract.ts';
import { openRig, pushBlob, pushImageBlobs, putManifestText, type Rig, sha256, user } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';
import { ruleFor, upstreamRepository } from './rules.ts';

const run = promisify(execFile);
let now = Date.now();
// Images are completed soon after their manifest was handed on, not after seconds.
const clock: Clock = {
  ...systemClock,
  now: () => now,
  after: (ms, work) => systemClock.after(Math.min(ms, 300), work),
};
const events: EmittedEvent[] = [];
let upstream: Rig;
let front: Server;
let host: string;
/** What the upstream asks for, whether it answers at all, and what it was asked. */
let challenge: 'none' | 'basic' | 'bearer' = 'none';
let isDown = false;
let asked: string[] = [];
let rig: Rig;
let ecr: ECRClient;
const secret = { username: 'robot', accessToken: 'its password' };
const credentialArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/up-AbCdEf';

/** A registry that wants its guests to sign in, before the one that has the images. */
async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '';
  if (isDown) return void request.socket.destroy();
  const basic = `Basic ${btoa(`${secret.username}:${secret.accessToken}`)}`;
  const { authorization } = request.headers;
  const refuse = (header: string) => response.writeHead(401, { 'www-authenticate': header }).end();
  if (url.startsWith('/token')) {
    if (authorization !== basic) return void refuse('Basic realm="token"');
    const scope = new URL(url, 'http://x').searchParams.get('scope') ?? '';
    return void response.end(JSON.stringify({ token: `t:${scope}`, expires_in: 300 }));
  }
  if (challenge === 'basic' && authorization !== basic) return void refuse('Basic realm="up"');
  const name = /^\/v2\/(.+)\/(manifests|blobs)\//.exec(url)?.[1];
  const scope = name === undefined ? '' : `repository:${name}:pull`;
  if (challenge === 'bearer' && authorization !== `Bearer t:${scope}`)
    return void refuse(`Bearer realm="http://${host}/token",service="up"${scope && `,scope="${scope}"`}`);
  asked.push(`${request.method} ${url}`);
  const reply = await upstream.send(request.method ?? '', url, { accept: request.headers.accept });
  response.writeHead(reply.status, reply.headers).end(reply.body);
}

before(async () => {
  upstream = await openRig();
  front = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
  rig = await openRig({
    clock,
    allows: (caller, action) => caller.userId !== 'PULLER' || !/Import|Create/.test(action),
    neighbours: {
      events: {
        async emit(_tx, event) {
          events.push(event);
        },
      },
    },
  });
  ecr = new ECRClient(rig.client);
  await upstream.call('CreateRepository', { repositoryName: 'library/app' });
});
after(async () => {
  ecr.destroy();
  front.closeAllConnections();
  front.close();
  await rig.close();
  await upstream.close();
});

async function pushUpstream(tag: string): Promise<{ text: string; digest: string; layer: string }> {
  const text = await pushImageBlobs(upstream, 'library/app');
  assert.equal((await putManifestText(upstream, 'library/app', tag, text)).status, 201);
  return { text, digest: sha256(text), layer: JSON.parse(text).layers[0].digest };
}
const cached = async (repository: string) => {
  const rows = await rig.store.db.selectFrom('ecr_tag').selectAll().where('repository', '=', repository).execute();
  return rows.map((row) => `${row.tag} ${row.digest}`);
};
test('rules are matched by their longest prefix', () => {
  const rule = (prefix: string, upstream_prefix = 'ROOT') => ({
    prefix,
    upstream_prefix,
    upstream_url: 'x',
    credential_arn: null,
  });
  const rules = [rule('ROOT'), rule('hub'), rule('hub/team', 'library')];
  assert.equal(ruleFor(rules, 'hub/team/app')?.prefix, 'hub/team');
  assert.equal(ruleFor(rules, 'hub/app')?.prefix, 'hub');
  assert.equal(ruleFor(rules, 'hubbub/app')?.prefix, 'ROOT');
  assert.equal(upstreamRepository(rule('hub/team', 'library'), 'hub/team/app'), 'library/app');
  assert.equal(upstreamRepository(rule('ROOT'), 'a/b'), 'a/b');
});

test('rules are made, described, changed, validated and deleted', async () => {
  const input = { ecrRepositoryPrefix: 'quay', upstreamRegistryUrl: 'quay.io' };
  const made = await ecr.send(new CreatePullThroughCacheRuleCommand(input));
  assert.deepEqual([made.upstreamRegistry, made.upstreamRepositoryPrefix], ['quay', 'ROOT']);
  await assert.rejects(ecr.send(new CreatePullThroughCacheRuleCommand(input)), {
    name: 'PullThroughCacheRuleAlreadyExistsException',
  });
  await assert.rejects(
    ecr.send(
      new CreatePullThroughCacheRuleCommand({ ...input, ecrRepositoryPrefix: 'other', upstreamRegistry: 'docker-hub' }),
    ),
    { name: 'UnsupportedUpstreamRegistryException' },
  );
  await assert.rejects(
    ecr.send(new CreatePullThroughCacheRuleCommand({ ...input, ecrRepositoryPrefix: 'other', credentialArn })),
    { name: 'SecretNotFoundException', message: /Secrets Manager is not served: put .*ecr-pullthroughcache\/up\.json/ },
  );
  for (const upstreamRegistryUrl of ['https://quay.io', 'quay.io/a', 'a b'])
    await assert.rejects(
      ecr.send(new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'bad', upstreamRegistryUrl })),
      { name: 'InvalidParameterException' },
    );
  const { pullThroughCacheRules } = await ecr.send(new DescribePullThroughCacheRulesCommand({}));
  assert.deepEqual(
    pullThroughCacheRules?.map((rule) => rule.upstreamRegistryUrl),
    ['quay.io'],
  );
  await ecr.send(new DeletePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'quay' }));
  await assert.rejects(ecr.send(new DeletePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'quay' })), {
    name: 'PullThroughCacheRuleNotFoundException',
  });
});

for (const kind of ['none', 'basic', 'bearer'] as const)
  test(`an image comes through, is kept, and is there without its upstream (${kind})`, async (t) => {
    challenge = kind;
    const prefix = `up-${kind}`;
    t.after(() => {
      challenge = 'none';
      isDown = false;
    });
    if (kind !== 'none') {
      await mkdir(join(rig.dataDir, 'secrets/ecr-pullthroughcache'), { recursive: true });
      await writeFile(join(rig.dataDir, 'secrets/ecr-pullthroughcache/up.json'), JSON.stringify(secret));
    }
    const rule = { ecrRepositoryPrefix: prefix, upstreamRegistryUrl: host, upstreamRepositoryPrefix: 'library' };
    await ecr.send(new CreatePullThroughCacheRuleCommand(rule));
    const validate = () => ecr.send(new ValidatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: prefix }));
    if (kind !== 'none') {
      const refused = await validate();
      assert.equal(refused.isValid, false);
      assert.match(refused.failure ?? '', /credential|401/);
      await ecr.send(new UpdatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: prefix, credentialArn }));
    }
    assert.deepEqual((await validate()).failure, undefined);
    const image = await pushUpstream('v1');
    const repository = `${prefix}/app`;
    asked = [];
    events.length = 0;

    const manifest = await rig.send('GET', `/v2/${repository}/manifests/v1`);
    assert.equal(manifest.status, 200, manifest.body.toString());
    assert.equal(manifest.body.toString(), image.text);
    assert.equal(manifest.headers['docker-content-digest'], image.digest);
    const layers = await Promise.all([1, 2, 3, 4].map(() => rig.send('GET', `/v2/${repository}/blobs/${image.layer}`)));
    for (const layer of layers) assert.equal(sha256(layer.body), image.layer);
    assert.equal(asked.filter((line) => line.includes(image.layer)).length, 1, 'one fetch for all who ask');
    await eventually(
      'the image is complete',
      async () => (await cached(repository)).includes(`v1 ${image.digest}`),
      20_000,
    );
    assert.equal(asked.filter((line) => line.includes('/manifests/')).length, 1);
    const told = events.find((event) => event.detailType === 'ECR Pull Through Cache Action');
    assert.equal((told?.detail as Record<string, string> | undefined)?.['sync-status'], 'SUCCESS');

    asked = [];
    assert.equal((await rig.send('GET', `/v2/${repository}/manifests/v1`)).status, 200);
    assert.deepEqual(asked, [], 'a fresh tag is not asked for again');
    const newer = await pushUpstream('v1');
    now += 25 * 3_600_000;
    const authorization = await rig.signIn();
    isDown = true;
    const offline = await rig.send('GET', `/v2/${repository}/manifests/v1`, { authorization });
    assert.deepEqual([offline.status, sha256(offline.body)], [200, image.digest], 'served from the cache');
    isDown = false;
    const again = await rig.send('GET', `/v2/${repository}/manifests/v1`, { authorization });
    assert.equal(sha256(again.body), newer.digest, 'after 24 hours the tag is compared');
    now = Date.now();
    await eventually(
      'the new image is complete',
      async () => (await cached(repository)).includes(`v1 ${newer.digest}`),
      20_000,
    );
  });

test('what the upstream lacks, refuses or does not answer is told in OCI shape', async (t) => {
  t.after(() => {
    challenge = 'none';
    isDown = false;
  });
  const get = (path: string, authorization = rig.authorization) => rig.send('GET', path, { authorization });
  await ecr.send(new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'plain', upstreamRegistryUrl: host }));
  assert.deepEqual([(await get('/v2/plain/library/app/manifests/nope')).code], ['MANIFEST_UNKNOWN']);
  challenge = 'basic';
  assert.equal((await get('/v2/plain/library/app/manifests/v1')).code, 'DENIED');
  challenge = 'none';
  isDown = true;
  assert.equal((await get('/v2/plain/library/app/manifests/v1')).status, 502);
  isDown = false;
  const puller = await rig.signIn(user('puller'));
  assert.equal(
    (await get('/v2/plain/library/app/manifests/v1', puller)).status,
    403,
    'importing is an action of its own',
  );
  await assert.rejects(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: ['plain/library/app'] })), {
    name: 'RepositoryNotFoundException',
  });
});

test('skopeo copies an index of a large image through the cache', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-through-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const layer = randomBytes(12_000_000);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
  });
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await pushBlob(upstream, 'library/app', config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: await pushBlob(upstream, 'library/app', layer),
        size: layer.length,
      },
    ],
  });
  const other = await pushImageBlobs(upstream, 'library/app');
  for (const each of [text, other]) await putManifestText(upstream, 'library/app', sha256(each), each);
  const child = (each: string, architecture: string) => ({
    mediaType: mediaTypes.ociManifest,
    digest: sha256(each),
    size: each.length,
    platform: { os: 'linux', architecture },
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [child(text, 'amd64'), child(other, 'arm64')],
  });
  assert.equal((await putManifestText(upstream, 'library/app', 'multi', index, mediaTypes.ociIndex)).status, 201);
  await ecr.send(new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'sk', upstreamRegistryUrl: host }));
  const [name, password] = Buffer.from(rig.authorization.slice(6), 'base64').toString().split(/:(.*)/s);
  const copy = (to: string) =>
    run(
      'skopeo',
      [
        ...['--override-arch', 'amd64', '--insecure-policy', 'copy', '--src-tls-verify=false'],
        ...['--src-creds', `${name}:${password}`],
        ...[`docker://127.0.0.1:${rig.port}/sk/library/app:multi`, `oci:${folder}/${to}:x`],
      ],
      { timeout: 60_000 },
    );
  await copy('first');
  await eventually('the index is kept', async () => (await cached('sk/library/app')).length === 1, 20_000);
  await eventually(
    'nothing is on its way',
    async () => {
      const pending = rig.store.db.selectFrom('ecr_upstream_manifest').select('digest');
      return (await pending.where('repository', '=', 'sk/library/app').execute()).length === 0;
    },
    20_000,
  );
  isDown = true;
  t.after(() => {
    isDown = false;
  });
  await copy('second');
});

test('templates make the repositories of the cache and of first pushes', async () => {
  const lifecyclePolicy = JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
        action: { type: 'expire' },
      },
    ],
  });
  const prefix = 'made';
  const create = { prefix, appliedFor: ['PULL_THROUGH_CACHE' as const], imageTagMutability: 'IMMUTABLE' as const };
  await ecr.send(new CreateRepositoryCreationTemplateCommand({ ...create, lifecyclePolicy }));
  await assert.rejects(ecr.send(new CreateRepositoryCreationTemplateCommand(create)), {
    name: 'TemplateAlreadyExistsException',
  });
  await assert.rejects(
    ecr.send(new CreateRepositoryCreationTemplateCommand({ ...create, prefix: 'bad', lifecyclePolicy: '{}' })),
    { name: 'InvalidParameterException' },
  );
  await ecr.send(new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: prefix, upstreamRegistryUrl: host }));
  await pushUpstream('v9');
  assert.equal((await rig.send('GET', '/v2/made/library/app/manifests/v9')).status, 200);
  const repositoryName = 'made/library/app';
  const { repositories } = await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repositoryName] }));
  assert.equal(repositories?.[0]?.imageTagMutability, 'IMMUTABLE');
  const policy = await ecr.send(new GetLifecyclePolicyCommand({ repositoryName }));
  assert.equal(policy.lifecyclePolicyText, lifecyclePolicy);

  const start = () => rig.send('POST', '/v2/pushed/app/blobs/uploads/');
  assert.equal((await start()).code, 'NAME_UNKNOWN');
  const onPush = {
    prefix: 'ROOT',
    appliedFor: ['CREATE_ON_PUSH' as const],
    resourceTags: [{ Key: 'by', Value: 'push' }],
  };
  await ecr.send(new CreateRepositoryCreationTemplateCommand(onPush));
  assert.equal((await start()).status, 202);
  const updated = await ecr.send(new UpdateRepositoryCreationTemplateCommand({ prefix: 'ROOT', description: 'all' }));
  assert.deepEqual(updated.repositoryCreationTemplate?.resourceTags, [{ Key: 'by', Value: 'push' }]);
  const listed = await ecr.send(new DescribeRepositoryCreationTemplatesCommand({}));
  assert.deepEqual(
    listed.repositoryCreationTemplates?.map((each) => each.prefix),
    ['ROOT', 'made'],
  );
  await ecr.send(new DeleteRepositoryCreationTemplateCommand({ prefix: 'ROOT' }));
  await assert.rejects(ecr.send(new DeleteRepositoryCreationTemplateCommand({ prefix: 'ROOT' })), {
    name: 'TemplateNotFoundException',
  });
});
