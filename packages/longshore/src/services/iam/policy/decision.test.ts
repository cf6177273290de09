// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is what policies call a variable

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide, refusal } from './decision.ts';
import { parsePolicy } from './grammar.ts';
import { compilePolicy } from './policy.ts';

type Keys = Readonly<Record<string, string | readonly string[]>>;

const policy = (...statements: object[]) =>
  compilePolicy(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'identity'));
const request = (action: string, resource: string, keys: Keys = {}) => {
  const context = new Map(
    Object.entries(keys).map(([key, value]) => [key.toLowerCase(), typeof value === 'string' ? [value] : value]),
  );
  return { action, resource, context: (key: string) => context.get(key) };
};
const allows = (statement: object, action: string, resource: string, keys: Keys = {}) =>
  decide({ identity: [policy({ Effect: 'Allow', ...statement })] }, request(action, resource, keys)).allowed;
const met = (Condition: object, keys: Keys) => allows({ Action: '*', Resource: '*', Condition }, 'a:B', '*', keys);

test('actions match whatever their case, with wildcards', () => {
  const on = (Action: unknown, action: string) => allows({ Action, Resource: '*' }, action, '*');
  assert.ok(on('ECS:runtask', 'ecs:RunTask'));
  assert.ok(on('ecs:Describe*', 'ecs:DescribeTasks'));
  assert.ok(on(['s3:*', 'ecs:?unTask'], 'ecs:RunTask'));
  assert.ok(!on('ecs:Describe*', 'ecs:RunTask'));
  assert.ok(!on('ecs:Run', 'ecs:RunTask'));
});

test('NotAction and NotResource match all else', () => {
  assert.ok(allows({ NotAction: 'iam:*', Resource: '*' }, 'ecs:RunTask', '*'));
  assert.ok(!allows({ NotAction: 'iam:*', Resource: '*' }, 'iam:CreateUser', '*'));
  assert.ok(allows({ Action: '*', NotResource: 'arn:aws:s3:::secret*' }, 's3:GetObject', 'arn:aws:s3:::open/a'));
  assert.ok(!allows({ Action: '*', NotResource: 'arn:aws:s3:::secret*' }, 's3:GetObject', 'arn:aws:s3:::secret/a'));
});

test('resources match with wildcards and case counts', () => {
  const on = (Resource: string, resource: string) => allows({ Action: '*', Resource }, 'a:B', resource);
  assert.ok(on('arn:aws:ecs:*:111122223333:task/*', 'arn:aws:ecs:eu-west-1:111122223333:task/c/1'));
  assert.ok(on('arn:aws:ecs:*:*:*/web-?', 'arn:aws:ecs:r:1:service/c/web-2'));
  assert.ok(!on('arn:aws:ecs:*:111122223333:task/*', 'arn:aws:ecs:eu-west-1:111122223333:service/c/1'));
  assert.ok(!on('arn:aws:ecs:r:1:task/A', 'arn:aws:ecs:r:1:task/a'));
});

test('hostile wildcards take linear time', () => {
  const before = performance.now();
  assert.ok(
    !allows(
      { Action: '*', Resource: `arn:aws:s3:::${'*a'.repeat(60)}b*c` },
      'a:B',
      `arn:aws:s3:::${'a'.repeat(5_000)}`,
    ),
  );
  assert.ok(performance.now() - before < 1_000);
});

test('variables are filled in, and a value brings no wildcards of its own', () => {
  const statement = { Action: '*', Resource: 'arn:aws:s3:::home/${aws:username}/*' };
  assert.ok(allows(statement, 'a:B', 'arn:aws:s3:::home/bob/x', { 'aws:username': 'bob' }));
  assert.ok(!allows(statement, 'a:B', 'arn:aws:s3:::home/eve/x', { 'aws:username': 'bob' }));
  assert.ok(!allows(statement, 'a:B', 'arn:aws:s3:::home/eve/x', { 'aws:username': '*' }));
  assert.ok(!allows(statement, 'a:B', 'arn:aws:s3:::home//x'));
  assert.ok(allows({ Action: '*', Resource: "arn:aws:s3:::${aws:team, 'all'}" }, 'a:B', 'arn:aws:s3:::all'));
  assert.ok(allows({ Action: '*', Resource: 'arn:aws:s3:::a${*}' }, 'a:B', 'arn:aws:s3:::a*'));
  assert.ok(!allows({ Action: '*', Resource: 'arn:aws:s3:::a${*}' }, 'a:B', 'arn:aws:s3:::ab'));
});

