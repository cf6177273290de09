import { readFileSync } from 'node:fs';
import { CommandError } from './output.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Reads an IPv4 range in CIDR notation; undefined where it is none, or its address has bits beyond the prefix. */
export function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  if ([a, b, c, d].some((octet) => octet > 255) || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % size === 0 ? { first, last: first + size - 1 } : undefined;
}

const overlap = (one: Range, other: Range) => one.first <= other.last && other.first <= one.last;

/**
 * The first /16 of 100.64.0.0/10 (RFC 6598: shared address space, which no public network uses) that overlaps none of `taken`.
 * Throws CommandError where every one does.
 */
export function freePool(taken: readonly string[]): string {
  const ranges = taken.flatMap((each) => parseRange(each) ?? []);
  for (let second = 64; second < 128; second++) {
    const pool = `100.${second}.0.0/16`;
    const range = parseRange(pool);
    if (range && !ranges.some((each) => overlap(each, range))) return pool;
  }
  throw new CommandError('Every /16 of 100.64.0.0/10 is in use on this machine.', {
    hint: 'Name a free IPv4 range for public addresses with --public-pool A.B.C.D/N.',
  });
}

/** Destinations that the machine's main routing table knows, but for the default route. */
export function machineRoutes(): string[] {
  return routesIn(readFileSync('/proc/net/route', 'utf8'));
}

/** Destinations of a table as in /proc/net/route: addresses in hexadecimal, least significant byte first. */
export function routesIn(table: string): string[] {
  const address = (hex: string) =>
    (hex.match(/../g) ?? [])
      .reverse()
      .map((byte) => Number.parseInt(byte, 16))
      .join('.');
  const prefix = (hex: string) => Number.parseInt(hex, 16).toString(2).replaceAll('0', '').length;
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] && fields[7] && fields[7] !== '00000000')
    .map((fields) => `${address(fields[1] as string)}/${prefix(fields[7] as string)}`);
}
