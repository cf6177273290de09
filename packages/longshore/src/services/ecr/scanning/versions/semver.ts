import { compareDigits, compareText } from './order.ts';

const grammar = /^[v=\s]*(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/**
 * Semantic versions (semver.org 2.0.0, section 11), as npm, Go and OSV's SEMVER ranges have them. Taken kindly: a leading `v`, and
 * missing or further numbers (`1.2`, `1.2.3.4`). Build metadata does not count.
 */
export function compareSemver(one: string, other: string): number {
  const first = parse(one);
  const second = parse(other);
  if (!first || !second) return Number.NaN;
  const length = Math.max(first.numbers.length, second.numbers.length);
  for (let at = 0; at < length; at++) {
    const difference = compareDigits(first.numbers[at] ?? '0', second.numbers[at] ?? '0');
    if (difference !== 0) return difference;
  }
  return comparePrerelease(first.prerelease, second.prerelease);
}

function parse(text: string) {
  const [, major, minor, patch, more, prerelease] = grammar.exec(text.trim()) ?? [];
  if (major === undefined) return undefined;
  return {
    numbers: [major, minor ?? '0', patch ?? '0', ...(more ?? '').split('.').filter(Boolean)],
    prerelease: prerelease === undefined ? [] : prerelease.split('.'),
  };
}

function comparePrerelease(one: readonly string[], other: readonly string[]): number {
  if (one.length === 0 || other.length === 0) return Number(one.length === 0) - Number(other.length === 0);
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const a = one[at];
    const b = other[at];
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const numericA = /^\d+$/.test(a);
    const numericB = /^\d+$/.test(b);
    if (numericA !== numericB) return numericA ? -1 : 1;
    const difference = numericA ? compareDigits(a, b) : compareText(a, b);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Go's own versions (`go1.21rc2`, `1.22.3`) as semantic ones; those of modules stay as they are. */
export function goToSemver(version: string): string {
  const [, numbers, kind, number] = /^(?:go)?(\d+(?:\.\d+){0,2})(rc|beta)(\d+)$/.exec(version) ?? [];
  if (numbers === undefined) return version.replace(/^go(?=\d)/, '').replace(/\s.*$/, '');
  return `${numbers}${'.0'.repeat(3 - numbers.split('.').length)}-${kind}.${number}`;
}

/** As `compareSemver`, with Go's own spelling of its releases. */
export function compareGo(one: string, other: string): number {
  return compareSemver(goToSemver(one), goToSemver(other));
}
