import { compareDigits, compareText } from './order.ts';

type Item = string | Item[];

/** Known qualifiers from oldest to newest; `''` is the release (Maven POM reference, "Version Order Specification"). */
const qualifiers = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp'];
const aliases: Readonly<Record<string, string>> = { ga: '', final: '', release: '', cr: 'rc' };
const shortened: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', m: 'milestone' };

/** Maven's order of versions (ComparableVersion): numbers, qualifiers, and lists that `-` and changes of kind open. */
export function compareMaven(one: string, other: string): number {
  if (one.trim() === '' || other.trim() === '') return Number.NaN;
  return compareItems(parse(one.trim()), parse(other.trim()));
}

const isNumber = (item: Item | undefined): item is string => typeof item === 'string' && /^\d/.test(item);

function parse(text: string): Item[] {
  const version = text.toLowerCase();
  const root: Item[] = [];
  let list = root;
  let part = '';
  const open = () => {
    const inner: Item[] = [];
    list.push(inner);
    list = inner;
  };
  const push = (followedByDigit = false) => {
    list.push(/^\d/.test(part) ? part : qualifier(part, followedByDigit));
    part = '';
  };
  for (let at = 0; at < version.length; at++) {
    const character = version[at] as string;
    const digit = /\d/.test(character);
    if (character === '.' || character === '-') {
      if (part === '') list.push('0');
      else push();
      if (character === '-') open();
      continue;
    }
    if (part !== '' && digit !== /^\d/.test(part)) {
      // A change between digits and letters is a hyphen.
      if (digit) {
        // Letters after numbers of the same list stand in a list of their own.
        if (list.length > 0) open();
        push(true);
        open();
      } else {
        push();
        open();
      }
    }
    part += character;
  }
  if (part !== '') {
    if (!/^\d/.test(part) && list.length > 0) open();
    push();
  }
  trim(root);
  return root;
}

function qualifier(text: string, followedByDigit: boolean): string {
  const known = followedByDigit ? (shortened[text] ?? text) : text;
  return aliases[known] ?? known;
}

/** Drops what counts for nothing at the end of each list: zeros, empty qualifiers, empty lists. */
function trim(list: Item[]): void {
  for (const item of list) if (Array.isArray(item)) trim(item);
  for (let at = list.length - 1; at >= 0; at--) {
    const item = list[at];
    if (isNull(item)) list.splice(at, 1);
    else if (!Array.isArray(item)) break;
  }
}

function isNull(item: Item | undefined): boolean {
  return Array.isArray(item) ? item.length === 0 : item === '' || (item !== undefined && /^0+$/.test(item));
}

function compareItems(one: readonly Item[], other: readonly Item[]): number {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const difference = compareItem(one[at], other[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A number above a list above a qualifier; what is missing compares as the neutral value of the other's kind. */
function compareItem(one: Item | undefined, other: Item | undefined): number {
  if (one === undefined) return other === undefined ? 0 : -compareItem(other, undefined);
  if (isNumber(one)) {
    if (other === undefined) return /^0+$/.test(one) ? 0 : 1;
    return isNumber(other) ? compareDigits(one, other) : 1;
  }
  if (Array.isArray(one)) {
    if (other === undefined) return compareItems(one, []);
    if (Array.isArray(other)) return compareItems(one, other);
    return isNumber(other) ? -1 : 1;
  }
  if (other === undefined) return compareQualifiers(one, '');
  if (typeof other === 'string' && !isNumber(other)) return compareQualifiers(one, other);
  return -1;
}

function compareQualifiers(one: string, other: string): number {
  const first = qualifiers.indexOf(one);
  const second = qualifiers.indexOf(other);
  if (first >= 0 && second >= 0) return first - second;
  if (first >= 0 || second >= 0) return first >= 0 ? -1 : 1;
  return compareText(one, other);
}
