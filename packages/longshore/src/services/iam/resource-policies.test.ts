import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateRoleCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import type { Caller } from '../../wire/service.ts';
import { account, openTestAccount, type TestAccount } from './iam.testing.ts';

const repository = `arn:aws:ecr:eu-west-1:${account}:repository/app`;
const action = 'ecr:BatchGetImage';
let opened: TestAccount;
const roleArn = `arn:aws:iam::${account}:role/puller`;
const sessionArn = `arn:aws:sts::${account}:assumed-role/puller/one`;
const user: Caller = { accountId: account, arn: `arn:aws:iam::${account}:user/ann`, userId: 'ANN', type: 'user' };
const session: Caller = { accountId: account, arn: sessionArn, userId: 'R:one', type: 'assumed-role', roleArn };
const root: Caller = { accountId: account, arn: `arn:aws:iam::${account}:root`, userId: account, type: 'root' };

before(async () => {
  opened = await openTestAccount();
  const iam = new IAMClient(opened.client());
  for (const UserName of ['ann', 'bob']) await iam.send(new CreateUserCommand({ UserName }));
  const allow = { Effect: 'Allow', Action: 'ecr:*', Resource: '*' };
  await iam.send(
    new PutUserPolicyCommand({
      UserName: 'bob',
      PolicyName: 'all',
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [allow] }),
    }),
  );
  const trust = { Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' };
  await iam.send(
    new CreateRoleCommand({
      RoleName: 'puller',
      AssumeRolePolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [trust] }),
    }),
  );
  iam.destroy();
});
after(() => opened.close());

const document = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const grants = (Principal: unknown, more: object = {}) =>
  document({ Sid: 'new statement', Effect: 'Allow', Principal, Action: 'ecr:*', ...more });
const denies = (Principal: unknown) => document({ Effect: 'Deny', Principal, Action: action });
const ask = (caller: Caller, ...resourcePolicies: string[]) =>
  opened.context(caller).authorize({ action, resource: repository, resourcePolicies });
const refused = (promise: Promise<void>, words: string) =>
  assert.rejects(promise, { code: 'AccessDeniedException', message: new RegExp(`${words}$`) });
const silent = `because no identity-based policy allows the ${action} action`;

test('in one account either policy grants', async () => {
  const bob = { ...user, arn: `arn:aws:iam::${account}:user/bob` };
  await refused(ask(user), silent);
  await ask(bob);
  await ask(bob, grants({ AWS: user.arn }));
  await ask(user, grants({ AWS: user.arn }));
  await ask(user, grants('*'));
  await ask(session, grants({ AWS: roleArn }));
  await ask(session, grants({ AWS: sessionArn }));
  await refused(ask(user, grants({ AWS: bob.arn })), silent);
  await refused(ask(user, grants({ AWS: account })), silent);
  await refused(ask(user, grants('*', { Condition: { StringEquals: { 'aws:username': 'bob' } } })), silent);
});

test('an explicit deny of the resource wins, over root too', async () => {
  const words = 'with an explicit deny in a resource-based policy';
  const bob = { ...user, arn: `arn:aws:iam::${account}:user/bob` };
  await refused(ask(bob, denies('*')), words);
  await refused(ask(root, grants('*'), denies('*')), words);
  await refused(ask(session, denies({ AWS: roleArn }), grants('*')), words);
  await ask(root, denies({ AWS: user.arn }));
  const named = grants('*', { Condition: { StringEquals: { 'aws:PrincipalTag/a': 'Resource' } } });
  await refused(ask(user, named), silent);
  await refused(ask(root, denies('*').replace('"Action"', '"Resource":"*","Action"')), words);
});

test("another account's thing needs both", async () => {
  const theirs = repository.replace(account, '444455556666');
  const bob = { ...user, arn: `arn:aws:iam::${account}:user/bob` };
  const reach = (caller: Caller, ...resourcePolicies: string[]) =>
    opened.context(caller).authorize({ action, resource: theirs, resourcePolicies });
  await refused(reach(bob), `because no resource-based policy allows the ${action} action`);
  await reach(bob, grants({ AWS: account }));
  await refused(reach(user, grants({ AWS: account })), silent);
});

test('a policy is checked before it is set', async () => {
  const { resourcePolicyFlaw } = opened.iam.contract;
  assert.equal(await resourcePolicyFlaw(grants({ AWS: user.arn }), 'repository'), undefined);
  assert.equal(await resourcePolicyFlaw(grants('*', { Resource: '*' }), 'registry'), undefined);
  for (const [text, words] of [
    ['{', /Syntax/],
    [document({ Effect: 'Allow', Action: 'ecr:*' }), /Principal/],
    [grants('*', { Action: 's3:GetObject' }), /none of ECR/],
    [grants('*', { Resource: '*' }), /names no resource/],
    [grants({ AWS: `arn:aws:iam::${account}:user/nobody` }), /Invalid principal/],
    [grants({ AWS: 'ann' }), /Invalid principal/],
    [grants('*', { Condition: { Odd: { a: 'b' } } }), /Syntax/],
  ] as const)
    assert.match((await resourcePolicyFlaw(text, 'repository')) ?? 'no flaw', words, text);
});
