import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AddRoleToInstanceProfileCommand,
  AddUserToGroupCommand,
  AttachGroupPolicyCommand,
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteGroupCommand,
  DeleteRoleCommand,
  DeleteUserCommand,
  DetachRolePolicyCommand,
  GetGroupCommand,
  GetInstanceProfileCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  GetUserCommand,
  IAMClient,
  ListGroupsForUserCommand,
  ListRolesCommand,
  ListRoleTagsCommand,
  PutRolePolicyCommand,
  paginateListUsers,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAccessKeyCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import { account, openTestAccount, type TestAccount } from '../iam.testing.ts';

const tasksTrust = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
const executionPolicy = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';

let test1: TestAccount;
let iam: IAMClient;
before(async () => {
  test1 = await openTestAccount();
  iam = new IAMClient(test1.client());
});
after(async () => {
  iam.destroy();
  await test1.close();
});

test('users: ids, paths, renaming, names that differ by case alone, pages', async () => {
  const { User } = await iam.send(
    new CreateUserCommand({ UserName: 'ann', Path: '/dev/', Tags: [{ Key: 'team', Value: 'a' }] }),
  );
  assert.match(User!.UserId!, /^AIDA[A-Z2-7]{17}$/);
  assert.equal(User!.Arn, `arn:aws:iam::${account}:user/dev/ann`);
  await assert.rejects(iam.send(new CreateUserCommand({ UserName: 'ANN' })), { name: 'EntityAlreadyExistsException' });
  await iam.send(new UpdateUserCommand({ UserName: 'ann', NewUserName: 'anna' }));
  await assert.rejects(iam.send(new GetUserCommand({ UserName: 'ann' })), { name: 'NoSuchEntityException' });
  const renamed = await iam.send(new GetUserCommand({ UserName: 'anna' }));
  assert.equal(renamed.User!.UserId, User!.UserId);
  assert.deepEqual(renamed.User!.Tags, [{ Key: 'team', Value: 'a' }]);

  for (const UserName of ['page-1', 'page-2', 'page-3']) await iam.send(new CreateUserCommand({ UserName }));
  const names: string[] = [];
  for await (const page of paginateListUsers({ client: iam, pageSize: 2 }, {})) {
    assert.ok(page.Users!.length <= 2);
    names.push(...page.Users!.map((user) => user.UserName!));
  }
  assert.deepEqual(names, ['anna', 'page-1', 'page-2', 'page-3']);
});

test('access keys: two at most, the secret once, and they hold a user back from deletion', async () => {
  await iam.send(new CreateUserCommand({ UserName: 'keys' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'keys' }));
  assert.match(AccessKey!.AccessKeyId!, /^AKIA[A-Z2-7]{16}$/);
  assert.equal(AccessKey!.SecretAccessKey!.length, 40);
  const second = await iam.send(new CreateAccessKeyCommand({ UserName: 'keys' }));
  await assert.rejects(iam.send(new CreateAccessKeyCommand({ UserName: 'keys' })), {
    name: 'LimitExceededException',
    message: 'Cannot exceed quota for AccessKeysPerUser: 2',
  });

  const own = new IAMClient(
    test1.client({ accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! }),
  );
  await assert.rejects(own.send(new GetUserCommand({})), {
    name: 'AccessDenied',
    message:
      `User: arn:aws:iam::${account}:user/keys is not authorized to perform: iam:GetUser on resource: ` +
      `arn:aws:iam::${account}:user/keys because no identity-based policy allows the iam:GetUser action`,
  });
  await iam.send(
    new UpdateAccessKeyCommand({ UserName: 'keys', AccessKeyId: AccessKey!.AccessKeyId!, Status: 'Inactive' }),
  );
  await assert.rejects(own.send(new GetUserCommand({})), { name: 'InvalidClientTokenId' });
  own.destroy();

  await assert.rejects(iam.send(new DeleteUserCommand({ UserName: 'keys' })), {
    name: 'DeleteConflictException',
    message: 'Cannot delete entity, must delete access keys first.',
  });
  for (const key of [AccessKey!, second.AccessKey!]) {
    await iam.send(new DeleteAccessKeyCommand({ UserName: 'keys', AccessKeyId: key.AccessKeyId! }));
  }
  await iam.send(new DeleteUserCommand({ UserName: 'keys' }));
});

