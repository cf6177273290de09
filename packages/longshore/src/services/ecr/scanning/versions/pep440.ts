import { compareDigits, compareText } from './order.ts';

const grammar =
  /^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?(\d*))?((?:-(\d+))|(?:[-_.]?(post|rev|r)[-_.]?(\d*)))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$/i;

const preKinds: Readonly<Record<string, number>> = { a: 1, alpha: 1, b: 2, beta: 2, c: 3, rc: 3, pre: 3, preview: 3 };

/** Python's versions (PEP 440; packaging.python.org, "Version specifiers"): epoch, release, pre, post, dev, local. */
export function comparePep440(one: string, other: string): number {
  const first = parse(one);
  const second = parse(other);
  if (!first || !second) return Number.NaN;
  const epoch = compareDigits(first.epoch, second.epoch);
  if (epoch !== 0) return epoch;
  for (let at = 0; at < Math.max(first.release.length, second.release.length); at++) {
    const difference = compareDigits(first.release[at] ?? '0', second.release[at] ?? '0');
    if (difference !== 0) return difference;
  }
  return (
    compareKeys(first.pre, second.pre) ||
    compareKeys(first.post, second.post) ||
    compareKeys(first.dev, second.dev) ||
    compareLocal(first.local, second.local)
  );
}

type Key = readonly [kind: number, number: string];

function parse(text: string) {
  const match = grammar.exec(text);
  if (!match) return undefined;
  const [, epoch = '0', release = '', preKind, preNumber, postWhole, postShort, , postNumber, dev, devNumber, local] =
    match;
  const hasPost = postWhole !== undefined;
  // 1.0.dev1 is before 1.0a1: a lone dev release counts as the earliest of pre-releases.
  const pre: Key = preKind
    ? [preKinds[preKind.toLowerCase()] ?? 0, preNumber || '0']
    : [dev !== undefined && !hasPost ? 0 : 4, '0'];
  return {
    epoch,
    release: release.split('.'),
    pre,
    post: (hasPost ? [1, postShort ?? (postNumber || '0')] : [0, '0']) as Key,
    dev: (dev === undefined ? [1, '0'] : [0, devNumber || '0']) as Key,
    local: local?.toLowerCase().split(/[-_.]/),
  };
}

function compareKeys(one: Key, other: Key): number {
  return one[0] - other[0] || compareDigits(one[1], other[1]);
}

function compareLocal(one: readonly string[] | undefined, other: readonly string[] | undefined): number {
  if (!one || !other) return Number(one !== undefined) - Number(other !== undefined);
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const a = one[at];
    const b = other[at];
    if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
    const numericA = /^\d+$/.test(a);
    const numericB = /^\d+$/.test(b);
    if (numericA !== numericB) return numericA ? 1 : -1;
    const difference = numericA ? compareDigits(a, b) : compareText(a, b);
    if (difference !== 0) return difference;
  }
  return 0;
}
