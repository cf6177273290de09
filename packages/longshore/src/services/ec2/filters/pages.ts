/** One page of `items` that are ordered by `idOf`: those after the token's id. The token names the last item of the page before. */
export function page<Item>(
  items: readonly Item[],
  idOf: (item: Item) => string,
  request: { readonly maxResults?: number | undefined; readonly nextToken?: string | undefined },
  badToken: (token: string) => never,
): { readonly items: Item[]; readonly nextToken?: string } {
  const ordered = [...items].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const after = request.nextToken ? (decodeToken(request.nextToken) ?? badToken(request.nextToken)) : undefined;
  const rest = after === undefined ? ordered : ordered.filter((item) => idOf(item) > after);
  const limit = request.maxResults ?? rest.length;
  const taken = rest.slice(0, limit);
  const last = taken.at(-1);
  return rest.length > limit && last !== undefined
    ? { items: taken, nextToken: encodeToken(idOf(last)) }
    : { items: taken };
}

function encodeToken(id: string): string {
  return Buffer.from(`after ${id}`).toString('base64url');
}

function decodeToken(token: string): string | undefined {
  const text = Buffer.from(token, 'base64url').toString();
  return text.startsWith('after ') ? text.slice(6) : undefined;
}
