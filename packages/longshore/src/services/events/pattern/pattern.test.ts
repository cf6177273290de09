import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, PatternError } from './pattern.ts';

const matches = (pattern: unknown, event: object): boolean =>
  compilePattern(typeof pattern === 'string' ? pattern : JSON.stringify(pattern))(event);

/** The reason without the place. */
function reason(pattern: unknown): string {
  try {
    compilePattern(typeof pattern === 'string' ? pattern : JSON.stringify(pattern));
  } catch (error) {
    assert.ok(error instanceof PatternError);
    return error.message.split('\n')[0] ?? '';
  }
  return '';
}

const task = {
  source: 'aws.ecs',
  'detail-type': 'ECS Task State Change',
  resources: ['arn:aws:ecs:eu-west-1:111122223333:task/default/abc'],
  detail: {
    lastStatus: 'STOPPED',
    stoppedReason: 'Essential container in task exited',
    cpu: 256,
    containers: [
      { name: 'web', exitCode: 0 },
      { name: 'sidecar', exitCode: 137 },
    ],
    ip: '10.0.0.7',
    spot: null,
    ready: true,
  },
};

/** Each pattern for a field `x` with values that it takes and values that it does not. */
const cases: readonly (readonly [pattern: unknown, yes: readonly unknown[], no: readonly unknown[]])[] = [
  [
    ['a', 1, null, true],
    ['a', 1, 1.0, null, true, ['b', 'a']],
    ['A', 2, false, '1', [], {}],
  ],
  [[{ prefix: 'ab' }], ['ab', 'abc'], ['Ab', 'cab', 1, null]],
  [[{ prefix: '' }], ['', 'x'], [1]],
  [[{ prefix: { 'equals-ignore-case': 'aB' } }], ['ABc', 'abc'], ['bab']],
  [[{ suffix: '.png' }], ['a.png'], ['a.PNG', 'png']],
  [[{ suffix: { 'equals-ignore-case': '.png' } }], ['a.PNG'], ['a.pngx']],
  [[{ 'equals-ignore-case': 'Running' }], ['RUNNING', 'running'], ['runnin', null]],
  [[{ wildcard: 'a*c*e' }], ['ace', 'abcde', 'accce'], ['abde', 'aceX', 'ae']],
  [[{ wildcard: '*' }], ['', 'anything'], [1]],
  [[{ wildcard: '\\*\\\\*' }], ['*\\', '*\\x'], ['x\\']],
  [[{ 'anything-but': 'a' }], ['b', '', 1, null, true], ['a']],
  [[{ 'anything-but': [1, 2] }], [3, '1'], [1, 2.0]],
  [[{ 'anything-but': ['a', 'b'] }], ['c', ['a', 'c']], ['a', ['a', 'b'], []]],
  [[{ 'anything-but': { prefix: ['a', 'b'] } }], ['ca', 1], ['abc', 'b']],
  [[{ 'anything-but': { suffix: 'z' } }], ['za'], ['az']],
  [[{ 'anything-but': { 'equals-ignore-case': ['A', 'b'] } }], ['c', null], ['a', 'B']],
  [[{ 'anything-but': { wildcard: 'a*z' } }], ['abc'], ['az', 'abcz']],
  [[{ numeric: ['>', 0, '<=', 5] }], [0.1, 5], [0, 5.1, '3', null]],
  [[{ numeric: ['=', 3.018e2] }], [301.8], [301]],
  [[{ numeric: ['<', 10] }], [-1e300, 9], [10]],
  [[{ exists: true }], ['', null, 0, [1]], [{}, []]],
  [[{ exists: false }], [{ y: 1 }, []], ['', null]],
  [[{ cidr: '10.0.0.0/24' }], ['10.0.0.0', '10.0.0.255'], ['10.0.1.0', 'x', '::1', 7]],
  [[{ cidr: '2001:db8::/64' }], ['2001:db8:0:0:1::', '2001:DB8::1'], ['2001:db9::', '10.0.0.1']],
  [['::1'], ['0:0:0:0:0:0:0:1', '::1'], ['::2']],
  [[{ exists: false }, 'gone'], ['gone', []], ['here']],
];

