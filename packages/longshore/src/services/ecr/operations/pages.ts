import { keyOf, cutPage as page } from '../../../wire/pagination.ts';
import { invalidParameter } from '../faults.ts';

/** ECR shows 100 results on a page unless told otherwise (API reference, `maxResults`). */
const usual = 100;

/** What a request says of the page: the parts of the last key of the page before (empty texts for the first page), and how many rows. */
export function readPage(
  input: { nextToken?: string | undefined; maxResults?: number | undefined },
  parts = 1,
): { readonly after: readonly string[]; readonly limit: number } {
  const limit = input.maxResults ?? usual;
  if (limit < 1 || limit > 1000) throw invalidParameter('maxResults', 'must be between 1 and 1000');
  const badToken = () => invalidParameter('nextToken', 'must be a token that this operation answered with');
  const key = keyOf({ token: input.nextToken, badToken });
  const after = key?.split(separator) ?? Array<string>(parts).fill('');
  if (after.length !== parts) throw badToken();
  return { after, limit };
}

/** A page of rows that were asked for with one more than `limit`, and the token of the next where there is one. */
export function cutPage<Row>(
  rows: readonly Row[],
  limit: number,
  key: (row: Row) => readonly string[],
): { readonly rows: readonly Row[]; readonly token: { nextToken?: string } } {
  const { items, ...token } = page(rows, limit, (row) => key(row).join(separator));
  return { rows: items, token };
}

/** Stands in no name, tag or digest. */
const separator = '\n';
