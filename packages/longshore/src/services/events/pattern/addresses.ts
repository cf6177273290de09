import { PatternError } from './tokens.ts';

/** An IPv4 or IPv6 address as one number. */
export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** The address that `text` writes, or undefined where it is none. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return fromFour(text);
  return text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text) ? fromSix(text) : undefined;
}

function fromFour(text: string): Address | undefined {
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return { bits: 32, value: parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n) };
}

function fromSix(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1)?.at(-1);
  if (last?.includes('.')) {
    const four = fromFour(last);
    if (!four) return undefined;
    groups.at(-1)?.splice(-1, 1, (four.value >> 16n).toString(16), (four.value & 0xffffn).toString(16));
  }
  const [left = [], right = []] = groups;
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array.from({ length: missing }, () => '0'), ...right];
  if (all.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return { bits: 128, value: all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n) };
}

/** Whether an address is in the network that `cidr` writes. Throws PatternError. */
export function compileCidr(cidr: string): (text: string) => boolean {
  const parts = cidr.split('/');
  if (parts.length !== 2) throw new PatternError("Malformed CIDR, one '/' required");
  const [network = '', mask = ''] = parts;
  if (!/^[+-]?\d{1,9}$/.test(mask)) throw new PatternError('Malformed CIDR, mask bits must be an integer');
  const bits = Number(mask);
  if (bits < 0) throw new PatternError('Malformed CIDR, mask bits must not be negative');
  const base = parseAddress(network);
  if (!base) throw new PatternError(`Nonstandard IP address: ${network}`);
  if (bits >= base.bits) throw new PatternError(`IPv${base.bits === 32 ? 4 : 6} mask bits must be < ${base.bits}`);
  const host = BigInt(base.bits - bits);
  const prefix = base.value >> host;
  return (text) => {
    const address = parseAddress(text);
    return address?.bits === base.bits && address.value >> host === prefix;
  };
}
