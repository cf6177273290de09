import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allAttributes, changeAttributes, loadBalancerAttributes, targetGroupAttributes } from './attributes.ts';
import { changeHealthCheck, defaultHealthCheck, type HealthCheckInput } from './health-check.ts';

test('attributes have AWS’s defaults until they are set', () => {
  const set = changeAttributes(targetGroupAttributes, 'Target group', {}, [
    { Key: 'deregistration_delay.timeout_seconds', Value: '5' },
  ]);
  const all = allAttributes(targetGroupAttributes, set);
  assert.equal(all['deregistration_delay.timeout_seconds'], '5');
  assert.equal(all['load_balancing.algorithm.type'], 'round_robin');
  assert.equal(allAttributes(loadBalancerAttributes, {})['idle_timeout.timeout_seconds'], '60');
});

test('unknown keys, impossible values and what is not served are refused', () => {
  const change = (Key: string, Value: string) => () =>
    changeAttributes(loadBalancerAttributes, 'Load balancer', {}, [{ Key, Value }]);
  assert.throws(change('toString', 'x'), {
    name: 'InvalidConfigurationRequest',
    message: "Load balancer attribute key 'toString' is not recognized",
  });
  for (const [key, value] of [
    ['idle_timeout.timeout_seconds', '0'],
    ['idle_timeout.timeout_seconds', '4001'],
    ['idle_timeout.timeout_seconds', '1e2'],
    ['deletion_protection.enabled', 'yes'],
    ['routing.http.xff_header_processing.mode', 'drop'],
  ] as const) {
    assert.throws(change(key, value), { name: 'InvalidConfigurationRequest' }, `${key}=${value}`);
  }
  assert.throws(change('access_logs.s3.enabled', 'true'), { name: 'NotImplementedException' });
  assert.throws(
    () => changeAttributes(targetGroupAttributes, 'Target group', {}, [{ Key: 'stickiness.enabled', Value: 'true' }]),
    { name: 'NotImplementedException', message: /stickiness.enabled=true is not implemented/ },
  );
  assert.deepEqual(change('access_logs.s3.enabled', 'false')(), { 'access_logs.s3.enabled': 'false' });
});

test('health checks keep to AWS’s limits', () => {
  const base = defaultHealthCheck('HTTP', 'HTTP1');
  const change = (input: HealthCheckInput) => changeHealthCheck(base, 'HTTP1', input);
  assert.deepEqual(change({}), base);
  assert.equal(change({ Matcher: { HttpCode: '200-299, 302' } }).matcher, '200-299,302');
  assert.equal(change({ HealthCheckIntervalSeconds: 5, HealthCheckTimeoutSeconds: 2 }).intervalSeconds, 5);
  const bad: HealthCheckInput[] = [
    { HealthCheckIntervalSeconds: 4 },
    { HealthCheckIntervalSeconds: 5 },
    { HealthCheckTimeoutSeconds: 121 },
    { HealthyThresholdCount: 1 },
    { UnhealthyThresholdCount: 11 },
    { HealthCheckPath: 'health' },
    { HealthCheckPath: '/a b' },
    { HealthCheckPort: '0' },
    { HealthCheckPort: 'http' },
    { HealthCheckProtocol: 'TCP' },
    { HealthCheckEnabled: false },
    { Matcher: { HttpCode: '199' } },
    { Matcher: { HttpCode: '299-200' } },
    { Matcher: { GrpcCode: '0' } },
  ];
  for (const input of bad) assert.throws(() => change(input), { name: 'ValidationError' }, JSON.stringify(input));
});
