import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InputSettings, inputProblem, renderInput } from './input.ts';

const event = {
  version: '0',
  id: 'e-1',
  'detail-type': 'ECS Task State Change',
  source: 'aws.ecs',
  resources: ['arn:one', 'arn:two'],
  detail: {
    status: 'STOPPED',
    quoted: 'say "hi"',
    code: 137,
    tags: ['a', 'b'],
    inner: { x: 1 },
    list: [{ n: 1 }, { n: 2 }],
  },
};
const facts = { ruleArn: 'arn:rule', ruleName: 'rule', ingestedAt: '2026-11-23T12:00:00.000Z' };
const render = (settings: InputSettings) => renderInput(settings, event, JSON.stringify(event), facts);
const transform = (InputTemplate: string, InputPathsMap: Record<string, string> = {}) =>
  render({ InputTransformer: { InputTemplate, InputPathsMap } });

test('the whole event, a constant, or a part', () => {
  assert.equal(render({}), JSON.stringify(event));
  assert.equal(render({ Input: '{"a": 1}' }), '{"a": 1}');
  assert.equal(render({ InputPath: '$' }), JSON.stringify(event));
  assert.equal(render({ InputPath: '$.detail.inner' }), '{"x":1}');
  assert.equal(render({ InputPath: '$.detail.status' }), '"STOPPED"');
  assert.equal(render({ InputPath: '$.resources[1]' }), '"arn:two"');
  assert.equal(render({ InputPath: '$.detail.list[*].n' }), '[1,2]');
  assert.equal(render({ InputPath: "$['detail']['status']" }), '"STOPPED"');
  assert.equal(render({ InputPath: '$.detail.gone' }), 'null');
  assert.equal(render({ InputPath: '$.constructor' }), 'null');
});

test('templates: as JSON outside of quotes, as text within', () => {
  const paths = {
    s: '$.detail.status',
    q: '$.detail.quoted',
    c: '$.detail.code',
    t: '$.detail.tags',
    i: '$.detail.inner',
    gone: '$.detail.gone',
  };
  assert.equal(
    transform('{"a": <s>, "b": <c>, "c": <i>, "d": <gone>}', paths),
    '{"a": "STOPPED", "b": 137, "c": {"x":1}, "d": ""}',
  );
  assert.equal(transform('{"a": "task is <s> (<c>)<gone>"}', paths), '{"a": "task is STOPPED (137)"}');
  assert.equal(transform('"<t> <i>"', paths), '"[a,b] {x:1}"');
  assert.deepEqual(JSON.parse(transform('{"a": "<q>", "b": "\\"<s>\\""}', paths)), { a: 'say "hi"', b: '"STOPPED"' });
});

test('templates: what is there without a path', () => {
  assert.equal(
    transform('"<aws.events.rule-arn> <aws.events.rule-name> <aws.events.event.ingestion-time>"'),
    '"arn:rule rule 2026-11-23T12:00:00.000Z"',
  );
  assert.deepEqual(JSON.parse(transform('{"e": <aws.events.event.json>}')), { e: event });
  assert.ok(!('detail' in (JSON.parse(transform('{"e": <aws.events.event>}')) as { e: object }).e));
});

test('what PutTargets refuses', () => {
  assert.equal(inputProblem('t', { InputPath: '$.detail' }), undefined);
  assert.equal(
    inputProblem('t', { Input: '1', InputPath: '$' }),
    'Only one of Input, InputPath, or InputTransformer must be provided for target t.',
  );
  assert.match(inputProblem('t', { Input: '{' }) ?? '', /JSON syntax error/);
  assert.match(inputProblem('t', { InputPath: 'detail' }) ?? '', /Invalid InputPath/);
  assert.match(inputProblem('t', { InputPath: '$..x' }) ?? '', /Invalid InputPath/);
  assert.equal(
    inputProblem('t', { InputTransformer: { InputTemplate: '"<nope>"', InputPathsMap: { a: '$.a' } } }),
    'InputTemplate for target t contains invalid placeholder nope.',
  );
  assert.match(
    inputProblem('t', { InputTransformer: { InputTemplate: '"x"', InputPathsMap: { 'aws.x': '$' } } }) ?? '',
    /reserved key/,
  );
});
