/** A page of a list, and what asks for the next one; without a token, it is the last. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextToken?: string;
}

export interface PageRequest {
  /** The most items on this page. */
  readonly limit: number;
  /** As the caller sent it: `nextToken`, `Marker`, `NextToken`. */
  readonly token: string | undefined;
  /** What the service throws for a token that it did not make. */
  badToken(): Error;
}

const version = 'p1:';

/** An opaque token that says where the next page starts: after this key. */
export function tokenAfter(key: string): string {
  return Buffer.from(version + key).toString('base64url');
}

/** The key inside a token; undefined for the first page. Throws what `badToken` makes where the token is none of ours. */
export function keyOf({ token, badToken }: Pick<PageRequest, 'token' | 'badToken'>): string | undefined {
  if (token === undefined) return undefined;
  const text = /^[A-Za-z0-9_-]{1,4096}$/.test(token) ? Buffer.from(token, 'base64url').toString('utf8') : '';
  if (!text.startsWith(version)) throw badToken();
  return text.slice(version.length);
}

/**
 * One page of items that are in ascending order of `key` (compared by UTF-16 code units, as `<` does). The token holds a key and not
 * a position, so items that come and go between two pages neither repeat nor hide others.
 */
export function pageByKey<Item>(items: readonly Item[], key: (item: Item) => string, request: PageRequest): Page<Item> {
  const after = keyOf(request);
  const rest = after === undefined ? items : items.filter((item) => key(item) > after);
  const page = rest.slice(0, request.limit);
  const last = page.at(-1);
  return rest.length > page.length && last !== undefined
    ? { items: page, nextToken: tokenAfter(key(last)) }
    : { items: page };
}

/** One page of items that have no order of their own, by position. For lists that do not change between pages. */
export function pageByOffset<Item>(items: readonly Item[], request: PageRequest): Page<Item> {
  const key = keyOf(request);
  const start = key === undefined ? 0 : Number(key);
  if (!Number.isSafeInteger(start) || start < 0) throw request.badToken();
  const end = start + request.limit;
  return end < items.length
    ? { items: items.slice(start, end), nextToken: tokenAfter(String(end)) }
    : { items: items.slice(start) };
}
