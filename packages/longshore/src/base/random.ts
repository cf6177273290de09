import { randomBytes, randomUUID } from 'node:crypto';

/** Randomness, passed in so that tests can make it repeatable. */
export interface Random {
  /** `length` lower-case hexadecimal characters. */
  hex(length: number): string;
  /** A version 4 UUID. */
  uuid(): string;
  /** A float in [0, 1). */
  fraction(): number;
}

export const systemRandom: Random = {
  hex: (length) =>
    randomBytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length),
  uuid: () => randomUUID(),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
};
