import { pageByKey } from '../../wire/pagination.ts';
import { invalid } from './errors.ts';

/** One page of `items` in the order of `keyOf`: 400 unless told. */
export function page<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  { Marker, PageSize = 400 }: { readonly Marker?: string | undefined; readonly PageSize?: number | undefined },
): { readonly items: Item[]; readonly next: { NextMarker?: string } } {
  const { items: taken, nextToken } = pageByKey(items, keyOf, {
    limit: PageSize,
    token: Marker || undefined,
    badToken: () => invalid(`The marker '${Marker}' is not valid`),
  });
  return { items: taken, next: nextToken === undefined ? {} : { NextMarker: nextToken } };
}
