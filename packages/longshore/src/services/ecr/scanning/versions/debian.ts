import { compareDigits, isDigit, isLetter } from './order.ts';

/** The order of Debian's and Ubuntu's package versions (deb-version(7), "Sorting algorithm"; Debian policy 5.6.12). */
export function compareDebian(one: string, other: string): number {
  const first = split(one.trim());
  const second = split(other.trim());
  if (!first || !second) return Number.NaN;
  return (
    compareDigits(first.epoch, second.epoch) ||
    comparePart(first.upstream, second.upstream) ||
    comparePart(first.revision, second.revision)
  );
}

function split(version: string) {
  if (version === '' || /\s/.test(version)) return undefined;
  const colon = version.indexOf(':');
  const epoch = colon < 0 ? '0' : version.slice(0, colon);
  if (!/^\d+$/.test(epoch)) return undefined;
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return dash < 0
    ? { epoch, upstream: rest, revision: '' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

/** `~` before the end of a part, that before letters, those before everything else. */
function weight(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (Number.isNaN(code) || isDigit(code)) return 0;
  if (code === 126) return -1;
  return isLetter(code) ? code : code + 256;
}

/** Turn by turn: a run of non-digits by weight, then a run of digits by value. */
function comparePart(one: string, other: string): number {
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    while ((i < one.length && !isDigit(one.charCodeAt(i))) || (j < other.length && !isDigit(other.charCodeAt(j)))) {
      const difference = weight(one, i) - weight(other, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const firstStart = i;
    const secondStart = j;
    while (i < one.length && isDigit(one.charCodeAt(i))) i++;
    while (j < other.length && isDigit(other.charCodeAt(j))) j++;
    const difference = compareDigits(one.slice(firstStart, i), other.slice(secondStart, j));
    if (difference !== 0) return difference;
  }
  return 0;
}
