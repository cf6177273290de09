import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readModel } from '../models/model.ts';
import { compilePattern } from './pattern.ts';
import { type Violation, validator } from './validate.ts';

const told = (violations: Violation[]) => violations.map(({ path, constraint }) => `${path}: ${constraint}`);

describe('validation', () => {
  const ecs = validator(readModel('ecs'));
  const iam = validator(readModel('iam'));

  test('a good input has nothing wrong', () => {
    assert.deepEqual(
      ecs('RunTask', { taskDefinition: 'web:1', launchType: 'FARGATE', tags: [{ key: 'a', value: 'ü 1' }] }),
      [],
    );
    assert.deepEqual(iam('CreateUser', { UserName: 'me@example.com' }), []);
    assert.deepEqual(ecs('NoSuchOperation', {}), []);
  });

  test('what is missing is named, deep inside lists too', () => {
    assert.deepEqual(told(ecs('RegisterTaskDefinition', {})), [
      'family: not be null',
      'containerDefinitions: not be null',
    ]);
    assert.deepEqual(told(ecs('TagResource', { resourceArn: 'a', tags: [null] })), ['tags.1.member: not be null']);
    assert.deepEqual(
      told(ecs('CreateService', { serviceName: 's', networkConfiguration: { awsvpcConfiguration: {} } })),
      ['networkConfiguration.awsvpcConfiguration.subnets: not be null'],
    );
  });

  test('lengths, patterns, enums and values', () => {
    assert.deepEqual(told(iam('CreateUser', { UserName: 'a b' })), [
      String.raw`userName: satisfy regular expression pattern: [\w+=,.@-]+`,
    ]);
    assert.deepEqual(told(iam('CreateUser', { UserName: '' })), [
      'userName: have length greater than or equal to 1',
      String.raw`userName: satisfy regular expression pattern: [\w+=,.@-]+`,
    ]);
    assert.deepEqual(told(iam('CreateUser', { UserName: 'x'.repeat(65) })), [
      'userName: have length less than or equal to 64',
    ]);
    assert.deepEqual(told(iam('ListUsers', { MaxItems: 0 })), ['maxItems: have value greater than or equal to 1']);
    assert.deepEqual(told(ecs('RunTask', { taskDefinition: 't', launchType: 'fargate' })), [
      'launchType: satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]',
    ]);
  });

  test('at most twenty things are told', () => {
    const tags = Array.from({ length: 500 }, () => ({ key: 'x'.repeat(200) }));
    assert.ok(ecs('TagResource', { resourceArn: 'a', tags }).length <= 20);
  });

  test('patterns match whole texts and keep what Java means', () => {
    const matches = (pattern: string, text: string) => compilePattern(pattern)?.test(text);
    assert.equal(matches('[a-z]+', 'abc'), true);
    assert.equal(matches('[a-z]+', 'abc1'), false);
    assert.equal(matches(String.raw`[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, 'grüße 1'), true);
    assert.equal(matches(String.raw`[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, 'p{L}!'), false);
    assert.equal(matches(String.raw`[\w+=,.@\:-]*`, 'a:b'), true);
    assert.equal(matches(String.raw`\p{Print}+`, 'abc'), true);
    assert.equal(matches(String.raw`\p{Print}+`, 'ü'), false);
    assert.equal(compilePattern('[a-z&&[^b]]'), undefined);
    assert.equal(compilePattern('('), undefined);
  });
});
