import { fault } from '../faults.ts';

export interface PageRequest {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Members of the answer. */
  readonly tail: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/** IAM's pages: 100 items unless told, each page continuing after the last key of the one before. Keys must be unique. */
export function page<Item>(items: readonly Item[], request: PageRequest, keyOf: (item: Item) => string): Page<Item> {
  const after = request.Marker === undefined ? undefined : decodeMarker(request.Marker);
  const sorted = items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .filter(({ key }) => after === undefined || key > after);
  const shown = sorted.slice(0, request.MaxItems ?? 100);
  const last = shown.at(-1);
  const truncated = shown.length < sorted.length && last !== undefined;
  return {
    items: shown.map(({ item }) => item),
    tail: truncated ? { IsTruncated: true, Marker: encodeMarker(last.key) } : { IsTruncated: false },
  };
}

const encodeMarker = (key: string): string => Buffer.from(`1:${key}`).toString('base64');

function decodeMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64').toString();
  if (!text.startsWith('1:')) throw fault('ValidationError', 'Invalid Marker.');
  return text.slice(2);
}
