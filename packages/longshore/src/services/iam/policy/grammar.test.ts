import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awsManagedPolicies } from '../managed/aws-managed.ts';
import { parsePolicy } from './grammar.ts';
import { type PolicyKind, PolicySyntaxError } from './kinds.ts';

const statement = (more: object) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...more }] });
const trust = (more: object) => statement({ Action: 'sts:AssumeRole', Principal: { AWS: '*' }, ...more });

const bad: readonly (readonly [PolicyKind, unknown, string | RegExp])[] = [
  ['identity', '{', 'Syntax errors in policy.'],
  ['trust', '{', 'This policy contains invalid Json'],
  ['identity', [], 'Syntax errors in policy.'],
  ['identity', { Version: '2012-10-17' }, 'Syntax errors in policy.'],
  ['identity', { Statement: [], Version: '2011-11-11' }, 'Syntax errors in policy.'],
  ['identity', statement({ Resource: '*' }), 'Policy statement must contain actions.'],
  ['identity', statement({ Action: 'ecs:*' }), 'Policy statement must contain resources.'],
  ['identity', statement({ Action: 'ecs', Resource: '*' }), /must be prefaced by a vendor/],
  ['identity', statement({ Action: 'ecs:a:b', Resource: '*' }), 'Actions/Condition can contain only one colon.'],
  ['identity', statement({ Action: 'e s:a', Resource: '*' }), 'Vendor e s is not valid'],
  ['identity', statement({ Action: 'ecs:*', Resource: 'task/1' }), 'Resource task/1 must be in ARN format or "*".'],
  ['identity', statement({ Action: 'ecs:*', Resource: 'arn:foo:ecs:::a' }), /Partition "foo" is not valid/],
  ['identity', statement({ Action: 'iam:*', Resource: 'arn:aws:iam:eu-west-1:*:user/a' }), /cannot contain region/],
  [
    'identity',
    statement({ Action: '*', Resource: '*', Principal: '*' }),
    'Policy document should not specify a principal.',
  ],
  [
    'identity',
    statement({ Action: '*', Resource: '*', Condition: { StringMaybe: { a: 'b' } } }),
    'Syntax errors in policy.',
  ],
  ['identity', statement({ Action: '*', Resource: '*', Extra: 1 }), 'Syntax errors in policy.'],
  ['identity', statement({ Action: '*', NotAction: '*', Resource: '*' }), 'Syntax errors in policy.'],
  ['trust', { Version: '2012-10-17' }, 'Missing required field Statement'],
  ['trust', statement({ Action: 'sts:AssumeRole' }), 'Missing required field Principal'],
  ['trust', trust({ Resource: '*' }), 'Has prohibited field Resource'],
  ['trust', trust({ Action: 'ecs:RunTask' }), 'AssumeRole policy may only specify STS AssumeRole actions.'],
  ['trust', trust({ Principal: { Service: 'tasks' } }), 'Invalid principal in policy: "SERVICE":"tasks"'],
  ['trust', trust({ Principal: { AWS: 'bob' } }), 'Invalid principal in policy: "AWS":"bob"'],
];

test('documents that break the grammar are refused in the words of AWS', () => {
  for (const [kind, document, expected] of bad) {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    assert.throws(
      () => parsePolicy(text, kind),
      (error: unknown) => {
        assert.ok(error instanceof PolicySyntaxError, text);
        if (typeof expected === 'string') assert.equal(error.message, expected, text);
        else assert.match(error.message, expected, text);
        return true;
      },
    );
  }
});

test('repeated Sids are refused', () => {
  const one = { Sid: 'A', Effect: 'Allow', Action: '*', Resource: '*' };
  assert.throws(() => parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: [one, one] }), 'identity'), {
    message: 'Statement IDs (SID) in a single policy must be unique.',
  });
});

test('every policy of AWS that is kept parses, and has its true ARN', () => {
  for (const policy of awsManagedPolicies.values()) parsePolicy(policy.document, 'identity');
  assert.ok(awsManagedPolicies.has('arn:aws:iam::aws:policy/AdministratorAccess'));
  assert.ok(awsManagedPolicies.has('arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy'));
  assert.equal(new Set([...awsManagedPolicies.values()].map((policy) => policy.id)).size, awsManagedPolicies.size);
});