test('condition operators', () => {
  assert.ok(met({ StringEquals: { k: ['a', 'b'] } }, { K: 'b' }));
  assert.ok(!met({ StringEquals: { k: 'a*' } }, { k: 'ab' }));
  assert.ok(met({ StringLike: { k: 'a*' } }, { k: 'ab' }));
  assert.ok(met({ StringNotEquals: { k: ['a', 'b'] } }, { k: 'c' }));
  assert.ok(!met({ StringNotEquals: { k: ['a', 'b'] } }, { k: 'a' }));
  assert.ok(met({ StringEqualsIgnoreCase: { k: 'A' } }, { k: 'a' }));
  assert.ok(met({ NumericLessThanEquals: { k: '10' } }, { k: '10' }));
  assert.ok(!met({ NumericGreaterThan: { k: 10 } }, { k: '10' }));
  assert.ok(!met({ NumericEquals: { k: '1' } }, { k: 'one' }));
  assert.ok(met({ DateLessThan: { k: '2026-01-01T00:00:00Z' } }, { k: '2025-06-01T00:00:00Z' }));
  assert.ok(met({ DateGreaterThan: { k: '1700000000' } }, { k: '2025-06-01T00:00:00Z' }));
  assert.ok(met({ Bool: { k: true } }, { k: 'true' }));
  assert.ok(met({ IpAddress: { k: '10.0.0.0/8' } }, { k: '10.200.3.4' }));
  assert.ok(!met({ IpAddress: { k: '10.0.0.0/8' } }, { k: '11.0.0.1' }));
  assert.ok(met({ NotIpAddress: { k: '2001:db8::/32' } }, { k: '2001:db9::1' }));
  assert.ok(met({ IpAddress: { k: '2001:db8::/32' } }, { k: '2001:db8:1::1' }));
  assert.ok(met({ ArnLike: { k: 'arn:aws:ecs:*:1:cluster/*' } }, { k: 'arn:aws:ecs:r:1:cluster/a/b' }));
  assert.ok(!met({ ArnLike: { k: 'arn:aws:*:1:cluster/a' } }, { k: 'arn:aws:ecs:r:1:cluster/a' }));
});

test('missing keys: Null, IfExists, negation and sets', () => {
  assert.ok(met({ Null: { k: 'true' } }, {}));
  assert.ok(!met({ Null: { k: 'false' } }, {}));
  assert.ok(!met({ StringEquals: { k: 'a' } }, {}));
  assert.ok(met({ StringEqualsIfExists: { k: 'a' } }, {}));
  assert.ok(!met({ StringEqualsIfExists: { k: 'a' } }, { k: 'b' }));
  assert.ok(met({ StringNotEquals: { k: 'a' } }, {}));
  assert.ok(met({ 'ForAllValues:StringEquals': { k: ['a', 'b'] } }, { k: ['a', 'b'] }));
  assert.ok(!met({ 'ForAllValues:StringEquals': { k: ['a', 'b'] } }, { k: ['a', 'c'] }));
  assert.ok(met({ 'ForAllValues:StringEquals': { k: 'a' } }, {}));
  assert.ok(met({ 'ForAnyValue:StringLike': { k: 'a*' } }, { k: ['x', 'ab'] }));
  assert.ok(!met({ 'ForAnyValue:StringLike': { k: 'a*' } }, {}));
  assert.ok(!met({ StringEquals: { a: '1' }, Bool: { b: 'true' } }, { a: '1', b: 'false' }));
});

test('denies win, and boundaries and session policies only narrow', () => {
  const all = policy({ Effect: 'Allow', Action: '*', Resource: '*' });
  const denied = policy({ Effect: 'Deny', Action: 'ecs:*', Resource: '*' });
  const reads = policy({ Effect: 'Allow', Action: 'ecs:List*', Resource: '*' });
  const run = request('ecs:RunTask', 'arn:aws:ecs:r:1:task-definition/a:1');
  const say = (set: Parameters<typeof decide>[0]) =>
    refusal('arn:aws:iam::1:user/bob', run.action, run.resource, decide(set, run)).split(`${run.resource} `)[1];
  assert.ok(decide({ identity: [reads, all] }, run).allowed);
  assert.equal(say({ identity: [] }), 'because no identity-based policy allows the ecs:RunTask action');
  assert.equal(say({ identity: [all, denied] }), 'with an explicit deny in an identity-based policy');
  assert.equal(
    say({ identity: [all], boundary: reads }),
    'because no permissions boundary allows the ecs:RunTask action',
  );
  assert.equal(say({ identity: [all], boundary: denied }), 'with an explicit deny in a permissions boundary');
  assert.equal(say({ identity: [all], session: [reads] }), 'because no session policy allows the ecs:RunTask action');
  assert.ok(!decide({ identity: [reads], session: [all] }, run).allowed);
});

test('what a resource’s own policy grants needs no more than the rest to agree', () => {
  const run = request('sts:AssumeRole', 'arn:aws:iam::1:role/a');
  const other = policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' });
  const denied = policy({ Effect: 'Deny', Action: 'sts:*', Resource: '*' });
  assert.ok(decide({ identity: [] }, run, ['identity-based policy']).allowed);
  assert.ok(!decide({ identity: [], session: [other] }, run, ['identity-based policy']).allowed);
  assert.ok(!decide({ identity: [denied] }, run, ['identity-based policy']).allowed);
});

test('a refusal is worded as AWS words it', () => {
  const decision = decide({ identity: [] }, request('ecs:RunTask', 'arn:aws:ecs:r:1:task-definition/a:1'));
  assert.equal(
    refusal('arn:aws:iam::1:user/bob', 'ecs:RunTask', 'arn:aws:ecs:r:1:task-definition/a:1', decision),
    'User: arn:aws:iam::1:user/bob is not authorized to perform: ecs:RunTask on resource: ' +
      'arn:aws:ecs:r:1:task-definition/a:1 because no identity-based policy allows the ecs:RunTask action',
  );
});
