interface Range {
  readonly bits: 32 | 128;
  readonly network: bigint;
  readonly prefix: number;
}

/** An IPv4 or IPv6 address with an optional `/prefix` (RFC 4632, RFC 4291), or undefined where it is neither. */
export function parseRange(text: string): Range | undefined {
  const [address = '', prefixText, more] = text.split('/');
  if (more !== undefined) return undefined;
  const bits = address.includes(':') ? 128 : 32;
  const network = bits === 128 ? ipv6(address) : ipv4(address);
  if (network === undefined) return undefined;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  return prefix <= bits ? { bits, network, prefix } : undefined;
}

/** Whether `address` lies within `range`; false where either is malformed. IPv4-mapped IPv6 addresses count as IPv4. */
export function rangeHolds(range: Range | undefined, address: string): boolean {
  const single = parseRange(address.replace(/^::ffff:(?=\d+\.)/i, ''));
  if (!range || !single || single.bits !== range.bits) return false;
  const shift = BigInt(range.bits - range.prefix);
  return single.network >> shift === range.network >> shift;
}

function ipv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function ipv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) => (half ? half.split(':') : []);
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
