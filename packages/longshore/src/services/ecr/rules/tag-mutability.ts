export interface ExclusionFilter {
  readonly filterType: string;
  readonly filter: string;
}

/** Does a pattern whose `*` stand for anything match the whole text? Linear in both. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const pieces = pattern.split('*');
  const head = pieces[0] ?? '';
  if (pieces.length === 1) return text === pattern;
  const tail = pieces.at(-1) ?? '';
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let at = head.length;
  const end = text.length - tail.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** May this tag not move to another image? (ECR user guide, "Image tag mutability".) */
export function isImmutableTag(mutability: string, filters: readonly ExclusionFilter[], tag: string): boolean {
  const excluded = filters.some((filter) => matchesWildcard(filter.filter, tag));
  if (mutability === 'IMMUTABLE') return true;
  if (mutability === 'IMMUTABLE_WITH_EXCLUSION') return !excluded;
  return mutability === 'MUTABLE_WITH_EXCLUSION' && excluded;
}

/** Why a mutability setting can't be taken, or undefined. */
export function mutabilityFlaw(
  mutability: string,
  filters: readonly ExclusionFilter[] | undefined,
): string | undefined {
  const takesFilters = mutability.endsWith('_WITH_EXCLUSION');
  if (takesFilters && !filters?.length)
    return `'imageTagMutabilityExclusionFilters' must be given when 'imageTagMutability' is '${mutability}'`;
  if (!takesFilters && filters?.length)
    return `'imageTagMutabilityExclusionFilters' may only be given with IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION`;
  const bad = filters?.find((filter) => (filter.filter.match(/\*/g)?.length ?? 0) > 2);
  return bad && `filter '${bad.filter}' has more than 2 wildcards`;
}
