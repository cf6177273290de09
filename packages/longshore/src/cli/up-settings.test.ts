import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveSettings } from './up-settings.ts';

const machine = () => ({
  instances: [{ instanceId: 'aaaa', dataDir: '/one', port: 4566, publicPool: '100.64.0.0/16' }],
  routes: ['100.65.0.0/16'],
});

test('a first start takes defaults, an id of its own and a pool that is free', () => {
  const settings = resolveSettings('/two', { port: 4567 }, undefined, machine);
  assert.match(settings.instanceId, /^[0-9a-f]{4}$/);
  assert.deepEqual(
    { ...settings, instanceId: '' },
    {
      dataDir: '/two',
      instanceId: '',
      port: 4567,
      host: '127.0.0.1',
      region: 'us-east-1',
      accountId: '000000000000',
      auth: 'on',
      runtime: 'containerd',
      publicPool: '100.66.0.0/16',
    },
  );
});

test('a later start keeps what was, and takes up what may change', () => {
  const first = resolveSettings('/two', {}, undefined, machine);
  const later = resolveSettings('/two', { port: 9000, region: 'us-east-1' }, first, machine);
  assert.deepEqual(later, { ...first, port: 9000 });
});

test('what everything is named after can’t change with a data directory', () => {
  const first = resolveSettings('/two', {}, undefined, machine);
  assert.throws(
    () => resolveSettings('/two', { region: 'eu-central-1' }, first, machine),
    /made with --region us-east-1/,
  );
  assert.throws(() => resolveSettings('/two', { runtime: 'simulated' }, first, machine), /--runtime containerd/);
});

test('what makes no sense is refused in plain words', () => {
  const refuse = (flags: object, words: RegExp) =>
    assert.throws(() => resolveSettings('/two', flags, undefined, machine), words);
  refuse({ accountId: '12' }, /twelve digits/);
  refuse({ region: 'nowhere' }, /eu-central-1/);
  refuse({ port: 70000 }, /65535/);
  refuse({ publicPool: '100.64.0.0/31' }, /at least 16/);
  refuse({ auth: 'off', host: '0.0.0.0' }, /anyone who reaches/);
  assert.equal(resolveSettings('/two', { auth: 'off', host: '127.0.0.2' }, undefined, machine).auth, 'off');
});
