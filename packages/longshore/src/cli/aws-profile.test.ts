import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSection } from './aws-profile.ts';

test('a profile is put in place of its earlier self, and everything else stays', () => {
  const before =
    '# mine\n[default]\nregion = eu-central-1\n\n[profile longshore]\nregion = x\nendpoint_url = y\n\n[profile other]\nregion = z\n';
  assert.equal(
    withSection(before, 'profile longshore', { region: 'us-east-1' }),
    '# mine\n[default]\nregion = eu-central-1\n\n[profile longshore]\nregion = us-east-1\n\n[profile other]\nregion = z\n',
  );
});

test('a new profile comes at the end; twice is the same as once', () => {
  const once = withSection('[default]\na = b', 'longshore', { k: 'v' });
  assert.equal(once, '[default]\na = b\n\n[longshore]\nk = v\n');
  assert.equal(withSection(once, 'longshore', { k: 'v' }), once);
  assert.equal(withSection('', 'longshore', { k: 'v' }), '[longshore]\nk = v\n');
});
