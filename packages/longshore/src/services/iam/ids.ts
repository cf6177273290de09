import type { Random } from '../../base/random.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** `length` characters of A–Z and 2–7, as AWS's unique ids have. */
export function base32(random: Random, length: number): string {
  const bytes = Buffer.from(random.hex(length * 2), 'hex');
  return Array.from(bytes, (byte) => alphabet[byte & 31]).join('');
}

/** Prefixes of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids. */
export type IdPrefix = 'AIDA' | 'AROA' | 'AGPA' | 'ANPA' | 'AIPA';

/** A unique id, e.g. `AROA` and 17 characters. */
export function newId(random: Random, prefix: IdPrefix): string {
  return prefix + base32(random, 17);
}

/** An access key: 20 characters that start with `AKIA` (long-term) or `ASIA` (temporary), and a secret of 40. */
export function newAccessKey(random: Random, prefix: 'AKIA' | 'ASIA') {
  return {
    accessKeyId: prefix + base32(random, 16),
    secretAccessKey: Buffer.from(random.hex(60), 'hex').toString('base64'),
  };
}

/** What temporary credentials carry beside their key. Opaque. */
export function newSessionToken(random: Random): string {
  return `IQoJb3JpZ2lu${Buffer.from(random.hex(2 * 186), 'hex').toString('base64')}`;
}