test('every kind of matching takes what it should and nothing else', () => {
  for (const [pattern, yes, no] of cases) {
    for (const value of yes) assert.ok(matches({ x: pattern }, { x: value }), JSON.stringify({ pattern, value }));
    for (const value of no) assert.ok(!matches({ x: pattern }, { x: value }), JSON.stringify({ pattern, value }));
  }
});

test('what is not there matches only that it is not there', () => {
  assert.ok(matches({ detail: { gone: [{ exists: false }] } }, task));
  for (const kind of [{ 'anything-but': 'x' }, { exists: true }, { wildcard: '*' }, { numeric: ['<', 1] }, null])
    assert.ok(!matches({ detail: { gone: [kind] } }, task), JSON.stringify(kind));
});

test('fields must all match; an event’s arrays match where one member does', () => {
  assert.ok(matches({ source: ['aws.ecs'], resources: [{ suffix: '/abc' }], detail: { cpu: [256] } }, task));
  assert.ok(!matches({ source: ['aws.ecs'], detail: { cpu: [512] } }, task));
});

test('fields of the same array must match within the same member', () => {
  const of = (name: string, exitCode: number) => ({ detail: { containers: { name: [name], exitCode: [exitCode] } } });
  assert.ok(matches(of('sidecar', 137), task));
  assert.ok(!matches(of('web', 137), task));
  const nested = { a: [[{ b: 1, c: 2 }], { b: 3, c: 4 }] };
  assert.ok(matches({ a: { b: [1], c: [2] } }, nested));
  assert.ok(!matches({ a: { b: [1], c: [4] } }, nested));
});

test('$or, also nested and beside other fields', () => {
  const pattern = {
    source: ['aws.ecs'],
    $or: [
      { detail: { lastStatus: ['RUNNING'] } },
      { detail: { cpu: [{ numeric: ['<', 300] }], $or: [{ ready: [true] }, { ready: ['yes'] }] } },
    ],
  };
  assert.ok(matches(pattern, task));
  assert.ok(!matches(pattern, { ...task, source: 'mine' }));
  assert.ok(!matches(pattern, { ...task, detail: { ...task.detail, ready: false } }));
});

test('names with dots are paths, in patterns and in events', () => {
  assert.ok(matches({ 'detail.lastStatus': ['STOPPED'] }, task));
  assert.ok(matches({ a: { b: { c: [1] } } }, { 'a.b': { c: 1 } }));
  assert.ok(matches({ a: { b: [1], c: [2] } }, { 'a.b': 1, a: { c: 2 } }));
  assert.ok(matches({ a: { b: [1] } }, { 'a.b': 2, a: { b: 1 } }));
});

test('names that objects inherit are nothing special', () => {
  assert.ok(!matches({ constructor: { name: [{ exists: true }] } }, {}));
  assert.ok(!matches({ toString: [{ exists: true }] }, {}));
  assert.ok(matches('{"__proto__": {"a": [1]}}', JSON.parse('{"__proto__": {"a": 1}}')));
  assert.equal(reason('{"a": [{"toString": 1}]}'), 'Unrecognized match type toString');
  assert.equal(reason('{"a": [{"numeric": ["constructor", 1]}]}'), 'Unrecognized numeric range operator: constructor');
});

test('a field that is named twice counts as it was named last', () => {
  assert.ok(matches('{"a": [1], "a": [2]}', { a: 2 }));
  assert.ok(!matches('{"a": [1], "a": [2]}', { a: 1 }));
});

