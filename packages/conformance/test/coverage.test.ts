import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { coverageFiles, coverageFolder } from '../src/coverage.ts';

test('docs/coverage says what the services answer; where not: node packages/conformance/src/coverage.ts', async () => {
  for (const [name, text] of await coverageFiles()) {
    let committed = '';
    try {
      committed = readFileSync(join(coverageFolder, name), 'utf8');
    } catch {
      // A page that is not there is stale, too.
    }
    assert.ok(committed === text, `docs/coverage/${name} is stale: run node packages/conformance/src/coverage.ts`);
  }
});
