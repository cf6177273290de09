import { fault } from '../state.ts';

/** An opaque token for "after this key". */
export const encodeToken = (key: string): string => Buffer.from(key).toString('base64url');

/** The key in a token. Throws InvalidParameterException where it is none of ours. */
export function decodeToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString();
  if (encodeToken(key) !== token) throw fault('InvalidParameterException', 'The specified nextToken is invalid.');
  return key;
}

/** `limit` of the rows after the token's, and the token of the next page where there is one. */
export function page<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
): { readonly rows: readonly Row[]; readonly tail: { readonly nextToken?: string } } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, tail: last && rows.length > limit ? { nextToken: encodeToken(keyOf(last)) } : {} };
}
