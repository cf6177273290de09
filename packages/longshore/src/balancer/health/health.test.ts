import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthCheckDocument } from '../../protocol/documents.ts';
import { admitted, checked, failed, firstHealth, type Health, matches, mismatch, timedOut } from './health.ts';

const check: HealthCheckDocument = {
  enabled: true,
  protocol: 'HTTP',
  port: 'traffic-port',
  path: '/',
  intervalSeconds: 30,
  timeoutSeconds: 5,
  healthyThreshold: 3,
  unhealthyThreshold: 2,
  matcher: '200',
};
const passed = { passed: true } as const;
const after = (start: Health, ...results: Parameters<typeof checked>[1][]): Health =>
  results.reduce((health, result) => checked(health, result, check), start);
const initial = firstHealth(check, undefined);

test('a new target needs one passing check, a recovering one as many as the threshold', () => {
  assert.equal(initial.reason, 'Elb.InitialHealthChecking');
  assert.equal(after(initial, passed).state, 'healthy');
  assert.equal(after(initial, timedOut, passed).state, 'healthy');
  const unhealthy = after(initial, timedOut, mismatch(503));
  assert.deepEqual(unhealthy, {
    state: 'unhealthy',
    against: 0,
    reason: 'Target.ResponseCodeMismatch',
    description: 'Health checks failed with these codes: [503]',
  });
  assert.equal(after(unhealthy, passed, passed).state, 'unhealthy');
  assert.equal(after(unhealthy, passed, failed, passed, passed).state, 'unhealthy', 'in a row');
  assert.equal(after(unhealthy, passed, passed, passed).state, 'healthy');
});

test('failures count in a row, and the extra checks of a new target do not count', () => {
  const healthy = after(initial, passed);
  assert.equal(after(healthy, failed, passed, failed).state, 'healthy');
  assert.equal(after(healthy, failed, failed).state, 'unhealthy');
  assert.equal(checked(checked(initial, failed, check, false), failed, check, false).state, 'initial');
});

test('what the server knew goes on; without checks a target is unavailable and served', () => {
  assert.equal(firstHealth(check, 'healthy').state, 'healthy');
  assert.equal(firstHealth(check, 'unhealthy').state, 'unhealthy');
  assert.equal(firstHealth(check, 'draining').state, 'initial');
  assert.equal(firstHealth({ ...check, enabled: false }, 'healthy').reason, 'Target.HealthCheckDisabled');
});

test('matchers: codes, lists, ranges', () => {
  assert.deepEqual(
    [200, 201, 299, 300].map((code) => matches('200-299', code)),
    [true, true, true, false],
  );
  assert.deepEqual(
    [200, 201, 202].map((code) => matches('200, 202', code)),
    [true, false, true],
  );
  assert.ok(matches('', 200));
});

test('requests go to the healthy; to all the unhealthy where nobody is healthy; never to the new', () => {
  const of = (...states: Health['state'][]) => states.map((state) => ({ health: { state, against: 0 } }));
  const names = (targets: ReturnType<typeof of>) => [...admitted(targets)].map((one) => one.health.state);
  assert.deepEqual(names(of('healthy', 'unhealthy', 'initial')), ['healthy']);
  assert.deepEqual(names(of('unhealthy', 'unhealthy', 'initial')), ['unhealthy', 'unhealthy']);
  assert.deepEqual(names(of('initial')), []);
});
