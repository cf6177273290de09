import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Page, type PageRequest, pageByKey, pageByOffset } from './pagination.ts';

const request = (limit: number, token?: string): PageRequest => ({
  limit,
  token,
  badToken: () => new Error('bad token'),
});

function all(read: (token: string | undefined) => Page<string>): string[][] {
  const pages: string[][] = [];
  let token: string | undefined;
  do {
    const page = read(token);
    pages.push([...page.items]);
    token = page.nextToken;
  } while (token !== undefined && pages.length < 20);
  return pages;
}

test('pages by key cover a list once, whatever its length', () => {
  const key = (item: string) => item;
  assert.deepEqual(
    all((token) => pageByKey(['a', 'b', 'c', 'd', 'ü'], key, request(2, token))),
    [['a', 'b'], ['c', 'd'], ['ü']],
  );
  assert.deepEqual(
    all((token) => pageByKey(['a', 'b'], key, request(2, token))),
    [['a', 'b']],
  );
  assert.deepEqual(
    all((token) => pageByKey([], key, request(2, token))),
    [[]],
  );
});

test('what comes and goes between pages neither repeats nor hides others', () => {
  const key = (item: string) => item;
  const first = pageByKey(['b', 'd', 'f'], key, request(2));
  assert.deepEqual(pageByKey(['a', 'b', 'e', 'f'], key, request(2, first.nextToken)).items, ['e', 'f']);
});

test('pages can go down, and one without a limit holds all that is left', () => {
  const key = (item: string) => item;
  const down = { ...request(2), descending: true };
  const first = pageByKey(['a', 'c', 'b'], key, down);
  assert.deepEqual(first.items, ['c', 'b']);
  assert.deepEqual(pageByKey(['a', 'b', 'c'], key, { ...down, token: first.nextToken }), { items: ['a'] });
  assert.deepEqual(pageByKey(['b', 'a'], key, { ...request(1), limit: undefined }), { items: ['a', 'b'] });
});

test('pages by offset cover a list once', () => {
  assert.deepEqual(
    all((token) => pageByOffset(['z', 'a', 'm'], request(2, token))),
    [['z', 'a'], ['m']],
  );
});

test('a token that is none of ours is refused', () => {
  for (const token of ['', 'x', '!!', 'eyJhIjoxfQ', 'a'.repeat(5000)]) {
    assert.throws(() => pageByKey(['a'], (item) => item, request(1, token)), { message: 'bad token' });
    assert.throws(() => pageByOffset(['a'], request(1, token)), { message: 'bad token' });
  }
});
