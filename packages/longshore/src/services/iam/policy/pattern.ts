/** Looks up the single value of a condition key for a `${…}` in a policy; undefined where the request has none. */
export type Variables = (key: string) => string | undefined;

export interface Pattern {
  readonly source: string;
  /** False where a variable of the pattern has no value. */
  matches(value: string, variables: Variables): boolean;
}

export interface PatternOptions {
  /** `*` and `?` stand for any text and any one character. */
  readonly wildcards: boolean;
  /** `${key}` is replaced; only policies of version 2012-10-17 do that. */
  readonly variables: boolean;
  readonly ignoreCase?: boolean;
}

const any = -1;
const one = -2;

/** A wildcard, a character code, or a variable to be filled in. */
type Token = number | { readonly key: string; readonly fallback: string | undefined };

/**
 * Compiles one value of a policy element
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html). Matching takes time linear in
 * pattern × value at worst, whatever the wildcards.
 */
export function compilePattern(source: string, options: PatternOptions): Pattern {
  const fold = options.ignoreCase ? (text: string) => text.toLowerCase() : (text: string) => text;
  const tokens = tokenize(source, options, fold);
  const fixed = tokens.every((token) => typeof token === 'number') ? (tokens as number[]) : undefined;
  if (!fixed) {
    return {
      source,
      matches: (value, variables) => {
        const filled = fill(tokens, variables, fold);
        return filled !== undefined && glob(filled, fold(value));
      },
    };
  }
  if (fixed.length === 1 && fixed[0] === any) return { source, matches: () => true };
  const wild = fixed.findIndex((token) => token < 0);
  if (wild === -1) {
    const literal = String.fromCharCode(...fixed);
    return { source, matches: (value) => fold(value) === literal };
  }
  if (wild === fixed.length - 1 && fixed[wild] === any) {
    const prefix = String.fromCharCode(...fixed.slice(0, -1));
    return { source, matches: (value) => fold(value).startsWith(prefix) };
  }
  return { source, matches: (value) => glob(fixed, fold(value)) };
}

/** Fills in `${…}`; undefined where one has no value. `${*}`, `${?}` and `${$}` are those characters themselves. */
export function resolveVariables(source: string, variables: Variables): string | undefined {
  const tokens = tokenize(source, { wildcards: false, variables: true }, (text) => text);
  const filled = fill(tokens, variables, (text) => text);
  return filled && String.fromCharCode(...filled);
}

function tokenize(source: string, options: PatternOptions, fold: (text: string) => string): Token[] {
  const tokens: Token[] = [];
  const literal = (text: string) => {
    for (let i = 0; i < text.length; i++) tokens.push(text.charCodeAt(i));
  };
  for (let i = 0; i < source.length; ) {
    const end = options.variables && source.startsWith('${', i) ? source.indexOf('}', i) : -1;
    if (end !== -1) {
      const [key = '', fallback] = source.slice(i + 2, end).split(',', 2);
      if (key === '*' || key === '?' || key === '$') literal(key);
      else tokens.push({ key: key.trim().toLowerCase(), fallback: fallback?.trim().replace(/^'(.*)'$/, '$1') });
      i = end + 1;
      continue;
    }
    const character = source[i]!;
    if (options.wildcards && character === '*') {
      if (tokens.at(-1) !== any) tokens.push(any);
    } else if (options.wildcards && character === '?') tokens.push(one);
    else literal(fold(character));
    i++;
  }
  return tokens;
}

function fill(tokens: readonly Token[], variables: Variables, fold: (text: string) => string): number[] | undefined {
  const filled: number[] = [];
  for (const token of tokens) {
    if (typeof token === 'number') {
      filled.push(token);
      continue;
    }
    const value = variables(token.key) ?? token.fallback;
    if (value === undefined) return undefined;
    const folded = fold(value);
    for (let i = 0; i < folded.length; i++) filled.push(folded.charCodeAt(i));
  }
  return filled;
}

/** Greedy matching that goes back only to the last `*`, so hostile patterns cannot make it exponential. */
function glob(pattern: readonly number[], value: string): boolean {
  let p = 0;
  let v = 0;
  let star = -1;
  let resume = 0;
  while (v < value.length) {
    const token = pattern[p];
    if (token === one || (token !== undefined && token >= 0 && token === value.charCodeAt(v))) {
      p++;
      v++;
    } else if (token === any) {
      star = p++;
      resume = v;
    } else if (star !== -1) {
      p = star + 1;
      v = ++resume;
    } else return false;
  }
  while (pattern[p] === any) p++;
  return p === pattern.length;
}