test('reasons are EventBridge’s own', () => {
  const expected: readonly (readonly [unknown, string])[] = [
    ['[1]', 'Filter is not an object'],
    [{}, 'Empty objects are not allowed'],
    [{ a: {} }, 'Empty objects are not allowed'],
    [{ a: [] }, 'Empty arrays are not allowed'],
    [{ a: 'x' }, '"a" must be an object or an array'],
    [{ a: [['x']] }, 'Match value must be String, number, true, false, or null'],
    [{ a: [{}] }, 'Match expression name not found'],
    [{ a: [{ Prefix: 'x' }] }, 'Unrecognized match type Prefix'],
    [{ a: [{ prefix: 1 }] }, 'prefix match pattern must be a string'],
    [{ a: [{ prefix: 'x', suffix: 'y' }] }, 'Only one key allowed in match expression'],
    [{ a: [{ prefix: { wildcard: 'x' } }] }, 'Unsupported prefix pattern: wildcard'],
    [{ a: [{ wildcard: 'x**y' }] }, 'Consecutive wildcard characters at pos 2'],
    [{ a: [{ wildcard: 'x\\y' }] }, 'Invalid escape character at pos 2'],
    [{ a: [{ exists: 'true' }] }, 'exists match pattern must be either true or false.'],
    [{ a: [{ numeric: 5 }] }, 'Value of numeric must be an array.'],
    [{ a: [{ numeric: ['>', 'x'] }] }, 'Value of > must be numeric'],
    [{ a: [{ numeric: ['=', '1'] }] }, 'Value of equals must be numeric'],
    [{ a: [{ numeric: ['!', 1] }] }, 'Unrecognized numeric range operator: !'],
    [{ a: [{ numeric: ['>', 5, '<', 1] }] }, 'Bottom must be less than top'],
    [{ a: [{ numeric: ['<', 5, '>', 1] }] }, 'Too many elements in numeric expression'],
    [
      { a: [{ 'anything-but': [1, 'x'] }] },
      'Inside anything but list, either all values are number or string, mixed type is not supported',
    ],
    [{ a: [{ 'anything-but': { suffix: '' } }] }, 'Null prefix/suffix not allowed'],
    [{ a: [{ 'anything-but': { numeric: ['=', 1] } }] }, 'Unsupported anything-but pattern: numeric'],
    [{ a: [{ cidr: '10.0.0.0' }] }, "Malformed CIDR, one '/' required"],
    [{ a: [{ cidr: '10.0.0.0/32' }] }, 'IPv4 mask bits must be < 32'],
    [{ a: [{ cidr: '300.0.0.0/8' }] }, 'Nonstandard IP address: 300.0.0.0'],
    [{ $or: [{ a: [1] }] }, 'There must have at least 2 Objects in $or relationship.'],
    [{ $or: { a: [1] } }, 'It must be an Array followed with $or.'],
    [{ $or: [{ a: [1] }, { prefix: ['x'] }] }, 'prefix is Ruler reserved fieldName which cannot be used inside $or.'],
    ['{"a": [1]', 'Unexpected end-of-input: was expecting comma to separate Object entries'],
    ['{a: [1]}', "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"],
    ['', 'Unexpected end-of-input: expected a valid value'],
  ];
  for (const [pattern, message] of expected) assert.equal(reason(pattern), message, JSON.stringify(pattern));
});

test('a reason says where', () => {
  assert.throws(() => compilePattern('{\n  "a": "x"\n}'), {
    message: '"a" must be an object or an array\n at [Source: (String)"{\n  "a": "x"\n}"; line: 2, column: 9]',
  });
});

test('patterns and events that are made to keep us busy do not', () => {
  const started = performance.now();
  // 2^12 combinations of $or.
  const bomb = `{${Array.from({ length: 12 }, (_, i) => `"f${i}": {"$or": [{"a": [1]}, {"b": [1]}]}`).join(',')}}`;
  assert.match(reason(bomb), /exceed the limit of 1000/);
  assert.match(reason({ a: [{ wildcard: '*a*a*a*a*a*a' }] }), /^Rule is too complex/);
  assert.equal(reason(`{"a": ${'['.repeat(4000)}`), 'Match value must be String, number, true, false, or null');
  assert.match(reason(`${'{"a":'.repeat(1001)}1`), /nesting depth exceeds/);
  const deep = JSON.parse(`{"x": ${'['.repeat(900)}1${']'.repeat(900)}}`) as object;
  assert.ok(matches({ x: [1] }, deep));
  assert.ok(!matches({ x: [{ wildcard: '*aab*aab*aab*x' }] }, { x: 'a'.repeat(500_000) }));
  const wide = { x: Array.from({ length: 30_000 }, (_, i) => ({ a: i, b: -i })) };
  const ors = Array.from({ length: 300 }, (_, i) => ({ x: { a: [i + 1], b: ['no'] } }));
  assert.ok(!matches({ $or: ors }, wide));
  assert.ok(performance.now() - started < 3_000);
});
