import { invalidParameter } from '../faults.ts';

/** ECR shows 100 results on a page unless told otherwise (API reference, `maxResults`). */
const usual = 100;

export interface Page {
  /** The key of the last result of the page before. */
  readonly after: readonly string[];
  readonly limit: number;
}

export function readPage(input: { nextToken?: string | undefined; maxResults?: number | undefined }, parts = 1): Page {
  const limit = input.maxResults ?? usual;
  if (limit < 1 || limit > 1000) throw invalidParameter('maxResults', 'must be between 1 and 1000');
  if (input.nextToken === undefined) return { after: Array(parts).fill(''), limit };
  try {
    const after: unknown = JSON.parse(Buffer.from(input.nextToken, 'base64url').toString());
    if (Array.isArray(after) && after.length === parts && after.every((part) => typeof part === 'string'))
      return { after, limit };
  } catch {}
  throw invalidParameter('nextToken', 'must be a token that this operation answered with');
}

/** A page of rows that were asked for with one more than `limit`, and the token of the next where there is one. */
export function cutPage<Row>(
  rows: readonly Row[],
  limit: number,
  key: (row: Row) => readonly string[],
): { readonly rows: readonly Row[]; readonly token: { nextToken?: string } } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  if (rows.length <= limit || last === undefined) return { rows: page, token: {} };
  return { rows: page, token: { nextToken: Buffer.from(JSON.stringify(key(last))).toString('base64url') } };
}
