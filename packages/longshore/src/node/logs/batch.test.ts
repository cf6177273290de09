import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from './batch.ts';

const messages = (batch: Batch) => batch.events.map(({ message }) => message);

test('lines become events; a line without an end waits for it', () => {
  const batch = new Batch();
  batch.add(Buffer.from('one\r\n\ntwo\nthr'), 1);
  assert.deepEqual(messages(batch), ['one', 'two']);
  assert.deepEqual([batch.consumed, batch.held], [10, 3]);
  batch.add(Buffer.from('ee\n'), 2);
  assert.deepEqual(messages(batch), ['one', 'two', 'three']);
  batch.add(Buffer.from('last'), 3);
  batch.finish(3);
  assert.deepEqual(messages(batch).at(-1), 'last');
  assert.equal(batch.consumed, 'one\r\n\ntwo\nthree\nlast'.length);
});

test('a line above 256 KiB is cut between characters', () => {
  const batch = new Batch();
  const text = 'ä€😀'.repeat(60_000);
  batch.add(Buffer.from(`${text}\n`), 1);
  assert.equal(messages(batch).join(''), text);
  assert.ok(batch.events.every(({ message }) => Buffer.byteLength(message) <= 256 * 1024 - 26));
});

test('a full batch takes no more, and says where to go on', () => {
  const data = Buffer.from(Array.from({ length: 25_000 }, (_, index) => `${index}\n`).join(''));
  const seen: string[] = [];
  let offset = 0;
  let batches = 0;
  while (offset < data.length) {
    const batch = new Batch();
    for (let position = offset; position < data.length && !batch.full; )
      position += batch.add(data.subarray(position, position + 1000), 1);
    seen.push(...messages(batch));
    assert.ok(batch.events.length <= 10_000);
    offset += batch.consumed;
    batches++;
  }
  assert.equal(batches, 3);
  assert.deepEqual(seen, data.toString().trim().split('\n'));
});
