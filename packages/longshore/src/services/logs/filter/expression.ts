import { FilterSyntaxError } from './filter.ts';

/** What a comparison's left side found in a message: none, one, or several values of which one must match. */
export type Values = readonly unknown[];

export type Selector<Subject> = (subject: Subject) => Values;
export type Predicate<Subject> = (subject: Subject) => boolean;

/** Reads one selector at the scanner's position. */
export type SelectorReader<Subject> = (scanner: Scanner) => Selector<Subject>;

export class Scanner {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Reads what the sticky `pattern` matches here, after white space. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(`\\s*(?:${pattern.source})`, `${pattern.flags.replace('y', '')}y`);
    sticky.lastIndex = this.position;
    const match = sticky.exec(this.text);
    if (match) this.position = sticky.lastIndex;
    return match ?? undefined;
  }

  atEnd(): boolean {
    return this.text.slice(this.position).trim() === '';
  }

  problem(wanted: string): FilterSyntaxError {
    const rest = this.text.slice(this.position).trim().slice(0, 40);
    return new FilterSyntaxError(`Invalid filter pattern: expected ${wanted}${rest ? ` at '${rest}'` : ' at the end'}`);
  }
}

/** `a = 1 && (b != "x*" || c IS NULL)`. */
export function parseExpression<Subject>(scanner: Scanner, select: SelectorReader<Subject>): Predicate<Subject> {
  return parseOr(scanner, select, 0);
}

const deepest = 50;

function parseOr<S>(scanner: Scanner, select: SelectorReader<S>, depth: number): Predicate<S> {
  if (depth > deepest) throw new FilterSyntaxError('Invalid filter pattern: too many parentheses');
  const parts = [parseAnd(scanner, select, depth)];
  while (scanner.take(/\|\|/)) parts.push(parseAnd(scanner, select, depth));
  return parts.length === 1 ? parts[0]! : (subject) => parts.some((part) => part(subject));
}

function parseAnd<S>(scanner: Scanner, select: SelectorReader<S>, depth: number): Predicate<S> {
  const parts = [parsePrimary(scanner, select, depth)];
  while (scanner.take(/&&/)) parts.push(parsePrimary(scanner, select, depth));
  return parts.length === 1 ? parts[0]! : (subject) => parts.every((part) => part(subject));
}

function parsePrimary<S>(scanner: Scanner, select: SelectorReader<S>, depth: number): Predicate<S> {
  if (scanner.take(/\(/)) {
    const inner = parseOr(scanner, select, depth + 1);
    if (!scanner.take(/\)/)) throw scanner.problem("')'");
    return inner;
  }
  const selector = select(scanner);
  const state = scanner.take(/IS\s+(TRUE|FALSE|NULL)\b/i)?.[1]?.toUpperCase();
  if (state) {
    const value = { TRUE: true, FALSE: false, NULL: null }[state];
    return (subject) => selector(subject).some((found) => found === value);
  }
  if (scanner.take(/NOT\s+EXISTS\b/i)) return (subject) => selector(subject).length === 0;
  if (scanner.take(/EXISTS\b/i)) return (subject) => selector(subject).length > 0;
  const operator = scanner.take(/!=|<=|>=|=|<|>/)?.[0].trim();
  if (!operator) throw scanner.problem('a comparison');
  const test = comparison(operator, readValue(scanner));
  return (subject) => selector(subject).some(test);
}

interface Wanted {
  readonly text: string;
  readonly quoted: boolean;
}

function readValue(scanner: Scanner): Wanted {
  if (scanner.take(/%/)) throw new FilterSyntaxError('Regular expressions in filter patterns are not supported.');
  const quoted = scanner.take(/"((?:[^"\\]|\\.)*)"/);
  if (quoted) return { text: quoted[1]!.replace(/\\(.)/g, '$1'), quoted: true };
  const bare = scanner.take(/[^\s"&|(),\]{}]+/);
  if (!bare) throw scanner.problem('a value');
  return { text: bare[0].trim(), quoted: false };
}

function comparison(operator: string, wanted: Wanted): (found: unknown) => boolean {
  const number = wanted.text.trim() === '' ? Number.NaN : Number(wanted.text);
  if (operator === '=' || operator === '!=') {
    const matches = wildcard(wanted.text);
    const equal = (found: unknown) =>
      (typeof found === 'number' && !wanted.quoted && found === number) || (isScalar(found) && matches(String(found)));
    return operator === '=' ? equal : (found) => found !== null && isScalar(found) && !equal(found);
  }
  if (Number.isNaN(number)) {
    throw new FilterSyntaxError(`Invalid filter pattern: '${wanted.text}' is no number, which ${operator} compares`);
  }
  const compare = {
    '<': (found: number) => found < number,
    '<=': (found: number) => found <= number,
    '>': (found: number) => found > number,
    '>=': (found: number) => found >= number,
  }[operator]!;
  return (found) => {
    const value = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
    return typeof value === 'number' && compare(value);
  };
}

const isScalar = (found: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof found);

/** Matches text in which `*` stands for anything, in linear time: parts between the stars are looked for in order. */
function wildcard(text: string): (value: string) => boolean {
  const parts = text.split('*');
  if (parts.length === 1) return (value) => value === text;
  const first = parts[0]!;
  const last = parts.at(-1)!;
  const middle = parts.slice(1, -1);
  return (value) => {
    if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false;
    const end = value.length - last.length;
    let position = first.length;
    for (const part of middle) {
      const at = value.indexOf(part, position);
      if (at === -1 || at + part.length > end) return false;
      position = at + part.length;
    }
    return true;
  };
}
