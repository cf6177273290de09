import { compareDigits, compareText } from './order.ts';

/** RubyGems' versions (Gem::Version): segments of digits or letters; letters make a pre-release; trailing zeros don't count. */
export function compareGem(one: string, other: string): number {
  const first = segments(one);
  const second = segments(other);
  if (!first || !second) return Number.NaN;
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    const a = first[at] ?? '0';
    const b = second[at] ?? '0';
    const numericA = /^\d/.test(a);
    const numericB = /^\d/.test(b);
    if (numericA !== numericB) return numericA ? 1 : -1;
    const difference = numericA ? compareDigits(a, b) : compareText(a, b);
    if (difference !== 0) return difference;
  }
  return 0;
}

function segments(text: string): string[] | undefined {
  const version = text.trim() || '0';
  if (!/^[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/.test(version)) return undefined;
  const all = version.replaceAll('-', '.pre.').match(/\d+|[a-z]+/gi) ?? [];
  const letters = all.findIndex((segment) => !/^\d/.test(segment));
  const release = letters < 0 ? all : all.slice(0, letters);
  const prerelease = letters < 0 ? [] : all.slice(letters);
  return [...withoutZeros(release), ...withoutZeros(prerelease)];
}

function withoutZeros(list: readonly string[]): readonly string[] {
  let length = list.length;
  while (length > 0 && /^0+$/.test(list[length - 1] ?? '')) length--;
  return list.slice(0, length);
}
