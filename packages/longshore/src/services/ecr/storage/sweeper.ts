import type { Clock } from '../../../base/clock.ts';
import type { Controller } from '../../../base/controller.ts';
import type { Logger } from '../../../base/log.ts';
import type { GarbageCollector } from './garbage.ts';
import type { Uploads } from './uploads.ts';

/** An upload that nobody touched for a day is given up. */
const uploadMilliseconds = 24 * 3_600_000;
const everyMilliseconds = 3_600_000;
/** After a failure. */
const againMilliseconds = 60_000;
/** A start is not slowed down by looking through everything. */
const firstMilliseconds = 120_000;
/** Looking through the blob store itself, for what no row names, is done once in so many rounds. */
const orphanRounds = 24;

export interface SweepParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly uploads: Pick<Uploads, 'sweep'>;
  readonly garbage: GarbageCollector;
}

/** Removes uploads that were given up: at start, then every hour. */
export function uploadSweeper({ clock, log, uploads }: SweepParts): Controller {
  return rounds('ecr.upload-sweeper', clock, 0, async (signal) => {
    try {
      const count = await uploads.sweep(uploadMilliseconds, signal);
      if (count > 0) log.info({ count }, 'removed uploads that were given up');
      return everyMilliseconds;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'could not sweep uploads; will try again in an hour');
      return everyMilliseconds;
    }
  });
}

/** Removes blobs that nothing needs: two minutes after the start, then every hour. */
export function garbageController({ clock, log, garbage }: SweepParts): Controller {
  let round = 0;
  return rounds('ecr.garbage-collector', clock, firstMilliseconds, async (signal) => {
    try {
      await garbage.collect({ orphans: round % orphanRounds === 0, signal });
      round += 1;
      return everyMilliseconds;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'could not clean up blobs; will try again in a minute');
      return againMilliseconds;
    }
  });
}

/** Runs `work` after `first` milliseconds (at once where 0), then after as many as it answers. */
function rounds(name: string, clock: Clock, first: number, work: (signal: AbortSignal) => Promise<number>): Controller {
  let cancel = () => {};
  let running: Promise<void> = Promise.resolve();
  let stop = new AbortController();
  const run = async () => {
    const pause = await work(stop.signal);
    schedule(pause);
  };
  const schedule = (pause: number) => {
    if (stop.signal.aborted) return;
    cancel = clock.after(pause, () => {
      running = run();
    });
  };
  return {
    name,
    async start() {
      stop = new AbortController();
      if (first === 0) running = run();
      else schedule(first);
    },
    async stop() {
      stop.abort();
      cancel();
      await running;
    },
  };
}
