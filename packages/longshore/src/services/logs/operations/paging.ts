import { keyOf, type Page, pageByKey } from '../../../wire/pagination.ts';
import { fault } from '../state.ts';

const badToken = () => fault('InvalidParameterException', 'The specified nextToken is invalid.');

interface PagedRequest {
  readonly limit?: number | undefined;
  readonly nextToken?: string | undefined;
}

/** One page in the order of `key`: 50 unless told. Throws InvalidParameterException for a token that is none of ours. */
export function page<Row>(
  rows: readonly Row[],
  { limit = 50, nextToken }: PagedRequest,
  key: (row: Row) => string,
  descending?: boolean,
): Page<Row> {
  return pageByKey(rows, key, { limit, token: nextToken, badToken, descending });
}

/** What a token says as `read` reads it; undefined without one. Throws InvalidParameterException, also where `read` finds nothing in it. */
export function placeIn<Place>(token: string | undefined, read: (key: string) => Place | undefined): Place | undefined {
  const key = keyOf({ token, badToken });
  if (key === undefined) return undefined;
  const place = read(key);
  if (place === undefined) throw badToken();
  return place;
}
