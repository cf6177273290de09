import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import {
  CreateRepositoryCommand,
  DeleteRepositoryCommand,
  DescribeImagesCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
  ImageNotFoundException,
  ListImagesCommand,
  paginateDescribeRepositories,
  RepositoryAlreadyExistsException,
  RepositoryNotEmptyException,
} from '@aws-sdk/client-ecr';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { Settings } from '../../base/settings.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import { startTestServer, testAccount, testRegion } from '../../wire/server.testing.ts';
import { iamService } from '../iam/service.ts';
import { iamMigrations } from '../iam/tables.ts';
import { ecrService } from './service.ts';
import { ecrMigrations } from './tables.ts';

/** ECR with the real IAM behind the real wire, for genuine clients. */
async function openRegistry() {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-ecr-'));
  const settings: Settings = {
    port: 0,
    host: '127.0.0.1',
    dataDir,
    instanceId: systemRandom.hex(4),
    region: testRegion,
    accountId: testAccount,
    auth: 'on',
    runtime: 'simulated',
    publicPool: '100.64.0.0/16',
  };
  const migrations = { ...iamMigrations, ...ecrMigrations };
  const store = await openSqliteStore({ path: join(dataDir, 'state.db'), migrations, log: silentLogger });
  const parts = { store, clock: systemClock, random: systemRandom, settings, log: silentLogger };
  const iam = iamService(parts);
  const ecr = ecrService(parts, { iam: iam.contract });
  for (const service of [iam, ecr]) await service.prepare?.();
  const server = await startTestServer([iam.definition, ecr.definition], { gatekeeper: iam.contract.gatekeeper });
  const root = await iam.contract.systemCredentials('root');
  const client = { ...server.client, credentials: root };
  return {
    dataDir,
    host: `localhost:${server.port}`,
    client,
    ecr: new ECRClient(client),
    iam: new IAMClient(client),
    async close() {
      server.server.closeAllConnections();
      await server.close();
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let registry: Awaited<ReturnType<typeof openRegistry>>;
before(async () => {
  registry = await openRegistry();
});
after(() => registry.close());

const run = promisify(execFile);

/** Runs a genuine client; skips the test where the machine has none. */
async function tool(t: TestContext, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  try {
    const { stdout } = await run(command, args, { timeout: 60_000, env: { ...process.env, ...env } });
    return stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') t.skip(`${command} is not installed`);
    throw error;
  }
}

async function hasTool(command: string): Promise<boolean> {
  const paths = (process.env.PATH ?? '').split(delimiter);
  const found = await Promise.all(
    paths.map((path) =>
      readFile(join(path, command)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** Signs skopeo and buildah in: what `aws ecr get-login-password | skopeo login` leaves in the file. */
async function signIn(client: ECRClient, file: string): Promise<string> {
  const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
  const auth = authorizationData?.[0]?.authorizationToken;
  const path = join(registry.dataDir, file);
  await writeFile(path, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  return path;
}

/** Builds an image from scratch with buildah, in a storage of its own; its storage arguments. */
async function build(t: TestContext, folder: string, name: string): Promise<readonly string[]> {
  const path = join(registry.dataDir, folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'Dockerfile'), 'FROM scratch\nCOPY data /data\nCMD ["/data"]\n');
  await writeFile(join(path, 'data'), systemRandom.hex(200_000));
  const storage = ['--root', join(path, 'root'), '--runroot', join(path, 'run'), '--storage-driver', 'vfs'];
  await tool(t, 'buildah', [...storage, 'build', '--isolation', 'chroot', '-t', name, path]);
  return storage;
}

test('the genuine SDK makes, describes and deletes repositories', async () => {
  const { ecr } = registry;
  const { repository } = await ecr.send(new CreateRepositoryCommand({ repositoryName: 'sdk/app' }));
  assert.equal(repository?.repositoryUri?.endsWith('/sdk/app'), true);
  assert.ok(repository?.createdAt instanceof Date);
  await assert.rejects(
    ecr.send(new CreateRepositoryCommand({ repositoryName: 'sdk/app' })),
    RepositoryAlreadyExistsException,
  );
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'sdk/b' }));
  const names: (string | undefined)[] = [];
  for await (const page of paginateDescribeRepositories({ client: ecr, pageSize: 1 }, {}))
    names.push(...(page.repositories ?? []).map((found) => found.repositoryName));
  assert.deepEqual(names, ['sdk/app', 'sdk/b']);
  const missing = { repositoryName: 'sdk/app', imageIds: [{ imageTag: 'nope' }] };
  await assert.rejects(ecr.send(new DescribeImagesCommand(missing)), ImageNotFoundException);
  for (const repositoryName of ['sdk/app', 'sdk/b']) await ecr.send(new DeleteRepositoryCommand({ repositoryName }));
});

test('buildah builds and pushes, skopeo copies out and in again, by tag and digest', {
  timeout: 120_000,
}, async (t) => {
  if (!(await hasTool('skopeo')) || !(await hasTool('buildah'))) return t.skip('skopeo or buildah is not installed');
  const { ecr, host, dataDir } = registry;
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'tools/app' }));
  const authfile = await signIn(ecr, 'root.json');
  const storage = await build(t, 'build', 'app:v1');
  const login = ['--authfile', authfile, '--tls-verify=false'];
  const image = `docker://${host}/tools/app`;
  await tool(t, 'buildah', [...storage, 'push', ...login, 'app:v1', `${image}:v1`]);
  await tool(t, 'buildah', [...storage, 'push', ...login, 'app:v1', `${image}:v1`]);
  await tool(t, 'buildah', [...storage, 'push', ...login, '--format', 'v2s2', 'app:v1', `${image}:docker`]);
  const { imageDetails = [] } = await ecr.send(new DescribeImagesCommand({ repositoryName: 'tools/app' }));
  const types = imageDetails.map((detail) => detail.imageManifestMediaType).sort();
  assert.deepEqual(types, [
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.oci.image.manifest.v1+json',
  ]);
  const { imageDigest: digest } = imageDetails.find((detail) => detail.imageTags?.includes('v1')) ?? {};

  const layout = `oci:${join(dataDir, 'layout')}:v1`;
  const source = ['--src-authfile', authfile, '--src-tls-verify=false'];
  const target = ['--dest-authfile', authfile, '--dest-tls-verify=false'];
  await tool(t, 'skopeo', ['copy', ...source, `${image}@${digest}`, layout]);
  const index = JSON.parse(await readFile(join(dataDir, 'layout/index.json'), 'utf8'));
  assert.equal(index.manifests[0].digest, digest);
  await tool(t, 'skopeo', ['copy', ...target, layout, `${image}:again`]);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'tools/copy' }));
  await tool(t, 'skopeo', ['copy', ...source, ...target, `${image}:v1`, `docker://${host}/tools/copy:v1`]);
  await tool(t, 'skopeo', ['copy', '--multi-arch', 'all', ...source, ...target, `${image}:v1`, `${image}:multi`]);
  const inspected = JSON.parse(await tool(t, 'skopeo', ['inspect', ...login, `${image}:again`]));
  assert.equal(inspected.Digest, digest);
  assert.deepEqual(inspected.RepoTags, ['again', 'docker', 'multi', 'v1']);
  await tool(t, 'buildah', [...storage, 'pull', ...login, `${image}:docker`]);
  await tool(t, 'skopeo', ['delete', ...login, `${image}:docker`]);
  const { imageIds = [] } = await ecr.send(new ListImagesCommand({ repositoryName: 'tools/app' }));
  assert.deepEqual(
    imageIds.map((id) => [id.imageDigest, id.imageTag]),
    ['again', 'multi', 'v1'].map((tag) => [digest, tag]),
  );
  await assert.rejects(
    ecr.send(new DeleteRepositoryCommand({ repositoryName: 'tools/app' })),
    RepositoryNotEmptyException,
  );
  await ecr.send(new DeleteRepositoryCommand({ repositoryName: 'tools/app', force: true }));
  await ecr.send(new DeleteRepositoryCommand({ repositoryName: 'tools/copy', force: true }));
});

