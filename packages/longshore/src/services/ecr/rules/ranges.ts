/** A piece of a blob, both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a `Range` header asks of `size` bytes (RFC 9110, 14.1.2). `whole` where the header is absent, not
 * in bytes, malformed or of several ranges, which a server may ignore; `unsatisfiable` where it starts beyond the end, of
 * the blob or its own.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match) return 'whole';
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return 'whole';
    const length = Number(to);
    if (length === 0 || size === 0) return 'unsatisfiable';
    return { start: Math.max(0, size - length), end: size - 1 };
  }
  const start = Number(from);
  if (start >= size || (to !== '' && Number(to) < start)) return 'unsatisfiable';
  return { start, end: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

/**
 * Where a chunk belongs: `Content-Range: 0-1023` (OCI distribution 1.1, "Pushing a blob in chunks"), and RFC 9110's
 * `bytes 0-1023/2048`, which some clients send. Undefined where malformed.
 */
export function parseContentRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  if (!match) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]);
  return end < start ? undefined : { start, end };
}

/** `Range` of an upload that has `size` bytes. Nothing yet is `0-0`, as the reference registry says it. */
export function uploadRange(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}

/** Does an `If-None-Match` header name this entity tag (given without quotes)? RFC 9110, 13.1.2. */
export function matchesEntityTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((part) => part.trim().replace(/^W\//, '').replace(/^"|"$/g, '') === tag);
}
