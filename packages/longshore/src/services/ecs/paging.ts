import { type Page, pageByKey } from '../../wire/pagination.ts';
import { fault } from './faults.ts';

/** One page of a list in the order of `key`: 100 unless told. Throws InvalidParameterException for a token that is none of ours. */
export function pageOf<T>(
  items: readonly T[],
  key: (item: T) => string,
  request: { readonly maxResults?: number | undefined; readonly nextToken?: string | undefined },
  order: 'ascending' | 'descending' = 'ascending',
): Page<T> {
  const limit = request.maxResults ?? 100;
  if (limit < 1 || limit > 100) throw fault('InvalidParameterException', 'maxResults should be between 1 and 100.');
  return pageByKey(items, key, {
    limit,
    token: request.nextToken || undefined,
    badToken: () => fault('InvalidParameterException', 'Invalid token.'),
    descending: order === 'descending',
  });
}
