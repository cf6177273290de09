/** An IPv4 range in canonical form: no bits of `base` are set beyond the prefix. */
export interface Cidr {
  /** The network address as an unsigned 32-bit number. */
  readonly base: number;
  readonly prefix: number;
}

/** The unsigned 32-bit number of a dotted IPv4 address, or undefined where `text` is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let number = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    number = number * 256 + Number(part);
  }
  return number;
}

/** Dotted text of an IPv4 address that is held as a number. */
export function formatAddress(number: number): string {
  return [number / 2 ** 24, number / 2 ** 16, number / 2 ** 8, number].map((part) => Math.floor(part) % 256).join('.');
}

/** The range that `text` names, brought to canonical form as AWS does (100.68.0.18/18 is 100.68.0.0/18); undefined where it names none. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', prefixText = '', more] = text.split('/');
  const number = parseAddress(address);
  if (number === undefined || more !== undefined || !/^\d{1,2}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > 32) return undefined;
  const span = 2 ** (32 - prefix);
  return { base: Math.floor(number / span) * span, prefix };
}

/** `10.0.0.0/16`. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base)}/${cidr.prefix}`;
}

/** How many addresses the range has. */
export function cidrSize(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix);
}

/** Whether the address is one of the range. */
export function cidrHas(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + cidrSize(cidr);
}

/** Whether all of `inner` is in `outer`. */
export function cidrWithin(outer: Cidr, inner: Cidr): boolean {
  return inner.prefix >= outer.prefix && cidrHas(outer, inner.base);
}

/** Whether the two have an address in common. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrHas(a, b.base) || cidrHas(b, a.base);
}

/** An IPv6 range in canonical text (RFC 5952, host bits cleared), or undefined where `text` is none. */
export function canonicalCidr6(text: string): string | undefined {
  const [address = '', prefixText = '', more] = text.split('/');
  if (more !== undefined || !/^\d{1,3}$/.test(prefixText) || Number(prefixText) > 128) return undefined;
  const groups = parseGroups(address.toLowerCase());
  if (!groups) return undefined;
  const prefix = Number(prefixText);
  const masked = groups.map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefix - index * 16));
    return group & (0xffff ^ (0xffff >> bits));
  });
  return `${formatGroups(masked)}/${prefix}`;
}

function parseGroups(address: string): number[] | undefined {
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const sides = halves.map((half) => (half === '' ? [] : half.split(':')));
  const count = sides.reduce((sum, side) => sum + side.length, 0);
  if (halves.length === 1 ? count !== 8 : count > 7) return undefined;
  const [head = [], tail = []] = sides;
  const texts = [...head, ...Array<string>(8 - count).fill('0'), ...tail];
  if (!texts.every((part) => /^[0-9a-f]{1,4}$/.test(part))) return undefined;
  return texts.map((part) => Number.parseInt(part, 16));
}

function formatGroups(groups: readonly number[]): string {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best.start < 0 ? text(0, 8) : `${text(0, best.start)}::${text(best.start + best.length, 8)}`;
}
