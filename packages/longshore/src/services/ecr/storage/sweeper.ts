import type { Clock } from '../../../base/clock.ts';
import type { Controller } from '../../../base/controller.ts';
import type { Logger } from '../../../base/log.ts';
import { rounds } from '../../../base/rounds.ts';
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
  return rounds(
    {
      name: 'ecr.upload-sweeper',
      clock,
      log,
      firstMs: 0,
      everyMs: everyMilliseconds,
      failed: 'could not sweep uploads; will try again in an hour',
    },
    async (signal) => {
      const count = await uploads.sweep(uploadMilliseconds, signal);
      if (count > 0) log.info({ count }, 'removed uploads that were given up');
    },
  );
}

/** Removes blobs that nothing needs: two minutes after the start, then every hour. */
export function garbageController({ clock, log, garbage }: SweepParts): Controller {
  let round = 0;
  return rounds(
    {
      name: 'ecr.garbage-collector',
      clock,
      log,
      firstMs: firstMilliseconds,
      everyMs: everyMilliseconds,
      againMs: againMilliseconds,
      failed: 'could not clean up blobs; will try again in a minute',
    },
    async (signal) => {
      await garbage.collect({ orphans: round % orphanRounds === 0, signal });
      round += 1;
    },
  );
}
