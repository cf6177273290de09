import { compileCidr, parseAddress } from './addresses.ts';
import { compileWildcard, folded } from './text.ts';
import { PatternError, type Token, type Tokens } from './tokens.ts';

export type Scalar = string | number | boolean | null;

/** One way in which a field may match: by its value, or by not being there. */
export type Matcher = { readonly absent: true } | { readonly absent: false; test(value: Scalar): boolean };

const where = (test: (value: Scalar) => boolean): Matcher => ({ absent: false, test });
const whereText = (test: (text: string) => boolean) => where((value) => typeof value === 'string' && test(value));
const whereNumber = (test: (number: number) => boolean) => where((value) => typeof value === 'number' && test(value));

/** A value that stands by itself in a field's list. `token` was read. Throws PatternError. */
export function readValue(tokens: Tokens, token: Token): Matcher {
  switch (token) {
    case '{':
      return readExpression(tokens);
    case 'string': {
      const wanted = tokens.text();
      const address = parseAddress(wanted);
      // However an address is written, it is the same address.
      return address
        ? whereText((text) => {
            const found = text === wanted ? address : parseAddress(text);
            return found?.bits === address.bits && found.value === address.value;
          })
        : where((value) => value === wanted);
    }
    case 'number': {
      const wanted = Number(tokens.text());
      return where((value) => value === wanted);
    }
    case 'true':
    case 'false':
      return where((value) => value === (token === 'true'));
    case 'null':
      return where((value) => value === null);
    default:
      throw tokens.problem('Match value must be String, number, true, false, or null');
  }
}

/** `{"prefix": "a"}` and its like, from after the brace. */
function readExpression(tokens: Tokens): Matcher {
  if (tokens.next() !== 'name') throw tokens.problem('Match expression name not found');
  const kind = tokens.text();
  switch (kind) {
    case 'exactly':
      return onlyText(tokens, 'exact', (wanted) => (text) => text === wanted);
    case 'prefix':
    case 'suffix':
      return readEnd(tokens, kind);
    case 'equals-ignore-case':
      return onlyText(tokens, kind, (wanted) => sameFolded(wanted));
    case 'wildcard':
      return onlyText(tokens, kind, (wanted) => inPlace(tokens, () => compileWildcard(wanted)));
    case 'cidr':
      // The name in the reason is AWS's own slip.
      return onlyText(tokens, 'prefix', compileCidr);
    case 'numeric': {
      if (tokens.next() !== '[') throw tokens.problem('Value of numeric must be an array.');
      const test = readRange(tokens);
      if (tokens.next() !== '}') throw tokens.problem('Too many elements in numeric expression');
      return whereNumber(test);
    }
    case 'exists': {
      const token = tokens.next();
      if (token !== 'true' && token !== 'false')
        throw tokens.problem('exists match pattern must be either true or false.');
      end(tokens);
      return token === 'true' ? where(() => true) : { absent: true };
    }
    case 'anything-but':
      return readAnythingBut(tokens);
    default:
      throw tokens.problem(`Unrecognized match type ${kind}`);
  }
}

const sameFolded = (wanted: string) => {
  const form = folded(wanted);
  return (text: string) => text.length <= form.length * 3 && folded(text) === form;
};

const ends = {
  prefix: (wanted: string) => (text: string) => text.startsWith(wanted),
  suffix: (wanted: string) => (text: string) => text.endsWith(wanted),
};

function readEnd(tokens: Tokens, kind: 'prefix' | 'suffix'): Matcher {
  const token = tokens.next();
  if (token === 'string') {
    const test = ends[kind](tokens.text());
    end(tokens);
    return whereText(test);
  }
  if (token !== '{') throw tokens.problem(`${kind} match pattern must be a string`);
  const title = kind === 'prefix' ? 'Prefix' : 'Suffix';
  if (tokens.next() !== 'name') throw tokens.problem(`${title} expression name not found`);
  const how = tokens.text();
  if (how !== 'equals-ignore-case') throw tokens.problem(`Unsupported ${kind} pattern: ${how}`);
  if (tokens.next() !== 'string') throw tokens.problem('equals-ignore-case match pattern must be a string');
  const test = ends[kind](folded(tokens.text()));
  end(tokens);
  end(tokens);
  return whereText((text) => test(folded(text)));
}

function onlyText(tokens: Tokens, kind: string, compile: (wanted: string) => (text: string) => boolean): Matcher {
  if (tokens.next() !== 'string') throw tokens.problem(`${kind} match pattern must be a string`);
  const test = compile(tokens.text());
  end(tokens);
  return whereText(test);
}

/** Adds the place to a reason that has none. AWS gives none for what it finds of networks and of complexity. */
function inPlace<T>(tokens: Tokens, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof PatternError && !error.message.startsWith('Rule is too complex'))
      throw tokens.problem(error.message);
    throw error;
  }
}

function end(tokens: Tokens): void {
  if (tokens.next() !== '}') throw tokens.problem('Only one key allowed in match expression');
}

