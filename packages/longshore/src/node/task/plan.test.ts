import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PayloadContainer, PayloadTask } from '../../protocol/payload.ts';
import { isRunning, plan } from './plan.ts';
import { type ContainerState, newTask, type TaskState } from './state.ts';

const container = (name: string, more: Partial<PayloadContainer> = {}): PayloadContainer => ({
  ...{ name, image: 'i', cpu: 0, memory: 0, essential: true, dockerConfig: {}, containerArn: '' },
  ...more,
});

function task(containers: readonly PayloadContainer[], ...states: Partial<ContainerState>[]): TaskState {
  const payload = { arn: 'arn:aws:ecs:r:0:task/c/abc', desiredStatus: 'RUNNING', containers } as unknown as PayloadTask;
  const fresh = newTask(payload);
  for (const [index, state] of states.entries()) Object.assign(fresh.containers[index]!, { log: 'open' }, state);
  return { ...fresh, admitted: true, sandbox: 'open', network: 'attached' };
}

const said = (state: TaskState) =>
  plan(state).map((action) => ('container' in action ? `${action.do} ${action.container}` : action.do));
const after = (condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY') => ({
  dependsOn: [{ containerName: 'a', condition }],
});
const pulled = { status: 'PULLED' } as const;
const running = { status: 'RUNNING', launched: true } as const;
const ended = (exitCode: number) => ({ status: 'STOPPED', launched: true, reaped: true, exitCode }) as const;

test('everything that can go at once does, and nothing before the task is admitted', () => {
  const fresh = { ...newTask(task([container('a')]).payload), admitted: true };
  assert.deepEqual(said(fresh), ['open-sandbox', 'attach', 'open-log a', 'pull a']);
  assert.deepEqual(said({ ...fresh, admitted: false }), []);
});

test('a container starts when what it depends on has come as far as the condition says', () => {
  const pair = (condition: Parameters<typeof after>[0], a: Partial<ContainerState>) =>
    said(task([container('a', { essential: false }), container('b', after(condition))], a, pulled)).filter((text) =>
      text.endsWith('b'),
    );
  assert.deepEqual(pair('START', pulled), []);
  assert.deepEqual(pair('START', running), ['launch b']);
  assert.deepEqual(pair('COMPLETE', running), []);
  assert.deepEqual(pair('COMPLETE', ended(3)), ['launch b']);
  assert.deepEqual(pair('SUCCESS', ended(0)), ['launch b']);
  assert.deepEqual(pair('SUCCESS', ended(3)), ['fail b']);
  assert.deepEqual(pair('HEALTHY', running), ['fail b']);
});

test('containers stop in the opposite order of their dependencies', () => {
  const both = [container('a'), container('b', after('START'))];
  const stopping = { ...task(both, running, running), desired: 'STOPPED' as const };
  assert.deepEqual(said(stopping), ['stop b']);
  assert.deepEqual(said({ ...task(both, running, ended(0)), desired: 'STOPPED' }), ['stop a']);
  assert.deepEqual(said({ ...task(both, ended(0), ended(0)), desired: 'STOPPED' }), ['release']);
});

test('an ended container is not reaped while another is on its way into the shim', () => {
  const both = [container('a', { essential: false }), container('b', after('COMPLETE'))];
  const over = { ...ended(0), reaped: false };
  assert.deepEqual(said(task(both, over, { ...pulled, work: 'launching' })), []);
  assert.deepEqual(said(task(both, over, running)), ['reap a']);
});

test('a task runs when every container does, or need not', () => {
  const both = [container('a', { essential: false }), container('b')];
  assert.equal(isRunning(task(both, ended(1), running)), true);
  assert.equal(isRunning(task(both, pulled, running)), false);
  assert.equal(isRunning(task(both, running, ended(0))), false);
});
