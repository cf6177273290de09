import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from './admission.ts';

const demand = (taskId: string, cpuUnits: number) => ({ taskId, cpuUnits, memoryMiB: 10 });

test('tasks wait in order for what does not fit, and never for what can not', () => {
  const admitted: string[] = [];
  const admission = new Admission({ cpuUnits: 100, memoryMiB: 1000 }, { cpuUnits: 80, memoryMiB: 1000 });
  const ask = (id: string, cpuUnits: number) => admission.request(demand(id, cpuUnits), () => admitted.push(id));
  assert.equal(ask('a', 60), true);
  assert.equal(ask('b', 60), true);
  assert.equal(ask('c', 10), true);
  assert.equal(ask('d', 81), false);
  assert.deepEqual(admitted, ['a'], 'c waits behind b');
  admission.release('a');
  assert.deepEqual(admitted, ['a', 'b', 'c']);
  admission.hold(demand('e', 100));
  ask('f', 10);
  admission.release('e');
  assert.deepEqual(admitted.at(-1), 'f');
});
