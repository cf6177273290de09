/** A filter as callers write it: any of `Values` must match; all filters must hold. */
export interface Filter {
  readonly Name?: string | undefined;
  readonly Values?: readonly string[] | undefined;
}

export interface Tag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** What a filter's name reads from an item: one value, several of which one must match, or none. */
export type FilterFields<Item> = Readonly<
  Record<string, (item: Item) => string | number | boolean | readonly (string | undefined)[] | undefined>
>;

/**
 * A predicate of the filters, as in https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html:
 * `*` and `?` are wildcards, a backslash makes them plain; `tag:KEY`, `tag-key` and `tag-value` read the item's tags.
 * Calls `unknown` (which throws) with a filter name that is none of `fields`.
 */
export function compileFilters<Item>(
  filters: readonly Filter[] | undefined,
  fields: FilterFields<Item>,
  tagsOf: (item: Item) => readonly Tag[] | undefined,
  unknown: (name: string) => never,
): (item: Item) => boolean {
  const tests = (filters ?? []).map((filter) => {
    const name = filter.Name ?? '';
    const accepts = valueTest(filter.Values ?? []);
    const read = readerOf(name, fields, tagsOf) ?? unknown(name);
    return (item: Item) => {
      const value = read(item);
      if (value === undefined) return false;
      return Array.isArray(value)
        ? value.some((one: string | undefined) => one !== undefined && accepts(one))
        : accepts(String(value));
    };
  });
  return (item) => tests.every((test) => test(item));
}

function readerOf<Item>(
  name: string,
  fields: FilterFields<Item>,
  tagsOf: (item: Item) => readonly Tag[] | undefined,
): FilterFields<Item>[string] | undefined {
  if (name.startsWith('tag:')) {
    const key = name.slice(4);
    return (item) => (tagsOf(item) ?? []).filter((tag) => tag.Key === key).map((tag) => tag.Value ?? '');
  }
  if (name === 'tag-key') return (item) => (tagsOf(item) ?? []).map((tag) => tag.Key);
  if (name === 'tag-value') return (item) => (tagsOf(item) ?? []).map((tag) => tag.Value);
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function valueTest(values: readonly string[]): (value: string) => boolean {
  const exact = new Set<string>();
  const globs: (readonly Glyph[])[] = [];
  for (const value of values) {
    if (/[*?\\]/.test(value)) globs.push(parseGlob(value));
    else exact.add(value);
  }
  return (value) => exact.has(value) || globs.some((glob) => matchesGlob(glob, value));
}

/** `any` is `*`, `one` is `?`; everything else stands for itself. */
type Glyph = 'any' | 'one' | { readonly plain: string };

function parseGlob(text: string): readonly Glyph[] {
  return [...text.matchAll(/\\([\s\S])|([\s\S])/g)].map(([, escaped, plain]) => {
    if (plain === '*') return 'any';
    return plain === '?' ? 'one' : { plain: escaped ?? plain ?? '' };
  });
}

/** In time of at most both lengths multiplied: a caller's pattern can't stall us, as a regular expression could. */
function matchesGlob(glob: readonly Glyph[], value: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let resume = 0;
  while (position < value.length) {
    const glyph = glob[at];
    if (glyph === 'any') {
      star = at++;
      resume = position;
    } else if (glyph === 'one' || (glyph !== undefined && glyph.plain === value[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++resume;
    } else {
      return false;
    }
  }
  return glob.slice(at).every((glyph) => glyph === 'any');
}

/** The ids that filters of that name ask for exactly, to ask the store for those only; undefined where they don't narrow it. */
export function exactValues(filters: readonly Filter[] | undefined, name: string): readonly string[] | undefined {
  const values = filters?.find((filter) => filter.Name === name)?.Values;
  return values?.length && !values.some((value) => /[*?\\]/.test(value)) ? values : undefined;
}