test('groups: their policies hold for members from the next request on', async () => {
  await iam.send(new CreateUserCommand({ UserName: 'grace' }));
  await iam.send(new CreateGroupCommand({ GroupName: 'admins' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'grace' }));
  const own = new IAMClient(
    test1.client({ accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! }),
  );
  await assert.rejects(own.send(new GetUserCommand({})), { name: 'AccessDenied' });
  await iam.send(
    new AttachGroupPolicyCommand({ GroupName: 'admins', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' }),
  );
  await assert.rejects(own.send(new GetUserCommand({})), { name: 'AccessDenied' });
  await iam.send(new AddUserToGroupCommand({ GroupName: 'admins', UserName: 'grace' }));
  assert.equal((await own.send(new GetUserCommand({}))).User!.UserName, 'grace');
  own.destroy();

  assert.deepEqual(
    (await iam.send(new GetGroupCommand({ GroupName: 'admins' }))).Users!.map((user) => user.UserName),
    ['grace'],
  );
  const { Groups } = await iam.send(new ListGroupsForUserCommand({ UserName: 'grace' }));
  assert.deepEqual(
    Groups!.map((group) => group.GroupName),
    ['admins'],
  );
  await assert.rejects(iam.send(new DeleteGroupCommand({ GroupName: 'admins' })), { name: 'DeleteConflictException' });
});

test('roles: encoded documents, tags, policies and the order of deletion', async () => {
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName: 'exec', AssumeRolePolicyDocument: tasksTrust, MaxSessionDuration: 7200 }),
  );
  assert.match(Role!.RoleId!, /^AROA[A-Z2-7]{17}$/);
  const read = await iam.send(new GetRoleCommand({ RoleName: 'exec' }));
  assert.match(read.Role!.AssumeRolePolicyDocument!, /^%7B%22Version%22/);
  assert.equal(decodeURIComponent(read.Role!.AssumeRolePolicyDocument!), tasksTrust);
  assert.equal(read.Role!.MaxSessionDuration, 7200);

  await iam.send(
    new TagRoleCommand({
      RoleName: 'exec',
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    }),
  );
  await iam.send(new UntagRoleCommand({ RoleName: 'exec', TagKeys: ['a'] }));
  assert.deepEqual((await iam.send(new ListRoleTagsCommand({ RoleName: 'exec' }))).Tags, [{ Key: 'b', Value: '2' }]);

  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
  });
  await iam.send(new PutRolePolicyCommand({ RoleName: 'exec', PolicyName: 'inline', PolicyDocument: document }));
  const inline = await iam.send(new GetRolePolicyCommand({ RoleName: 'exec', PolicyName: 'inline' }));
  assert.equal(decodeURIComponent(inline.PolicyDocument!), document);
  await assert.rejects(iam.send(new GetRolePolicyCommand({ RoleName: 'exec', PolicyName: 'none' })), {
    message: 'The role policy with name none cannot be found.',
  });

  await iam.send(new AttachRolePolicyCommand({ RoleName: 'exec', PolicyArn: executionPolicy }));
  await assert.rejects(iam.send(new DeleteRoleCommand({ RoleName: 'exec' })), {
    name: 'DeleteConflictException',
    message: 'Cannot delete entity, must detach all policies first.',
  });
  await iam.send(new DetachRolePolicyCommand({ RoleName: 'exec', PolicyArn: executionPolicy }));
  await assert.rejects(iam.send(new DeleteRoleCommand({ RoleName: 'exec' })), {
    message: 'Cannot delete entity, must delete policies first.',
  });
  await assert.rejects(iam.send(new AttachRolePolicyCommand({ RoleName: 'exec', PolicyArn: `${executionPolicy}x` })), {
    name: 'NoSuchEntityException',
    message: `Policy ${executionPolicy}x does not exist or is not attachable.`,
  });
});

test('a trust policy must name principals that are there', async () => {
  const trust = (AWS: string) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' }],
    });
  const create = (document: string) =>
    iam.send(new CreateRoleCommand({ RoleName: 'trusting', AssumeRolePolicyDocument: document }));
  await assert.rejects(create(trust(`arn:aws:iam::${account}:user/nobody`)), {
    name: 'MalformedPolicyDocumentException',
    message: `Invalid principal in policy: "AWS":"arn:aws:iam::${account}:user/nobody"`,
  });
  await assert.rejects(create('{'), { message: 'This policy contains invalid Json' });
  await create(trust(`arn:aws:iam::${account}:root`));
});

test('service-linked roles are the services’ own', async () => {
  const { Role } = await iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: 'ecs.amazonaws.com' }));
  assert.equal(Role!.Arn, `arn:aws:iam::${account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`);
  await assert.rejects(iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: 'ecs.amazonaws.com' })), {
    name: 'InvalidInputException',
    message: 'Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.',
  });
  await assert.rejects(iam.send(new DeleteRoleCommand({ RoleName: 'AWSServiceRoleForECS' })), {
    name: 'UnmodifiableEntityException',
  });
  assert.equal(await test1.iam.contract.ensureServiceLinkedRole('ecs.amazonaws.com'), Role!.Arn);
  const { Roles } = await iam.send(new ListRolesCommand({ PathPrefix: '/aws-service-role/' }));
  assert.deepEqual(
    Roles!.map((role) => role.RoleName),
    ['AWSServiceRoleForECS'],
  );
});

test('instance profiles hold one role', async () => {
  await iam.send(new CreateRoleCommand({ RoleName: 'node', AssumeRolePolicyDocument: tasksTrust }));
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: 'node' }));
  await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: 'node', RoleName: 'node' }));
  const { InstanceProfile } = await iam.send(new GetInstanceProfileCommand({ InstanceProfileName: 'node' }));
  assert.deepEqual(
    InstanceProfile!.Roles!.map((role) => role.RoleName),
    ['node'],
  );
  await assert.rejects(
    iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: 'node', RoleName: 'node' })),
    { name: 'LimitExceededException' },
  );
  await assert.rejects(iam.send(new DeleteRoleCommand({ RoleName: 'node' })), {
    message: 'Cannot delete entity, must remove roles from instance profile first.',
  });
});