type Compare = (number: number, bound: number) => boolean;
const comparisons: Readonly<Record<string, Compare>> = {
  '=': (number, bound) => number === bound,
  '>=': (number, bound) => number >= bound,
  '>': (number, bound) => number > bound,
  '<=': (number, bound) => number <= bound,
  '<': (number, bound) => number < bound,
};

/** `[">", 0, "<=", 5]`, from after the bracket. */
function readRange(tokens: Tokens): (number: number) => boolean {
  const first = tokens.next();
  if (first !== 'string')
    throw tokens.problem(`Invalid member in numeric match: ${first === 'number' ? tokens.text() : first}`);
  const operator = tokens.text();
  const compare = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
  const given = tokens.next();
  if (!compare) throw tokens.problem(`Unrecognized numeric range operator: ${operator}`);
  if (given !== 'number') throw tokens.problem(`Value of ${operator === '=' ? 'equals' : operator} must be numeric`);
  const bound = readNumber(tokens);
  const token = tokens.next();
  if (token === ']') return (number) => compare(number, bound);
  if (!operator.startsWith('>')) throw tokens.problem('Too many elements in numeric expression');
  if (token !== 'string')
    throw tokens.problem(`Bad value in numeric range: ${token === 'number' ? tokens.text() : token}`);
  const second = tokens.text();
  if (second !== '<' && second !== '<=') throw tokens.problem(`Bad numeric range operator: ${second}`);
  if (tokens.next() !== 'number') throw tokens.problem(`Value of ${second} must be numeric`);
  const top = readNumber(tokens);
  if (tokens.next() !== ']') throw tokens.problem('Too many terms in numeric range expression');
  if (bound >= top) throw tokens.problem('Bottom must be less than top');
  const below = comparisons[second] as Compare;
  return (number) => compare(number, bound) && below(number, top);
}

function readNumber(tokens: Tokens): number {
  const text = tokens.text();
  const number = Number(text);
  if (!Number.isFinite(number)) throw tokens.problem(`Cannot compare number : ${text}`);
  return number;
}

type Test = (value: Scalar) => boolean;
/** What may be negated beside plain values. */
const negatable: Readonly<Record<string, (wanted: string) => (text: string) => boolean>> = {
  'equals-ignore-case': sameFolded,
  prefix: ends.prefix,
  suffix: ends.suffix,
  wildcard: compileWildcard,
};

function readAnythingBut(tokens: Tokens): Matcher {
  let token = tokens.next();
  let kind: string | undefined;
  if (token === '{') {
    if (tokens.next() !== 'name') throw tokens.problem('Anything-But expression name not found');
    kind = tokens.text();
    if (!Object.hasOwn(negatable, kind)) throw tokens.problem(`Unsupported anything-but pattern: ${kind}`);
    token = tokens.next();
  }
  if (token !== '[' && token !== 'string' && token !== 'number') {
    throw tokens.problem('Value of anything-but must be an array or single string/number value.');
  }
  const refused = kind === undefined ? readPlain(tokens, token) : readNegated(tokens, token, kind);
  if (tokens.next() !== '}') throw tokens.problem('Too many elements in numeric expression');
  if (kind !== undefined && tokens.next() !== '}') throw tokens.problem('Too many elements in numeric expression');
  return where((value) => !refused(value));
}

function readPlain(tokens: Tokens, token: Token): Test {
  const values = new Set<string | number>();
  const add = (one: Token) => {
    if (one !== 'string' && one !== 'number') {
      throw tokens.problem('Inside anything but list, start|null|boolean is not supported.');
    }
    values.add(one === 'number' ? readNumber(tokens) : tokens.text());
  };
  if (token !== '[') add(token);
  else {
    eachOf(tokens, add);
    if (new Set([...values].map((value) => typeof value)).size !== 1) {
      throw tokens.problem(
        'Inside anything but list, either all values are number or string, mixed type is not supported',
      );
    }
  }
  return (value) => values.has(value as string | number);
}

/** The members of a list, from after its bracket. A reason from within one has its place twice, as AWS gives it. */
function eachOf(tokens: Tokens, add: (one: Token) => void): void {
  try {
    for (let one = tokens.next(); one !== ']'; one = tokens.next()) add(one);
  } catch (error) {
    throw error instanceof PatternError ? tokens.problem(error.message) : error;
  }
}

function readNegated(tokens: Tokens, token: Token, kind: string): Test {
  const tests: ((text: string) => boolean)[] = [];
  const add = (one: Token) => {
    if (one !== 'string') {
      if (kind === 'equals-ignore-case') {
        throw tokens.problem(
          'Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.',
        );
      }
      throw tokens.problem(
        kind === 'wildcard'
          ? 'wildcard match pattern must be a string'
          : 'prefix/suffix match pattern must be a string',
      );
    }
    const wanted = tokens.text();
    if (wanted === '' && (kind === 'prefix' || kind === 'suffix')) {
      throw tokens.problem('Null prefix/suffix not allowed');
    }
    tests.push(inPlace(tokens, () => (negatable[kind] as (typeof negatable)[string])(wanted)));
  };
  if (token !== '[') add(token);
  else eachOf(tokens, add);
  return (value) => typeof value === 'string' && tests.some((test) => test(value));
}
