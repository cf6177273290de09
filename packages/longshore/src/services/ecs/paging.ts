import { fault } from './faults.ts';

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | undefined;
}

/**
 * One page of a list. The token is the key of the last item read, so that items which come in between shift nothing.
 * Throws InvalidParameterException for a token that is none of ours, or whose item is gone.
 */
export function pageOf<T>(
  items: readonly T[],
  key: (item: T) => string,
  request: { readonly maxResults?: number | undefined; readonly nextToken?: string | undefined },
): Page<T> {
  const size = request.maxResults ?? 100;
  if (size < 1 || size > 100) throw fault('InvalidParameterException', 'maxResults should be between 1 and 100.');
  let start = 0;
  if (request.nextToken) {
    const last = Buffer.from(request.nextToken, 'base64url').toString();
    start = items.findIndex((item) => key(item) === last) + 1;
    if (start === 0) throw fault('InvalidParameterException', 'Invalid token.');
  }
  const page = items.slice(start, start + size);
  const last = page.at(-1);
  const more = start + size < items.length;
  return { items: page, nextToken: more && last ? Buffer.from(key(last)).toString('base64url') : undefined };
}
