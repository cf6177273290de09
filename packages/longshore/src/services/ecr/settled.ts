import type { Clock } from '../../base/clock.ts';

/** Resolves when all work has ended, well or not, or after `milliseconds`: a stop waits, but not for ever. */
export async function settledWithin(
  clock: Clock,
  milliseconds: number,
  work: Iterable<Promise<unknown>>,
): Promise<void> {
  const stop = new AbortController();
  const late = clock.sleep(milliseconds, stop.signal).catch(() => {});
  await Promise.race([Promise.allSettled(work), late]);
  stop.abort();
}
