import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action, RuleCondition } from '@aws-sdk/client-elastic-load-balancing-v2';
import { actionDocument, parseActions, targetGroupsOf } from './actions.ts';
import { conditionDocument, parseConditions } from './conditions.ts';

const refused = (run: () => unknown, name: string) => assert.throws(run, { name });

test('conditions come in the old and the new way, and nodes are told the same', () => {
  const conditions = parseConditions([
    { Field: 'host-header', Values: ['*.example.com'] },
    { Field: 'path-pattern', PathPatternConfig: { Values: ['/api/*'] } },
    { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'X-Version', Values: ['2'] } },
    { Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'v', Value: '1' }, { Value: 'beta' }] } },
  ]);
  assert.deepEqual(conditions[0], {
    Field: 'host-header',
    Values: ['*.example.com'],
    HostHeaderConfig: { Values: ['*.example.com'] },
  });
  assert.deepEqual(conditions.map(conditionDocument), [
    { field: 'host-header', values: ['*.example.com'] },
    { field: 'path-pattern', values: ['/api/*'] },
    { field: 'http-header', name: 'X-Version', values: ['2'] },
    { field: 'query-string', values: [{ key: 'v', value: '1' }, { value: 'beta' }] },
  ]);
  assert.deepEqual(
    parseConditions([
      { Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['GET', 'PURGE'] } },
      { Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.0/8', '2001:db8::/32'] } },
    ]).map(conditionDocument),
    [
      { field: 'http-request-method', values: ['GET', 'PURGE'] },
      { field: 'source-ip', values: ['10.0.0.0/8', '2001:db8::/32'] },
    ],
  );
});

test('conditions that AWS refuses are refused', () => {
  const bad: RuleCondition[][] = [
    [],
    [{ Field: 'nothing', Values: ['x'] }],
    [{ Field: 'path-pattern' }],
    [{ Field: 'path-pattern', Values: ['/a"\n'] }],
    [{ Field: 'path-pattern', Values: ['/'.repeat(129)] }],
    [{ Field: 'path-pattern', Values: ['/1', '/2', '/3', '/4', '/5', '/6'] }],
    [{ Field: 'path-pattern', Values: ['/*****', '/**'] }],
    [
      { Field: 'path-pattern', Values: ['/a'] },
      { Field: 'path-pattern', Values: ['/b'] },
    ],
    [{ Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'Host', Values: ['a'] } }],
    [{ Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'a b', Values: ['a'] } }],
    [{ Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['get it'] } }],
    [{ Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.300/8'] } }],
    [{ Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.1'] } }],
    [{ Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'a' }] } }],
  ];
  for (const conditions of bad) refused(() => parseConditions(conditions), 'ValidationError');
  refused(() => parseConditions([{ Field: 'path-pattern', RegexValues: ['^/a$'] }]), 'NotImplementedException');
});

test('a forward by one ARN and by weights come out alike', () => {
  const single = parseActions([{ Type: 'forward', TargetGroupArn: 'arn:a' }]);
  assert.deepEqual(single, [
    {
      Type: 'forward',
      TargetGroupArn: 'arn:a',
      ForwardConfig: {
        TargetGroups: [{ TargetGroupArn: 'arn:a', Weight: 1 }],
        TargetGroupStickinessConfig: { Enabled: false },
      },
    },
  ]);
  assert.deepEqual(parseActions(single), single);
  const weighted = parseActions([
    {
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: [
          { TargetGroupArn: 'arn:a', Weight: 9 },
          { TargetGroupArn: 'arn:b', Weight: 0 },
        ],
      },
    },
  ]);
  assert.deepEqual(targetGroupsOf(weighted), ['arn:a', 'arn:b']);
  assert.deepEqual(actionDocument(weighted), {
    type: 'forward',
    targetGroups: [
      { arn: 'arn:a', weight: 9 },
      { arn: 'arn:b', weight: 0 },
    ],
  });
});

test('redirects and fixed responses get their defaults', () => {
  const redirect = parseActions([
    { Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '443', StatusCode: 'HTTP_301' } },
  ]);
  assert.deepEqual(actionDocument(redirect), {
    type: 'redirect',
    status: 301,
    protocol: 'HTTPS',
    host: '#{host}',
    port: '443',
    path: '/#{path}',
    query: '#{query}',
  });
  const fixed = parseActions([
    {
      Type: 'fixed-response',
      FixedResponseConfig: { StatusCode: '503', ContentType: 'text/plain', MessageBody: 'later' },
    },
  ]);
  assert.deepEqual(actionDocument(fixed), {
    type: 'fixed-response',
    status: 503,
    contentType: 'text/plain',
    body: 'later',
  });
});

test('actions that AWS refuses are refused', () => {
  const bad: [Action[], string][] = [
    [[], 'ValidationError'],
    [[{ Type: 'forward' }], 'ValidationError'],
    [
      [{ Type: 'forward', ForwardConfig: { TargetGroups: [{ TargetGroupArn: 'a', Weight: 1000 }] } }],
      'ValidationError',
    ],
    [
      [{ Type: 'forward', ForwardConfig: { TargetGroups: [{ TargetGroupArn: 'a' }, { TargetGroupArn: 'a' }] } }],
      'ValidationError',
    ],
    [[{ Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_301' } }], 'InvalidLoadBalancerAction'],
    [[{ Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_302', Port: '70000' } }], 'ValidationError'],
    [[{ Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_302', Path: '/a\r\nb' } }], 'ValidationError'],
    [[{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '302' } }], 'ValidationError'],
    [
      [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', ContentType: 'image/png' } }],
      'ValidationError',
    ],
    [
      [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', MessageBody: 'x'.repeat(1025) } }],
      'ValidationError',
    ],
    [[{ Type: 'authenticate-oidc' }], 'NotImplementedException'],
    [
      [
        { Type: 'forward', TargetGroupArn: 'a' },
        { Type: 'forward', TargetGroupArn: 'b' },
      ],
      'InvalidLoadBalancerAction',
    ],
  ];
  for (const [actions, name] of bad) refused(() => parseActions(actions), name);
});
