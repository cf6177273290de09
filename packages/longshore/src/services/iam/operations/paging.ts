import { type Page, pageByKey, pageByOffset } from '../../../wire/pagination.ts';
import { fault } from '../faults.ts';

export interface MarkedRequest {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

export interface MarkedPage<Item> {
  readonly items: readonly Item[];
  /** Members of the answer. */
  readonly tail: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/** IAM's pages: 100 items unless told, in the order of their keys, which must be unique. Throws ValidationError. */
export function page<Item>(
  items: readonly Item[],
  request: MarkedRequest,
  keyOf: (item: Item) => string,
): MarkedPage<Item> {
  return marked(pageByKey(items, keyOf, pageRequest(request)));
}

/** The same for what has an order of its own, which is the same each time. */
export function pageAsListed<Item>(items: readonly Item[], request: MarkedRequest): MarkedPage<Item> {
  return marked(pageByOffset(items, pageRequest(request)));
}

const pageRequest = ({ Marker, MaxItems = 100 }: MarkedRequest) => ({
  limit: MaxItems,
  token: Marker,
  badToken: () => fault('ValidationError', 'Invalid Marker.'),
});

const marked = <Item>({ items, nextToken }: Page<Item>): MarkedPage<Item> => ({
  items,
  tail: nextToken === undefined ? { IsTruncated: false } : { IsTruncated: true, Marker: nextToken },
});
