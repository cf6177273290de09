import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesEntityTag, parseContentRange, parseRange, uploadRange } from './ranges.ts';

test('one range of bytes is understood', () => {
  assert.deepEqual(parseRange('bytes=0-0', 10), { start: 0, end: 0 });
  assert.deepEqual(parseRange('bytes=2-', 10), { start: 2, end: 9 });
  assert.deepEqual(parseRange('bytes=2-99', 10), { start: 2, end: 9 });
  assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, end: 9 });
  assert.deepEqual(parseRange('bytes=-99', 10), { start: 0, end: 9 });
});

test('what a server may ignore is ignored', () => {
  for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4'])
    assert.equal(parseRange(header, 10), 'whole', header);
});

test('a range beyond the end can not be satisfied', () => {
  assert.equal(parseRange('bytes=10-', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=5-2', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
  assert.equal(parseRange('bytes=-0', 10), 'unsatisfiable');
});

test("a chunk's place is read in OCI's and in HTTP's form", () => {
  assert.deepEqual(parseContentRange('0-1023'), { start: 0, end: 1023 });
  assert.deepEqual(parseContentRange('bytes 5-9/10'), { start: 5, end: 9 });
  assert.deepEqual(parseContentRange('bytes 5-9/*'), { start: 5, end: 9 });
  for (const header of ['', '9-5', '-5', '5-', 'bytes */10', '1-99999999999999999'])
    assert.equal(parseContentRange(header), undefined, header);
});

test("an upload's range names its last byte", () => {
  assert.equal(uploadRange(0), '0-0');
  assert.equal(uploadRange(100), '0-99');
});

test('entity tags match as RFC 9110 says', () => {
  assert.equal(matchesEntityTag('"a", W/"b"', 'b'), true);
  assert.equal(matchesEntityTag('*', 'b'), true);
  assert.equal(matchesEntityTag('"a"', 'b'), false);
  assert.equal(matchesEntityTag(undefined, 'b'), false);
});
