import type { Clock } from './clock.ts';
import type { Controller } from './controller.ts';
import type { Logger } from './log.ts';

export interface RoundsOptions {
  /** The controller's, e.g. `logs.sweeper`. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** From the start to the first round, which begins at once where it is 0; `everyMs` where absent. */
  readonly firstMs?: number;
  /** From the end of a round to the next one. */
  readonly everyMs: number;
  /** The same after one that failed; `everyMs` where absent. */
  readonly againMs?: number;
  /** What is logged of a round that failed. */
  readonly failed: string;
}

/** A controller that does `work` again and again, never twice at once. `signal` aborts when it is to stop; the stop waits for the round. */
export function rounds(options: RoundsOptions, work: (signal: AbortSignal) => Promise<void>): Controller {
  const { name, clock, log, everyMs, firstMs = everyMs, againMs = everyMs, failed } = options;
  let cancel = () => {};
  let running: Promise<void> = Promise.resolve();
  let stop = new AbortController();

  const round = async (signal: AbortSignal): Promise<void> => {
    let pause = everyMs;
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, againMs }, failed);
      pause = againMs;
    }
    schedule(pause, signal);
  };
  const schedule = (pause: number, signal: AbortSignal): void => {
    if (signal.aborted) return;
    cancel = clock.after(pause, () => {
      running = round(signal);
    });
  };

  return {
    name,
    async start() {
      stop = new AbortController();
      if (firstMs === 0) running = round(stop.signal);
      else schedule(firstMs, stop.signal);
    },
    async stop() {
      stop.abort();
      cancel();
      await running;
    },
  };
}
