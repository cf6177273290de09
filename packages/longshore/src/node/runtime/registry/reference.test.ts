import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test('references are taken apart as the distribution grammar says', () => {
  assert.deepEqual(parseReference('nginx'), {
    host: 'docker.io',
    repository: 'library/nginx',
    tag: 'latest',
    canonical: 'docker.io/library/nginx:latest',
  });
  assert.equal(parseReference('localhost:4566/team/app:v1').host, 'localhost:4566');
  assert.equal(parseReference('team/app').canonical, 'docker.io/team/app:latest');
  const pinned = parseReference(`123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b@${digest}`);
  assert.deepEqual([pinned.repository, pinned.tag, pinned.digest], ['a/b', undefined, digest]);
  const both = parseReference(`localhost/app:v2@${digest}`);
  assert.deepEqual([both.tag, both.digest], ['v2', digest]);
});

test('what is no reference is refused', () => {
  for (const bad of ['', 'Upper/case', 'a//b', 'app:', 'app:bad tag', 'app@sha256:12', 'localhost:1/../x', 'a/-b'])
    assert.throws(() => parseReference(bad), /invalid reference format/, bad);
});
