import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  BatchGetImageCommand,
  CreateRepositoryCommand,
  DeleteRegistryPolicyCommand,
  DeleteRepositoryPolicyCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
  GetRegistryPolicyCommand,
  GetRepositoryPolicyCommand,
  ListImagesCommand,
  PutRegistryPolicyCommand,
  SetRepositoryPolicyCommand,
} from '@aws-sdk/client-ecr';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { openTestAccount, type TestAccount } from '../iam/iam.testing.ts';
import { ecrService } from './service.ts';
import { ecrMigrations } from './tables.ts';

const account = '111122223333';
const registryId = account;
const repositoryName = 'team/app';
let opened: TestAccount;
let folder: string;
let root: ECRClient;
let ann: ECRClient;
let bob: ECRClient;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-ecr-policies-'));
  let prepare: (() => Promise<void>) | undefined;
  opened = await openTestAccount({
    migrations: ecrMigrations,
    services: (parts, iam) => {
      const service = ecrService({ ...parts, settings: { ...parts.settings, dataDir: folder } }, { iam });
      prepare = service.prepare;
      return [service];
    },
  });
  await prepare?.();
  const iam = new IAMClient(opened.client());
  const user = async (UserName: string, ...statements: object[]) => {
    await iam.send(new CreateUserCommand({ UserName }));
    await iam.send(
      new PutUserPolicyCommand({
        UserName,
        PolicyName: 'own',
        PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
      }),
    );
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    return new ECRClient(
      opened.client({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' }),
    );
  };
  ann = await user('ann', { Effect: 'Allow', Action: 'ecr:*', Resource: '*' });
  bob = await user('bob', { Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' });
  iam.destroy();
  root = new ECRClient(opened.client());
  await root.send(new CreateRepositoryCommand({ repositoryName }));
});
after(async () => {
  for (const client of [root, ann, bob]) client.destroy();
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const arn = (user: string) => `arn:aws:iam::${account}:user/${user}`;
const set = (client: ECRClient, policyText: string, force = false) =>
  client.send(new SetRepositoryPolicyCommand({ repositoryName, policyText, force }));

/** Status and first error of a pull at `/v2/`, as the user whom the client signs for. */
async function pull(client: ECRClient): Promise<{ status: number; code: string; message: string }> {
  const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
  const authorization = `Basic ${authorizationData?.[0]?.authorizationToken}`;
  return new Promise((resolve, reject) => {
    const { endpoint } = opened.client();
    request(
      `${endpoint}/v2/${repositoryName}/manifests/latest`,
      { headers: { authorization }, agent: false },
      (reply) => {
        let text = '';
        reply.on('data', (chunk) => {
          text += chunk;
        });
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, ...JSON.parse(text).errors[0] }));
      },
    )
      .on('error', reject)
      .end();
  });
}

test('a repository policy is set, read and deleted', async () => {
  const policyText = document({ Effect: 'Allow', Principal: { AWS: arn('bob') }, Action: 'ecr:ListImages' });
  await assert.rejects(root.send(new GetRepositoryPolicyCommand({ repositoryName })), {
    name: 'RepositoryPolicyNotFoundException',
    message: `Repository policy does not exist for the repository with name '${repositoryName}' in the registry with id '${account}'`,
  });
  const answer = await set(root, policyText);
  assert.deepEqual(
    [answer.registryId, answer.repositoryName, answer.policyText],
    [registryId, repositoryName, policyText],
  );
  assert.equal((await root.send(new GetRepositoryPolicyCommand({ repositoryName }))).policyText, policyText);
  assert.equal((await root.send(new DeleteRepositoryPolicyCommand({ repositoryName }))).policyText, policyText);
  await assert.rejects(root.send(new DeleteRepositoryPolicyCommand({ repositoryName })), {
    name: 'RepositoryPolicyNotFoundException',
  });
  await assert.rejects(set(root, '{"Statement":'), {
    name: 'InvalidParameterException',
    message: /Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'/,
  });
});

test('a repository policy grants, at the API and at /v2/', async () => {
  await assert.rejects(bob.send(new ListImagesCommand({ repositoryName })), { name: 'AccessDeniedException' });
  assert.equal((await pull(bob)).code, 'DENIED');
  await set(
    root,
    document({ Effect: 'Allow', Principal: { AWS: arn('bob') }, Action: ['ecr:ListImages', 'ecr:BatchGetImage'] }),
  );
  assert.deepEqual((await bob.send(new ListImagesCommand({ repositoryName }))).imageIds, []);
  assert.equal((await pull(bob)).code, 'MANIFEST_UNKNOWN');
  await root.send(new DeleteRepositoryPolicyCommand({ repositoryName }));
});

test('a repository policy denies pulls, in both shapes', async () => {
  await set(root, document({ Effect: 'Deny', Principal: '*', Action: 'ecr:BatchGetImage' }));
  const message =
    /is not authorized to perform: ecr:BatchGetImage on resource: .* with an explicit deny in a resource-based policy$/;
  for (const client of [ann, root]) {
    await assert.rejects(client.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag: 'a' }] })), {
      name: 'AccessDeniedException',
      message,
    });
    const refused = await pull(client);
    assert.deepEqual([refused.status, refused.code], [403, 'DENIED']);
    assert.match(refused.message, message);
  }
  await root.send(new DeleteRepositoryPolicyCommand({ repositoryName }));
  assert.equal((await pull(ann)).code, 'MANIFEST_UNKNOWN');
});

test('a policy that shuts its setter out must be forced, and root can mend it', async () => {
  const lockout = document({ Effect: 'Deny', Principal: '*', Action: 'ecr:*' });
  await assert.rejects(set(ann, lockout), { name: 'InvalidParameterException', message: /force/ });
  await set(ann, lockout, true);
  await assert.rejects(set(ann, lockout, true), { name: 'AccessDeniedException' });
  await assert.rejects(root.send(new ListImagesCommand({ repositoryName })), { name: 'AccessDeniedException' });
  await root.send(new DeleteRepositoryPolicyCommand({ repositoryName }));
  await ann.send(new ListImagesCommand({ repositoryName }));
});

test('the policy of the registry counts for all its repositories', async () => {
  await assert.rejects(root.send(new GetRegistryPolicyCommand({})), { name: 'RegistryPolicyNotFoundException' });
  await assert.rejects(root.send(new PutRegistryPolicyCommand({ policyText: document({ Effect: 'Deny' }) })), {
    name: 'InvalidParameterException',
  });
  const Resource = `arn:aws:ecr:eu-west-1:${account}:repository/team/*`;
  const policyText = document({ Effect: 'Deny', Principal: { AWS: arn('ann') }, Action: 'ecr:ListImages', Resource });
  await root.send(new PutRegistryPolicyCommand({ policyText }));
  assert.equal((await root.send(new GetRegistryPolicyCommand({}))).policyText, policyText);
  await assert.rejects(ann.send(new ListImagesCommand({ repositoryName })), {
    name: 'AccessDeniedException',
    message: /explicit deny in a resource-based policy/,
  });
  await root.send(new DeleteRegistryPolicyCommand({}));
  await ann.send(new ListImagesCommand({ repositoryName }));
});
