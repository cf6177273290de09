import { compareText } from './order.ts';

/** Suffixes below 0 stand before the version without them, those above after it (apk-package(5), "Version"). */
const suffixes: Readonly<Record<string, number>> = {
  alpha: -4,
  beta: -3,
  pre: -2,
  rc: -1,
  cvs: 1,
  svn: 2,
  git: 3,
  hg: 4,
  p: 5,
};

type Kind = 'number' | 'letter' | 'suffix' | 'suffix-number' | 'hash' | 'revision' | 'end';
/** Which version is newer where both agree so far and go on with different kinds: the one whose kind comes first. */
const ranks: readonly Kind[] = ['number', 'letter', 'suffix', 'suffix-number', 'hash', 'revision', 'end'];

interface Token {
  readonly kind: Kind;
  readonly value: number | string;
}

/**
 * The order of Alpine's `1.2.3a_rc1-r4`: numbers, a letter, suffixes with numbers, a commit, a revision. A later number with
 * leading zeros is a fraction: `1.02` is older than `1.1`. What is no such version is NaN.
 */
export function compareApk(one: string, other: string): number {
  const first = tokens(one.trim());
  const second = tokens(other.trim());
  if (!first || !second) return Number.NaN;
  for (let at = 0; ; at++) {
    const a = first[at] ?? end;
    const b = second[at] ?? end;
    if (a.kind !== b.kind) {
      if (a.kind === 'suffix' && (a.value as number) < 0) return -1;
      if (b.kind === 'suffix' && (b.value as number) < 0) return 1;
      return ranks.indexOf(b.kind) - ranks.indexOf(a.kind);
    }
    if (a.kind === 'end') return 0;
    const difference =
      typeof a.value === 'string' ? compareText(a.value, String(b.value)) : a.value - (b.value as number);
    if (difference !== 0) return difference;
  }
}

const end: Token = { kind: 'end', value: 0 };
const grammar = /^(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(~[0-9a-f]+)?(?:-r(\d+))?$/;

function tokens(version: string): Token[] | undefined {
  const [, numbers, letter, tail, hash, revision] = grammar.exec(version) ?? [];
  if (numbers === undefined) return undefined;
  const list: Token[] = [];
  for (const [index, digits] of numbers.split('.').entries()) {
    const zeros = index > 0 ? (/^0+/.exec(digits)?.[0].length ?? 0) : 0;
    if (zeros > 0) list.push({ kind: 'number', value: -zeros });
    if (zeros < digits.length) list.push({ kind: 'number', value: Number(digits.slice(zeros)) });
  }
  if (letter) list.push({ kind: 'letter', value: letter.charCodeAt(0) });
  for (const [, name = '', number] of (tail ?? '').matchAll(/_([a-z]+)(\d*)/g)) {
    const value = suffixes[name];
    if (value === undefined) return undefined;
    list.push({ kind: 'suffix', value });
    if (number) list.push({ kind: 'suffix-number', value: Number(number) });
  }
  if (hash) list.push({ kind: 'hash', value: hash });
  if (revision !== undefined) list.push({ kind: 'revision', value: Number(revision) });
  return list;
}
