import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readModel, readServices } from '../../longshore/src/models/model.ts';
import { patternProblem } from '../src/patterns.ts';

test('no hostile text keeps a pattern of a model busy', { timeout: 60_000 }, () => {
  const problems: string[] = [];
  let count = 0;
  for (const service of Object.keys(readServices())) {
    const patterns = new Set(Object.values(readModel(service).shapes).flatMap(({ pattern }) => pattern ?? []));
    for (const pattern of patterns) {
      count++;
      const problem = patternProblem(pattern);
      if (problem) problems.push(`${service}: ${pattern} ${problem}`);
    }
  }
  assert.ok(count > 100);
  assert.deepEqual(problems, []);
});

test('patterns that can be kept busy are found', () => {
  assert.match(patternProblem('^(a+)+$') ?? '', /takes too long/);
  assert.match(patternProblem('[a&&[b]]') ?? '', /no equivalent/);
  assert.equal(patternProblem('[a-z]+(-[a-z]+)*'), undefined);
});
