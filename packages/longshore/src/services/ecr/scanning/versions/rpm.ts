import { compareDigits, compareText, isDigit, isLetter } from './order.ts';

/**
 * The order of RPM's `[EPOCH:]VERSION[-RELEASE]` (rpm-version(7)). A missing epoch is 0; releases count only where both have one.
 */
export function compareRpm(one: string, other: string): number {
  const first = split(one.trim());
  const second = split(other.trim());
  if (!first || !second) return Number.NaN;
  const difference = compareDigits(first.epoch, second.epoch) || compareRpmPart(first.version, second.version);
  if (difference !== 0 || first.release === '' || second.release === '') return difference;
  return compareRpmPart(first.release, second.release);
}

function split(text: string) {
  if (text === '' || /\s/.test(text)) return undefined;
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(text) ?? [];
  const dash = rest.indexOf('-');
  return dash < 0
    ? { epoch, version: rest, release: '' }
    : { epoch, version: rest.slice(0, dash), release: rest.slice(dash + 1) };
}

const tilde = 126;
const caret = 94;

/** One part by segments: `~` before the end, the end before `^`, that before anything else; numbers above letters. */
export function compareRpmPart(one: string, other: string): number {
  if (one === other) return 0;
  let i = 0;
  let j = 0;
  const counts = (code: number) => isDigit(code) || isLetter(code) || code === tilde || code === caret;
  while (i < one.length || j < other.length) {
    while (i < one.length && !counts(one.charCodeAt(i))) i++;
    while (j < other.length && !counts(other.charCodeAt(j))) j++;
    const first = one.charCodeAt(i);
    const second = other.charCodeAt(j);
    if (first === tilde || second === tilde) {
      if (first !== second) return first === tilde ? -1 : 1;
      i++;
      j++;
      continue;
    }
    if (first === caret || second === caret) {
      if (first !== second) {
        if (i >= one.length) return -1;
        if (j >= other.length) return 1;
        return first === caret ? -1 : 1;
      }
      i++;
      j++;
      continue;
    }
    if (i >= one.length || j >= other.length) break;
    const numeric = isDigit(first);
    const kind = numeric ? isDigit : isLetter;
    const start = i;
    const otherStart = j;
    while (i < one.length && kind(one.charCodeAt(i))) i++;
    while (j < other.length && kind(other.charCodeAt(j))) j++;
    if (j === otherStart) return numeric ? 1 : -1;
    const segment = one.slice(start, i);
    const otherSegment = other.slice(otherStart, j);
    const difference = numeric ? compareDigits(segment, otherSegment) : compareText(segment, otherSegment);
    if (difference !== 0) return difference;
  }
  return Number(i < one.length) - Number(j < other.length);
}
