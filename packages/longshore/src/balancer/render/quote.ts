/**
 * Callers' text in HAProxy's configuration, by construction and not by filtering: patterns become regular expressions of
 * `[A-Za-z0-9/_-]`, `\xHH`, `.*` and `.` only, and parts of URLs are percent-encoded, so that neither a quote, a blank, a line
 * end nor a `%` of a caller's ever stands in a line.
 */
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** One literal character, byte by byte as HAProxy sees it. */
const literal = (character: string): string =>
  /^[A-Za-z0-9/_-]$/.test(character)
    ? character
    : [...Buffer.from(character)].map((byte) => `\\x${hex(byte)}`).join('');

/** ELB's wildcards: `*` is any number of characters and `?` exactly one; `any` is what one of them may be. */
export function wildcard(pattern: string, any = '.'): string {
  return [...pattern].map((one) => (one === '*' ? `${any}*` : one === '?' ? any : literal(one))).join('');
}

/** A whole value that must match. */
export const anchored = (pattern: string): string => `'^${wildcard(pattern)}$'`;

/** `key=value` anywhere in a query string; without a key, any key or none. */
export function queryPattern({ key, value }: { readonly key?: string; readonly value: string }): string {
  const name = key === undefined ? '([^&=]*=)?' : `${wildcard(key, '[^&=]')}=`;
  return `'(^|&)${name}${wildcard(value, '[^&]')}(&|$)'`;
}

/** Text of a URL for a log-format string in single quotes: what a URL may not hold is percent-encoded, `%` is doubled. */
export function urlText(text: string): string {
  return [...text]
    .map((one) =>
      /^[A-Za-z0-9._~:/?@!$&()*+,;=%-]$/.test(one)
        ? one
        : [...Buffer.from(one)].map((byte) => `%${hex(byte).toUpperCase()}`).join(''),
    )
    .join('')
    .replaceAll('%', '%%');
}

/** A media type in single quotes; throws on anything else. */
export function mediaType(text: string): string {
  if (!/^[A-Za-z0-9.+-]+\/[A-Za-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?$/.test(text)) {
    throw new Error(`${JSON.stringify(text)} is no content type.`);
  }
  return `'${text}'`;
}

/** A range for `src`; throws on anything else. */
export function range(text: string): string {
  if (!/^[0-9A-Fa-f.:]+(\/\d{1,3})?$/.test(text)) throw new Error(`${JSON.stringify(text)} is no address range.`);
  return text;
}

/** A header's name as an argument of `req.fhdr`; throws where it has characters that HAProxy's arguments can't hold. */
export function headerName(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(text))
    throw new Error(`Header name ${JSON.stringify(text)} can't be matched here.`);
  return text;
}
