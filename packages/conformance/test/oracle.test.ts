import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oracleServices } from '../src/oracle/clients.ts';
import { differences } from '../src/oracle/differences.ts';
import { checkErrors, checkOperation, type Finding, startRig } from '../src/oracle/oracle.ts';

/** Differences that were met; those of the list that were not are out of date. */
const met = new Set<string>();

for (const service of oracleServices) {
  const title = `${service.name}${service.protocol ? ` (${service.protocol})` : ''}`;
  test(`${title}: the genuine client and the codec understand each other`, { timeout: 60_000 }, async (context) => {
    const rig = await startRig(service);
    context.after(() => rig.close());
    const findings: Finding[] = [];
    for (const [name] of rig.operations) {
      findings.push(
        ...(await checkOperation(rig, service, name, 'full')),
        ...(await checkOperation(rig, service, name, 'sparse')),
      );
      findings.push(...(await checkErrors(rig, service, name)));
    }
    const differing = findings.filter(({ difference }) => difference !== undefined);
    const unexpected = differing.filter(({ name, what }) => !differences[`${name} ${what}`]);
    for (const { name, what } of differing) met.add(`${name} ${what}`);
    const count = (what: 'input' | 'output' | 'error') => {
      const of = findings.filter((finding) => finding.what.endsWith(what));
      return `${what}s ${of.filter(({ difference }) => difference === undefined).length} of ${of.length}`;
    };
    context.diagnostic(
      `${title}: ${rig.operations.length} operations, ${count('input')}, ${count('output')}, ${count('error')}`,
    );
    assert.ok(findings.length > 0);
    assert.deepEqual(
      unexpected.map(({ name, what, difference }) => `${name} ${what}: ${difference}`),
      [],
    );
  });
}

test('every listed difference is still one', () => {
  assert.deepEqual(
    Object.keys(differences).filter((name) => !met.has(name)),
    [],
  );
});
