import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isImmutableTag, matchesWildcard, mutabilityFlaw } from './tag-mutability.ts';

const wildcard = (filter: string) => ({ filterType: 'WILDCARD', filter });

test('wildcards match whole tags', () => {
  assert.equal(matchesWildcard('dev-*', 'dev-1'), true);
  assert.equal(matchesWildcard('*-rc', '1.0-rc'), true);
  assert.equal(matchesWildcard('a*b*c', 'axxbyyc'), true);
  assert.equal(matchesWildcard('a*a', 'a'), false);
  assert.equal(matchesWildcard('*b*bc', 'abc'), false);
  assert.equal(matchesWildcard('latest', 'latest'), true);
  assert.equal(matchesWildcard('latest', 'latest2'), false);
  assert.equal(matchesWildcard('*', ''), true);
});

test('each of the four modes protects the tags it says', () => {
  assert.equal(isImmutableTag('MUTABLE', [], 'x'), false);
  assert.equal(isImmutableTag('IMMUTABLE', [], 'x'), true);
  assert.equal(isImmutableTag('IMMUTABLE_WITH_EXCLUSION', [wildcard('dev*')], 'dev1'), false);
  assert.equal(isImmutableTag('IMMUTABLE_WITH_EXCLUSION', [wildcard('dev*')], 'v1'), true);
  assert.equal(isImmutableTag('MUTABLE_WITH_EXCLUSION', [wildcard('v*')], 'v1'), true);
  assert.equal(isImmutableTag('MUTABLE_WITH_EXCLUSION', [wildcard('v*')], 'dev1'), false);
});

test('filters go with the modes that take them', () => {
  assert.equal(mutabilityFlaw('IMMUTABLE', undefined), undefined);
  assert.match(mutabilityFlaw('IMMUTABLE_WITH_EXCLUSION', undefined) ?? '', /must be given/);
  assert.match(mutabilityFlaw('MUTABLE', [wildcard('a')]) ?? '', /may only be given/);
  assert.match(mutabilityFlaw('MUTABLE_WITH_EXCLUSION', [wildcard('a*b*c*')]) ?? '', /2 wildcards/);
});
