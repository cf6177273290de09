import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './clock.ts';
import { silentLogger } from './log.ts';
import { rounds } from './rounds.ts';

/** A clock whose one timer is let go by hand. */
function handClock() {
  let due: { ms: number; run: () => void } | undefined;
  const clock: Pick<Clock, 'after'> = {
    after(ms, run) {
      due = { ms, run };
      return () => {
        due = undefined;
      };
    },
  };
  return { clock: clock as Clock, due: () => due?.ms, go: () => due?.run() };
}

test('rounds follow one another, sooner after one that failed, and none begins after the stop', async () => {
  const { clock, due, go } = handClock();
  let done = 0;
  const controller = rounds(
    { name: 'test', clock, log: silentLogger, firstMs: 5, everyMs: 100, againMs: 10, failed: 'failed' },
    async () => {
      done += 1;
      if (done === 2) throw new Error('this time');
    },
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await controller.start();
  assert.deepEqual([done, due()], [0, 5]);
  go();
  await settle();
  assert.deepEqual([done, due()], [1, 100]);
  go();
  await settle();
  assert.deepEqual([done, due()], [2, 10]);
  await controller.stop();
  assert.deepEqual([done, due()], [2, undefined]);
});

test('the stop waits for the round that runs and tells it so', async () => {
  const { clock, due } = handClock();
  let ended = false;
  const controller = rounds(
    { name: 'test', clock, log: silentLogger, firstMs: 0, everyMs: 100, failed: 'failed' },
    async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      ended = true;
    },
  );
  await controller.start();
  await controller.stop();
  assert.deepEqual([ended, due()], [true, undefined]);
});
