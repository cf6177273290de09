import { invalid } from './errors.ts';

/** One page of `items`, which must be ordered by `keyOf`. The marker names the last item of the page before. */
export function page<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  { Marker, PageSize = 400 }: { readonly Marker?: string | undefined; readonly PageSize?: number | undefined },
): { readonly items: Item[]; readonly next: { NextMarker?: string } } {
  const after = Marker ? Buffer.from(Marker, 'base64url').toString() : undefined;
  if (after !== undefined && !after.startsWith('after ')) throw invalid(`The marker '${Marker}' is not valid`);
  const rest = after === undefined ? items : items.filter((item) => keyOf(item) > after.slice(6));
  const taken = rest.slice(0, PageSize);
  const last = taken.at(-1);
  return {
    items: taken,
    next:
      rest.length > PageSize && last !== undefined
        ? { NextMarker: Buffer.from(`after ${keyOf(last)}`).toString('base64url') }
        : {},
  };
}
