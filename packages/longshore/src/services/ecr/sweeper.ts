import type { Controller } from '../../base/controller.ts';
import type { Ecr } from './parts.ts';

/** An upload that nobody touched for a day is given up. */
const uploadMilliseconds = 24 * 3_600_000;
const everyMilliseconds = 3_600_000;

/** Removes uploads that were given up: at start, then every hour. */
export function uploadSweeper(ecr: Ecr): Controller {
  const { clock, log, uploads } = ecr;
  let cancel = () => {};
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const sweep = async () => {
    try {
      const count = await uploads.sweep(uploadMilliseconds);
      if (count > 0) log.info({ count }, 'removed uploads that were given up');
    } catch (error) {
      log.warn({ err: error }, 'could not sweep uploads; will try again in an hour');
    }
    if (!stopped)
      cancel = clock.after(everyMilliseconds, () => {
        running = sweep();
      });
  };
  return {
    name: 'ecr.upload-sweeper',
    async start() {
      stopped = false;
      running = sweep();
    },
    async stop() {
      stopped = true;
      cancel();
      await running;
      cancel();
    },
  };
}
