import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateUserCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  GetAccountAuthorizationDetailsCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  IAMClient,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  ListUsersCommand,
  PutUserPermissionsBoundaryCommand,
  SetDefaultPolicyVersionCommand,
  SimulatePrincipalPolicyCommand,
} from '@aws-sdk/client-iam';
import { account, openTestAccount, type TestAccount } from '../iam.testing.ts';

const allow = (Action: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] });
const arn = `arn:aws:iam::${account}:policy/team/reads`;

let opened: TestAccount;
let iam: IAMClient;
before(async () => {
  opened = await openTestAccount();
  iam = new IAMClient(opened.client());
});
after(async () => {
  iam.destroy();
  await opened.close();
});

test('a managed policy lives: versions, attachment, boundary, deletion', async () => {
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: 'reads', Path: '/team/', PolicyDocument: allow('iam:List*') }),
  );
  assert.equal(Policy!.Arn, arn);
  assert.match(Policy!.PolicyId!, /^ANPA[A-Z2-7]{17}$/);
  await assert.rejects(iam.send(new CreatePolicyCommand({ PolicyName: 'Reads', PolicyDocument: allow('*') })), {
    name: 'EntityAlreadyExistsException',
    message: 'A policy called Reads already exists. Duplicate names are not allowed.',
  });

  await iam.send(new CreateUserCommand({ UserName: 'vera' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'vera' }));
  const vera = new IAMClient(
    opened.client({ accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! }),
  );
  await iam.send(new AttachUserPolicyCommand({ UserName: 'vera', PolicyArn: arn }));
  await vera.send(new ListUsersCommand({}));

  const made = await iam.send(
    new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: allow('iam:Get*'), SetAsDefault: true }),
  );
  assert.equal(made.PolicyVersion!.VersionId, 'v2');
  await assert.rejects(vera.send(new ListUsersCommand({})), { name: 'AccessDenied' });
  await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn: arn, VersionId: 'v1' }));
  await vera.send(new ListUsersCommand({}));

  await iam.send(
    new PutUserPermissionsBoundaryCommand({
      UserName: 'vera',
      PermissionsBoundary: 'arn:aws:iam::aws:policy/AmazonS3FullAccess',
    }),
  );
  await assert.rejects(vera.send(new ListUsersCommand({})), {
    name: 'AccessDenied',
    message: /because no permissions boundary allows the iam:ListUsers action$/,
  });
  vera.destroy();

  const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: 'v2' }));
  assert.equal(decodeURIComponent(PolicyVersion!.Document!), allow('iam:Get*'));
  assert.equal(PolicyVersion!.IsDefaultVersion, false);
  assert.equal((await iam.send(new GetPolicyCommand({ PolicyArn: arn }))).Policy!.AttachmentCount, 1);
  const entities = await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn: arn }));
  assert.deepEqual(
    entities.PolicyUsers!.map((user) => user.UserName),
    ['vera'],
  );
  await assert.rejects(iam.send(new DeletePolicyCommand({ PolicyArn: arn })), {
    name: 'DeleteConflictException',
    message: 'Cannot delete a policy attached to entities.',
  });
  await assert.rejects(iam.send(new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: 'v1' })), {
    message: 'Cannot delete the default version of a policy.',
  });
  await iam.send(new DeletePolicyVersionCommand({ PolicyArn: arn, VersionId: 'v2' }));
  for (let i = 0; i < 4; i++) {
    await iam.send(new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: allow('iam:Get*') }));
  }
  await assert.rejects(
    iam.send(new CreatePolicyVersionCommand({ PolicyArn: arn, PolicyDocument: allow('iam:Get*') })),
    { name: 'LimitExceededException' },
  );
  const { Versions } = await iam.send(new ListPolicyVersionsCommand({ PolicyArn: arn }));
  assert.deepEqual(
    Versions!.map((version) => version.VersionId),
    ['v6', 'v5', 'v4', 'v3', 'v1'],
  );
});

test('AWS’s own policies are there and cannot be changed', async () => {
  const administrator = 'arn:aws:iam::aws:policy/AdministratorAccess';
  const { Policies } = await iam.send(new ListPoliciesCommand({ Scope: 'AWS', MaxItems: 1000 }));
  assert.ok(Policies!.some((policy) => policy.Arn === administrator));
  await assert.rejects(iam.send(new DeletePolicyCommand({ PolicyArn: administrator })), { name: 'AccessDenied' });
  await assert.rejects(iam.send(new GetPolicyCommand({ PolicyArn: `${administrator}x` })), {
    name: 'NoSuchEntityException',
    message: `Policy ${administrator}x was not found.`,
  });
});

test('malformed and oversized documents are refused', async () => {
  await assert.rejects(iam.send(new CreatePolicyCommand({ PolicyName: 'bad', PolicyDocument: '{"Version":' })), {
    name: 'MalformedPolicyDocumentException',
    message: 'Syntax errors in policy.',
  });
  const old = allow('ecs:*').replace('2012', '2008');
  await assert.rejects(iam.send(new CreatePolicyCommand({ PolicyName: 'old', PolicyDocument: old })), {
    message: 'Policy document must be version 2012-10-17 or greater.',
  });
  await assert.rejects(
    iam.send(new CreatePolicyCommand({ PolicyName: 'big', PolicyDocument: allow(`ecs:${'A'.repeat(6144)}`) })),
    { name: 'LimitExceededException', message: 'Cannot exceed quota for PolicySize: 6144' },
  );
});

test('all identities and policies at once', async () => {
  await iam.send(new CreateUserCommand({ UserName: 'audited' }));
  const PolicyArn = 'arn:aws:iam::aws:policy/AmazonSQSFullAccess';
  await iam.send(new AttachUserPolicyCommand({ UserName: 'audited', PolicyArn }));
  const all = await iam.send(new GetAccountAuthorizationDetailsCommand({}));
  const user = all.UserDetailList!.find((detail) => detail.UserName === 'audited');
  assert.deepEqual(user!.AttachedManagedPolicies, [{ PolicyName: 'AmazonSQSFullAccess', PolicyArn }]);
  assert.ok(all.Policies!.some((policy) => policy.Arn === PolicyArn));
  const users = await iam.send(new GetAccountAuthorizationDetailsCommand({ Filter: ['User'], MaxItems: 1 }));
  assert.deepEqual(users.Policies ?? [], []);
  assert.equal(users.UserDetailList!.length, 1);
});

test('a simulation says what would be', async () => {
  await iam.send(new CreateUserCommand({ UserName: 'sim' }));
  await iam.send(
    new AttachUserPolicyCommand({ UserName: 'sim', PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' }),
  );
  const { EvaluationResults } = await iam.send(
    new SimulatePrincipalPolicyCommand({
      PolicySourceArn: `arn:aws:iam::${account}:user/sim`,
      ActionNames: ['s3:GetObject', 's3:PutObject'],
    }),
  );
  assert.deepEqual(
    EvaluationResults!.map((result) => result.EvalDecision),
    ['allowed', 'implicitDeny'],
  );
});
