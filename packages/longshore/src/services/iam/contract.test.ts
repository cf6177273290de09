import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateRoleCommand, IAMClient, ListUsersCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import type { Caller } from '../../wire/service.ts';
import { account, openTestAccount, region, type TestAccount } from './iam.testing.ts';

const trust = (Service: string, Condition?: object) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service }, Action: 'sts:AssumeRole', ...(Condition && { Condition }) }],
  });
const roleArn = `arn:aws:iam::${account}:role/app`;
const facts = { region, sourceIp: '127.0.0.1', secureTransport: false, userAgent: '' };

let opened: TestAccount;
let iam: IAMClient;
before(async () => {
  opened = await openTestAccount();
  iam = new IAMClient(opened.client());
  await iam.send(
    new CreateRoleCommand({
      RoleName: 'app',
      AssumeRolePolicyDocument: trust('ecs-tasks.amazonaws.com', {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:aws:ecs:${region}:${account}:*` },
      }),
    }),
  );
});
after(async () => {
  iam.destroy();
  await opened.close();
});

test('a service gets credentials of a role that trusts it, and they may what the role may', async () => {
  const { sessionFor } = opened.iam.contract;
  const session = await sessionFor(roleArn, 'ecs-tasks.amazonaws.com', 'task-1', 3600);
  assert.match(session.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
  const asTask = new IAMClient(opened.client(session));
  await assert.rejects(asTask.send(new ListUsersCommand({})), {
    name: 'AccessDenied',
    message: /^User: arn:aws:sts::\d+:assumed-role\/app\/task-1 is not authorized to perform: iam:ListUsers/,
  });
  const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iam:ListUsers', Resource: '*' }] };
  await iam.send(
    new PutRolePolicyCommand({ RoleName: 'app', PolicyName: 'p', PolicyDocument: JSON.stringify(document) }),
  );
  await asTask.send(new ListUsersCommand({}));
  asTask.destroy();

  await assert.rejects(sessionFor(roleArn, 'ec2.amazonaws.com', 'x', 3600), { code: 'AccessDenied' });
  await assert.rejects(sessionFor(`${roleArn}2`, 'ecs-tasks.amazonaws.com', 'x', 3600), { code: 'NoSuchEntity' });
});

test('a session without its token, or with another, is refused', async () => {
  const session = await opened.iam.contract.sessionFor(roleArn, 'ecs-tasks.amazonaws.com', 'task-2', 3600);
  const { sessionToken: _, ...keys } = session;
  for (const credentials of [keys, { ...session, sessionToken: 'other' }]) {
    const client = new IAMClient(opened.client(credentials));
    await assert.rejects(client.send(new ListUsersCommand({})), { name: 'InvalidClientTokenId' });
    client.destroy();
  }
});

test('the node may do what an agent must and no more', async () => {
  const { gatekeeper, systemCredentials } = opened.iam.contract;
  const node = await systemCredentials('node');
  assert.deepEqual(await systemCredentials('node'), node);
  const { caller } = (await gatekeeper.credential(node.accessKeyId))!;
  assert.deepEqual(caller, node.caller);
  const may = (action: string) => gatekeeper.authorize(caller, { action, resource: '*' }, facts);
  for (const action of ['ecs:RegisterContainerInstance', 'ecs:SubmitTaskStateChange', 'logs:PutLogEvents']) {
    await may(action);
  }
  for (const action of ['ecs:RunTask', 'iam:CreateUser', 'ecr:PutImage', 'logs:DeleteLogGroup']) {
    await assert.rejects(may(action), { code: 'AccessDeniedException' });
  }
});

test('PassRole is asked with the service that the role is for', async () => {
  const { contract } = opened.iam;
  await iam.send(
    new CreateRoleCommand({ RoleName: 'deployer', AssumeRolePolicyDocument: trust('ecs-tasks.amazonaws.com') }),
  );
  const pass = {
    Effect: 'Allow',
    Action: 'iam:PassRole',
    Resource: roleArn,
    Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
  };
  await iam.send(
    new PutRolePolicyCommand({
      RoleName: 'deployer',
      PolicyName: 'pass',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [pass] }),
    }),
  );
  const session = await contract.sessionFor(
    `arn:aws:iam::${account}:role/deployer`,
    'ecs-tasks.amazonaws.com',
    'ci',
    900,
  );
  const { caller } = (await contract.gatekeeper.credential(session.accessKeyId))!;
  const context = opened.context(caller);
  await contract.checkPassRole(context, roleArn, 'ecs-tasks.amazonaws.com');
  await assert.rejects(contract.checkPassRole(context, roleArn, 'ec2.amazonaws.com'), {
    code: 'AccessDeniedException',
  });
  await assert.rejects(contract.checkPassRole(context, `${roleArn}2`, 'ecs-tasks.amazonaws.com'), {
    message: /is not authorized to perform: iam:PassRole on resource: /,
  });
});

test('a caller whose session is gone may nothing, and one without a key what its ARN may', async () => {
  const { gatekeeper } = opened.iam.contract;
  const caller: Caller = {
    accountId: account,
    arn: `arn:aws:sts::${account}:assumed-role/app/x`,
    userId: 'AROA:x',
    type: 'assumed-role',
    roleArn,
  };
  const access = { action: 'iam:ListUsers', resource: '*' };
  await gatekeeper.authorize(caller, access, facts);
  const gone = { ...caller, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' };
  await assert.rejects(gatekeeper.authorize(gone, access, facts), { code: 'AccessDeniedException' });
});

test('asking is fast: tens of thousands of decisions a second', async () => {
  const { gatekeeper, sessionFor } = opened.iam.contract;
  const session = await sessionFor(roleArn, 'ecs-tasks.amazonaws.com', 'fast', 900);
  const { caller } = (await gatekeeper.credential(session.accessKeyId))!;
  const began = performance.now();
  for (let i = 0; i < 5_000; i++) {
    await gatekeeper.credential(session.accessKeyId);
    await gatekeeper.authorize(caller, { action: 'iam:ListUsers', resource: '*' }, facts);
  }
  assert.ok(performance.now() - began < 1_000, `5,000 decisions took ${performance.now() - began} ms`);
});

test('with auth off a role need not be there', async () => {
  const off = await openTestAccount({ auth: 'off' });
  try {
    const session = await off.iam.contract.sessionFor(
      'arn:aws:iam::1:role/made-up',
      'ecs-tasks.amazonaws.com',
      'x',
      900,
    );
    assert.match(session.accessKeyId, /^ASIA/);
  } finally {
    await off.close();
  }
});
