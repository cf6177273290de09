import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  ListRolesCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { account, type Keys, openTestAccount, type TestAccount } from '../iam/iam.testing.ts';
import { stsService } from './service.ts';

const bobArn = `arn:aws:iam::${account}:user/bob`;
const arnOf = (role: string) => `arn:aws:iam::${account}:role/${role}`;
const allow = (Action: string | string[], Resource = '*') => ({ Effect: 'Allow', Action, Resource });
const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });

let opened: TestAccount;
let iam: IAMClient;
let bob: Keys;
before(async () => {
  opened = await openTestAccount({ services: (parts, contract) => [stsService(parts, { iam: contract })] });
  iam = new IAMClient(opened.client());
  await iam.send(new CreateUserCommand({ UserName: 'bob' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'bob' }));
  bob = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
});
after(async () => {
  iam.destroy();
  await opened.close();
});

async function makeRole(RoleName: string, principal: string, more: object = {}): Promise<void> {
  await iam.send(
    new CreateRoleCommand({
      RoleName,
      AssumeRolePolicyDocument: document({
        Effect: 'Allow',
        Principal: { AWS: principal },
        Action: ['sts:AssumeRole', 'sts:TagSession'],
        ...more,
      }),
    }),
  );
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument: document(allow('iam:List*')) }));
}

async function assume(
  role: string,
  more: Partial<AssumeRoleCommandInput> = {},
  keys: Keys = bob,
): Promise<Keys & { readonly arn: string; readonly expires: Date }> {
  const sts = new STSClient(opened.client(keys));
  try {
    const { Credentials, AssumedRoleUser } = await sts.send(
      new AssumeRoleCommand({ RoleArn: arnOf(role), RoleSessionName: 'test', ...more }),
    );
    return {
      accessKeyId: Credentials!.AccessKeyId!,
      secretAccessKey: Credentials!.SecretAccessKey!,
      sessionToken: Credentials!.SessionToken!,
      expires: Credentials!.Expiration!,
      arn: AssumedRoleUser!.Arn!,
    };
  } finally {
    sts.destroy();
  }
}

async function as<T>(keys: Keys, work: (client: IAMClient) => Promise<T>): Promise<T> {
  const client = new IAMClient(opened.client(keys));
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

test('GetCallerIdentity says who signed', async () => {
  const whoAmI = async (keys?: Keys) => {
    const sts = new STSClient(opened.client(keys));
    const { Account, Arn, UserId } = await sts.send(new GetCallerIdentityCommand({}));
    sts.destroy();
    return { Account, Arn, UserId };
  };
  assert.deepEqual(await whoAmI(), { Account: account, Arn: `arn:aws:iam::${account}:root`, UserId: account });
  assert.equal((await whoAmI(bob)).Arn, bobArn);
  await makeRole('who', bobArn);
  const session = await assume('who');
  const found = await whoAmI(session);
  assert.equal(found.Arn, `arn:aws:sts::${account}:assumed-role/who/test`);
  assert.match(found.UserId!, /^AROA[A-Z2-7]{17}:test$/);
});

test('a trust policy that names the user is enough; one that names the account needs the user’s own', async () => {
  await makeRole('direct', bobArn);
  const session = await assume('direct', { DurationSeconds: 900 });
  assert.equal(session.arn, `arn:aws:sts::${account}:assumed-role/direct/test`);
  const left = session.expires.getTime() - Date.now();
  assert.ok(left > 880_000 && left <= 900_000);
  await as(session, (client) => client.send(new ListRolesCommand({})));

  await makeRole('by-account', account);
  const refused = {
    name: 'AccessDenied',
    message: `User: ${bobArn} is not authorized to perform: sts:AssumeRole on resource: ${arnOf('by-account')}`,
  };
  await assert.rejects(assume('by-account'), refused);
  const put = (statement: object) =>
    iam.send(new PutUserPolicyCommand({ UserName: 'bob', PolicyName: 'assume', PolicyDocument: document(statement) }));
  await put(allow('sts:AssumeRole', arnOf('by-account')));
  await assume('by-account');
  await put({ ...allow('sts:AssumeRole'), Effect: 'Deny' });
  await assert.rejects(assume('by-account'), refused);
  await assert.rejects(assume('direct'), { name: 'AccessDenied' });
  await put(allow('iam:GetUser'));
  await assert.rejects(assume('missing'), { name: 'AccessDenied' });
});

test('an external id and tags are for the trust policy to ask', async () => {
  await makeRole('partner', bobArn, { Condition: { StringEquals: { 'sts:ExternalId': 'secret' } } });
  await assert.rejects(assume('partner'), { name: 'AccessDenied' });
  await assume('partner', { ExternalId: 'secret' });
  await makeRole('tagged', bobArn, { Condition: { StringEquals: { 'aws:RequestTag/team': 'a' } } });
  await assert.rejects(assume('tagged', { Tags: [{ Key: 'team', Value: 'b' }] }), { name: 'AccessDenied' });
  await assume('tagged', { Tags: [{ Key: 'team', Value: 'a' }] });
});

test('session policies narrow', async () => {
  await makeRole('narrow', bobArn);
  const session = await assume('narrow', { Policy: document(allow('iam:ListUsers')) });
  await as(session, async (client) => {
    await client.send(new ListUsersCommand({}));
    await assert.rejects(client.send(new ListRolesCommand({})), {
      name: 'AccessDenied',
      message: /because no session policy allows the iam:ListRoles action$/,
    });
  });
  await assert.rejects(assume('narrow', { Policy: '{"Version":"2012-10-17"}' }), {
    name: 'MalformedPolicyDocumentException',
  });
  const byArn = await assume('narrow', { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/AmazonS3FullAccess' }] });
  await as(byArn, (client) => assert.rejects(client.send(new ListUsersCommand({})), { name: 'AccessDenied' }));
});

test('sessions are no longer than the role and chaining allow', async () => {
  await makeRole('hour', account);
  await assert.rejects(assume('hour', { DurationSeconds: 7200 }, opened.root), {
    name: 'ValidationError',
    message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  });
  await assert.rejects(assume('hour', { DurationSeconds: 60 }, opened.root), { name: /Validation/ });
  await assume('hour', {}, opened.root);
});

test('GetSessionToken keeps the user’s permissions, and not for sessions', async () => {
  await iam.send(
    new AttachUserPolicyCommand({ UserName: 'bob', PolicyArn: 'arn:aws:iam::aws:policy/IAMReadOnlyAccess' }),
  );
  const sts = new STSClient(opened.client(bob));
  const { Credentials } = await sts.send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
  sts.destroy();
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  await as(session, (client) => client.send(new ListUsersCommand({})));
  const again = new STSClient(opened.client(session));
  await assert.rejects(again.send(new GetSessionTokenCommand({})), { name: 'AccessDenied' });
  again.destroy();
});

test('GetAccessKeyInfo knows the account of its keys', async () => {
  const sts = new STSClient(opened.client());
  const found = await sts.send(new GetAccessKeyInfoCommand({ AccessKeyId: bob.accessKeyId }));
  assert.equal(found.Account, account);
  await assert.rejects(sts.send(new GetAccessKeyInfoCommand({ AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA' })), {
    name: 'ValidationError',
  });
  sts.destroy();
});
