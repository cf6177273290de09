import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Machine, noCapacity, place } from './place.ts';

const machine = (over: Partial<Machine> = {}): Machine => ({
  arn: 'a',
  cpu: 2048,
  memory: 4096,
  committedCpu: 0,
  committedMemory: 0,
  connected: true,
  ...over,
});

test('the machine with the smallest promised share gets the task', () => {
  const busy = machine({ arn: 'busy', committedCpu: 1024, committedMemory: 2048 });
  assert.deepEqual(place([busy, machine({ arn: 'idle' })], { cpu: 256, memory: 512 }), machine({ arn: 'idle' }));
});

test('a connected machine comes before an idle one whose agent is away', () => {
  const away = machine({ arn: 'away', connected: false });
  const busy = machine({ arn: 'busy', committedCpu: 2048 });
  assert.equal((place([away, busy], { cpu: 256, memory: 512 }) as Machine).arn, 'busy');
});

test('more than any machine has is refused, naming both sizes', () => {
  const answer = place([machine()], { cpu: 4096, memory: 8192 });
  assert.ok('reason' in answer);
  assert.equal(answer.reason, noCapacity);
  assert.match(answer.detail, /asks for 4 vCPU and 8192 MiB; the largest machine has 2 vCPU and 4096 MiB/);
});

test('sizes may be promised several times over, but not without end', () => {
  const machines = [machine()];
  let placed = 0;
  for (; placed < 1000; placed++) {
    const answer = place(machines, { cpu: 256, memory: 512 });
    if ('reason' in answer) break;
    machines[0] = {
      ...answer,
      ...machines[0]!,
      committedCpu: machines[0]!.committedCpu + 256,
      committedMemory: machines[0]!.committedMemory + 512,
    };
  }
  assert.equal(placed, 32);
});

test('no machine at all is said in words', () => {
  const answer = place([], { cpu: 256, memory: 512 });
  assert.ok('detail' in answer && /No machine has joined/.test(answer.detail));
});
