import type { Random } from '../../base/random.ts';

/** Waits that grow: `first` ms, times `factor` each time up to `most`, give or take `jitter` of it. */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  readonly #factor: number;
  readonly #jitter: number;
  readonly #random: Random;
  #next: number;

  constructor(
    random: Random,
    shape: { readonly first: number; readonly most: number; readonly factor: number; readonly jitter: number },
  ) {
    this.#random = random;
    this.#first = shape.first;
    this.#most = shape.most;
    this.#factor = shape.factor;
    this.#jitter = shape.jitter;
    this.#next = shape.first;
  }

  /** How long to wait this time, in milliseconds. */
  next(): number {
    const wait = this.#next * (1 + this.#jitter * (2 * this.#random.fraction() - 1));
    this.#next = Math.min(this.#next * this.#factor, this.#most);
    return Math.min(wait, this.#most);
  }

  reset(): void {
    this.#next = this.#first;
  }
}
