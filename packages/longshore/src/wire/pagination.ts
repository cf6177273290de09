/** A page of a list, and what asks for the next one; without a token, it is the last. */
export interface Page<Item> {
  readonly items: Item[];
  readonly nextToken?: string;
}

export interface PageRequest {
  /** The most items on this page; undefined for all that are left. */
  readonly limit: number | undefined;
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
 * One page of items in the order of `key` (compared by UTF-16 code units, as `<` does; the other way round where `descending`). Keys
 * are unique. The token holds a key and not a position, so items that come and go between two pages neither repeat nor hide others.
 */
export function pageByKey<Item>(
  items: readonly Item[],
  key: (item: Item) => string,
  request: PageRequest & { readonly descending?: boolean | undefined },
): Page<Item> {
  const after = keyOf(request);
  const precedes = (a: string, b: string): boolean => (request.descending ? a > b : a < b);
  const rest = items
    .map((item) => ({ item, key: key(item) }))
    .filter((one) => after === undefined || precedes(after, one.key))
    .sort((a, b) => (precedes(a.key, b.key) ? -1 : precedes(b.key, a.key) ? 1 : 0));
  const { items: page, nextToken } = cutPage(rest, request.limit ?? rest.length, (one) => one.key);
  return { items: page.map(({ item }) => item), ...(nextToken === undefined ? {} : { nextToken }) };
}

/** The page of `rest`: rows that a query gave in order, from after the token's key on, at least one more than `limit` where there are. */
export function cutPage<Item>(rest: readonly Item[], limit: number, key: (item: Item) => string): Page<Item> {
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return rest.length > limit && last !== undefined ? { items, nextToken: tokenAfter(key(last)) } : { items };
}

/** One page of items that have no order of their own, by position. For lists that do not change between pages. */
export function pageByOffset<Item>(items: readonly Item[], request: PageRequest): Page<Item> {
  const key = keyOf(request);
  const start = key === undefined ? 0 : Number(key);
  if (!Number.isSafeInteger(start) || start < 0) throw request.badToken();
  const end = start + (request.limit ?? items.length);
  return end < items.length
    ? { items: items.slice(start, end), nextToken: tokenAfter(String(end)) }
    : { items: items.slice(start) };
}
