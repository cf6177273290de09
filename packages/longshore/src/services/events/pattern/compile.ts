import { PatternError, Tokens } from './tokens.ts';
import { type Matcher, readValue } from './values.ts';

/** One alternative of a pattern: every path must match; a path is a field's names joined by dots. */
export type Alternative = ReadonlyMap<string, readonly Matcher[]>;

/** Combinations that `$or` may come to (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html). */
const mostAlternatives = 1000;

/** Names that can't be fields within `$or`, since they are, or may become, kinds of matching. */
const reserved: ReadonlySet<string> = new Set(
  'exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex not-wildcard not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range ip-address-in-range ip-address-not-in-range'.split(
    ' ',
  ),
);

/**
 * Reads a pattern (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html) into alternatives, one of which must
 * match. Throws PatternError with EventBridge's reason.
 */
export function compileAlternatives(source: string): readonly Alternative[] {
  const tokens = new Tokens(source);
  if (tokens.next() !== '{') throw tokens.problem('Filter is not an object');
  return readObject(tokens, [new Map()], '', false);
}

type Fields = Map<string, readonly Matcher[]>;

/** An object from after its brace: what it asks is added to each of the alternatives. */
function readObject(tokens: Tokens, given: readonly Fields[], path: string, inOr: boolean): readonly Fields[] {
  let alternatives = given;
  let empty = true;
  for (let token = tokens.next(); token !== '}'; token = tokens.next()) {
    empty = false;
    const name = tokens.text();
    if (name === '$or') {
      alternatives = readOr(tokens, alternatives, path);
      continue;
    }
    if (inOr && reserved.has(name)) {
      throw tokens.problem(`${name} is Ruler reserved fieldName which cannot be used inside $or.`);
    }
    const inner = path === '' ? name : `${path}.${name}`;
    const opening = tokens.next();
    if (opening === '{') alternatives = readObject(tokens, alternatives, inner, inOr);
    else if (opening === '[') {
      const matchers = readList(tokens);
      for (const fields of alternatives) fields.set(inner, matchers);
    } else throw tokens.problem(`"${name}" must be an object or an array`);
  }
  if (empty) throw tokens.problem('Empty objects are not allowed');
  return alternatives;
}

function readList(tokens: Tokens): readonly Matcher[] {
  const matchers: Matcher[] = [];
  for (let token = tokens.next(); token !== ']'; token = tokens.next()) matchers.push(readValue(tokens, token));
  if (matchers.length === 0) throw tokens.problem('Empty arrays are not allowed');
  return matchers;
}

function readOr(tokens: Tokens, given: readonly Fields[], path: string): readonly Fields[] {
  if (tokens.next() !== '[') throw tokens.problem('It must be an Array followed with $or.');
  const all: Fields[] = [];
  let branches = 0;
  for (let token = tokens.next(); token !== ']'; token = tokens.next()) {
    branches++;
    if (token !== '{') throw tokens.problem('Only JSON object is allowed in array of $or relationship.');
    const branch = readObject(
      tokens,
      given.map((fields) => new Map(fields)),
      path,
      true,
    );
    if (all.length + branch.length > mostAlternatives) {
      throw new PatternError(`The pattern's $or combinations exceed the limit of ${mostAlternatives}.`);
    }
    all.push(...branch);
  }
  if (branches < 2) throw tokens.problem('There must have at least 2 Objects in $or relationship.');
  return all;
}
