import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { StateChange } from '../task/report.ts';
import { AwsError } from './aws-client.ts';
import { Backoff } from './backoff.ts';

interface Waiting {
  readonly change: StateChange;
  readonly onSent: () => void;
}

/**
 * Tells the server of tasks' states: in order for each task, tasks beside one another, each change again until the server has
 * taken it (1 s → 30 s apart, sooner when a session begins). A PENDING that still waits when a newer change comes is dropped; that the task ran is always told,
 * since how a task ended is judged by it.
 */
export class Submitter {
  readonly #send: (change: StateChange) => Promise<void>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #queues = new Map<string, Waiting[]>();
  readonly #ended = new AbortController();
  #kick = new AbortController();

  constructor(send: (change: StateChange) => Promise<void>, clock: Clock, random: Random, log: Logger) {
    this.#send = send;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  /** `onSent` is called when the server has acknowledged the change, or has refused it for good. */
  submit(change: StateChange, onSent: () => void): void {
    const queue = this.#queues.get(change.task);
    if (!queue) {
      const fresh = [{ change, onSent }];
      this.#queues.set(change.task, fresh);
      void this.#drain(change.task, fresh);
      return;
    }
    const [underWay, ...waiting] = queue.splice(0);
    const kept = waiting.filter((one) => one.change.status !== 'PENDING' && one.change.status !== change.status);
    queue.push(underWay!, ...kept, { change, onSent });
  }

  /** Tries at once what waits for its next try: the server is there again. */
  hurry(): void {
    this.#kick.abort();
    this.#kick = new AbortController();
  }

  stop(): void {
    this.#ended.abort();
    this.#kick.abort();
  }

  async #drain(task: string, queue: Waiting[]): Promise<void> {
    const backoff = new Backoff(this.#random, { first: 1_000, most: 30_000, factor: 1.3, jitter: 0.2 });
    while (!this.#ended.signal.aborted) {
      const next = queue[0];
      if (!next) break;
      try {
        await this.#send(next.change);
        backoff.reset();
      } catch (error) {
        if (!isFinal(error)) {
          const wait = backoff.next();
          this.#log.debug({ task, error: String(error), wait }, 'could not submit a state change; trying again');
          await this.#clock.sleep(wait, this.#kick.signal).catch(() => undefined);
          if (next.change.status === 'PENDING' && queue.length > 1) queue.shift();
          continue;
        }
        this.#log.warn({ task, status: next.change.status, error: String(error) }, 'the server refused a state change');
      }
      queue.shift();
      if (!this.#ended.signal.aborted) next.onSent();
    }
    this.#queues.delete(task);
  }
}

/** The server does not know the task or the change: asking again would get the same answer. */
function isFinal(error: unknown): boolean {
  return error instanceof AwsError && !error.retryable && /^(InvalidParameter|Client|Validation)/.test(error.code);
}