test('a push to a repository that was not made is refused in words', { timeout: 60_000 }, async (t) => {
  if (!(await hasTool('skopeo')) || !(await hasTool('buildah'))) return t.skip('skopeo or buildah is not installed');
  const { ecr, host } = registry;
  const authfile = await signIn(ecr, 'root.json');
  const storage = await build(t, 'missing', 'app:v1');
  const push = ['push', '--authfile', authfile, '--tls-verify=false', 'app:v1', `docker://${host}/not/made:v1`];
  await assert.rejects(
    tool(t, 'buildah', [...storage, ...push]),
    /The repository with name 'not\/made' does not exist in the registry with id '111122223333'/,
  );
});

test("a user's policies hold for his docker login", { timeout: 120_000 }, async (t) => {
  if (!(await hasTool('skopeo')) || !(await hasTool('buildah'))) return t.skip('skopeo or buildah is not installed');
  const { ecr, iam, host, client } = registry;
  for (const repositoryName of ['team/app', 'team/secret'])
    await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  await iam.send(new CreateUserCommand({ UserName: 'puller' }));
  const statement = (Action: string[], Resource: string) => ({ Effect: 'Allow', Action, Resource });
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      statement(['ecr:GetAuthorizationToken'], '*'),
      statement(
        ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        `arn:aws:ecr:${testRegion}:${testAccount}:repository/team/app`,
      ),
    ],
  });
  await iam.send(new PutUserPolicyCommand({ UserName: 'puller', PolicyName: 'pull', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'puller' }));
  const credentials = {
    accessKeyId: AccessKey?.AccessKeyId as string,
    secretAccessKey: AccessKey?.SecretAccessKey as string,
  };
  const storage = await build(t, 'team', 'app:v1');
  const rootLogin = ['--authfile', await signIn(ecr, 'root.json'), '--tls-verify=false'];
  const userLogin = [
    '--authfile',
    await signIn(new ECRClient({ ...client, credentials }), 'user.json'),
    '--tls-verify=false',
  ];
  const push = (login: readonly string[], name: string) =>
    tool(t, 'buildah', [...storage, 'push', ...login, 'app:v1', `docker://${host}/team/${name}:v1`]);
  await push(rootLogin, 'app');
  await push(rootLogin, 'secret');
  const pull = (name: string) =>
    tool(t, 'buildah', [...storage, 'pull', ...userLogin, `docker://${host}/team/${name}:v1`]);
  await pull('app');
  await assert.rejects(pull('secret'), /user\/puller is not authorized to perform: ecr:BatchGetImage/);
  await assert.rejects(push(userLogin, 'app'), /is not authorized to perform: ecr:/);
});

test('the AWS CLI gives the password that skopeo login takes', { timeout: 60_000 }, async (t) => {
  if (!(await hasTool('skopeo')) || !(await hasTool('aws'))) return t.skip('skopeo or the AWS CLI is not installed');
  const { client, dataDir, host } = registry;
  const env = {
    AWS_ACCESS_KEY_ID: client.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: client.credentials.secretAccessKey,
    AWS_DEFAULT_REGION: testRegion,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const password = await tool(t, 'aws', ['--endpoint-url', client.endpoint, 'ecr', 'get-login-password'], env);
  const authfile = join(dataDir, 'login.json');
  const login = ['login', '--authfile', authfile, '--tls-verify=false', '--username', 'AWS', '--password'];
  assert.match(await tool(t, 'skopeo', [...login, password.trim(), host]), /Login Succeeded/);
  await assert.rejects(tool(t, 'skopeo', [...login, 'wrong', host]), /Not Authorized|unauthorized|invalid username/i);
});
