import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchPrincipal } from './principal.ts';

const bob = { kind: 'aws', accountId: '111122223333', arn: 'arn:aws:iam::111122223333:user/bob' } as const;
const session = {
  kind: 'aws',
  accountId: '111122223333',
  arn: 'arn:aws:sts::111122223333:assumed-role/web/1',
  roleArn: 'arn:aws:iam::111122223333:role/web',
} as const;

test('a principal is named directly, through its account, or not', () => {
  assert.equal(matchPrincipal({ AWS: [bob.arn] }, bob), 'direct');
  assert.equal(matchPrincipal({ AWS: ['111122223333'] }, bob), 'account');
  assert.equal(matchPrincipal({ AWS: ['arn:aws:iam::111122223333:root'] }, bob), 'account');
  assert.equal(matchPrincipal({ AWS: ['arn:aws:iam::999999999999:root'] }, bob), undefined);
  assert.equal(matchPrincipal({ AWS: [session.roleArn] }, session), 'direct');
  assert.equal(matchPrincipal({ AWS: [session.arn] }, session), 'direct');
  assert.equal(matchPrincipal('*', bob), 'direct');
});

test('a service is named by its own name alone', () => {
  const service = { kind: 'service', service: 'ecs-tasks.amazonaws.com' } as const;
  assert.equal(matchPrincipal({ Service: ['ec2.amazonaws.com', 'ecs-tasks.amazonaws.com'] }, service), 'direct');
  assert.equal(matchPrincipal({ Service: ['ec2.amazonaws.com'] }, service), undefined);
  assert.equal(matchPrincipal({ AWS: ['*'] }, service), undefined);
});
