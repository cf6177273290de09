import { type Cidr, cidrSize } from './cidr.ts';

/** Address numbers, both ends included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The addresses of a subnet that interfaces may have: AWS keeps the first four and the last
 * (https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html).
 */
export function subnetRange(cidr: Cidr): AddressRange {
  return { first: cidr.base + 4, last: cidr.base + cidrSize(cidr) - 2 };
}

/** The addresses of the public pool that are given out: the lowest eight stay for the machine's own links. */
export function poolRange(cidr: Cidr): AddressRange {
  return { first: cidr.base + 8, last: cidr.base + cidrSize(cidr) - 2 };
}

/** Taken numbers that are `from` or greater, ascending, at most `limit`. */
export type TakenNumbers = (from: number, limit: number) => Promise<readonly number[]>;

/**
 * The first free number at or after `cursor`, from the range's start again where there is none; undefined where all are taken.
 * Starting after the last one given out keeps an address that was just freed from coming back while others remember it.
 */
export async function nextFree(range: AddressRange, cursor: number, taken: TakenNumbers): Promise<number | undefined> {
  const start = Math.min(Math.max(cursor, range.first), range.last);
  const after = await firstGap(start, range.last, taken);
  return after ?? (start > range.first ? firstGap(range.first, start - 1, taken) : undefined);
}

async function firstGap(from: number, last: number, taken: TakenNumbers): Promise<number | undefined> {
  for (let limit = 16, next = from; next <= last; limit = 512) {
    const numbers = await taken(next, limit);
    for (const number of numbers) {
      if (number !== next) return next <= last ? next : undefined;
      next++;
    }
    if (numbers.length < limit) return next <= last ? next : undefined;
  }
  return undefined;
}
