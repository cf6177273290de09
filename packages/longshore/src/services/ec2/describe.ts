import { pageByKey } from '../../wire/pagination.ts';
import { badToken, unknownFilter } from './errors.ts';
import { compileFilters, type Filter, type FilterFields, type Tag } from './filters/filters.ts';

/** The members that every Describe operation takes. */
export interface DescribeRequest {
  readonly Filters?: readonly Filter[] | undefined;
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** Filters and pages what a Describe operation answers; items come in the order of their ids. */
export function describe<Item>(
  items: readonly Item[],
  request: DescribeRequest,
  read: {
    readonly id: (item: Item) => string | undefined;
    readonly tags: (item: Item) => readonly Tag[] | undefined;
    readonly fields: FilterFields<Item>;
  },
): { readonly items: Item[]; readonly next: { NextToken?: string } } {
  const matches = compileFilters(request.Filters, read.fields, read.tags, unknownFilter);
  const { items: taken, nextToken } = pageByKey(items.filter(matches), (item) => read.id(item) ?? '', {
    limit: request.MaxResults,
    token: request.NextToken || undefined,
    badToken: () => badToken(request.NextToken ?? ''),
  });
  return { items: taken, next: nextToken === undefined ? {} : { NextToken: nextToken } };
}

/** Throws for the first of `ids` that is not among those found. */
export function requireAll(
  ids: readonly string[] | undefined,
  found: readonly string[],
  missing: (id: string) => Error,
): void {
  const known = new Set(found);
  for (const id of ids ?? []) if (!known.has(id)) throw missing(id);
}

/** `ids` where callers gave some: an empty list asks for everything. */
export function given(ids: readonly string[] | undefined): readonly string[] | undefined {
  return ids && ids.length > 0 ? ids : undefined;
}
