import { parseRange, rangeHolds } from './addresses.ts';
import { compilePattern, resolveVariables, type Variables } from './pattern.ts';

/** All values that a request has for a condition key (lower case); undefined or empty where it has none. */
export type ContextValues = (key: string) => readonly string[] | undefined;

/** One `operator: { key: values }` of a statement, ready to be asked. */
export type Condition = (context: ContextValues, variables: Variables) => boolean;

/** Whether one value of the request meets one value of the policy. */
type Test = (value: string, variables: Variables) => boolean;

interface Operator {
  /** A negated operator holds when no policy value matches, and where the key is missing. */
  readonly negated: boolean;
  compile(wanted: string, substitute: boolean): Test;
}

/**
 * The condition operators of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * without `Null`, which asks about the key and not its value.
 */
const operators: Readonly<Record<string, Operator>> = {
  ...pair('StringEquals', 'StringNotEquals', text({ wildcards: false })),
  ...pair('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', text({ wildcards: false, ignoreCase: true })),
  ...pair('StringLike', 'StringNotLike', text({ wildcards: true })),
  ...pair('ArnEquals', 'ArnNotEquals', arn),
  ...pair('ArnLike', 'ArnNotLike', arn),
  ...pair('IpAddress', 'NotIpAddress', address),
  ...pair(
    'NumericEquals',
    'NumericNotEquals',
    compare(Number, (a, b) => a === b),
  ),
  NumericLessThan: { negated: false, compile: compare(Number, (a, b) => a < b) },
  NumericLessThanEquals: { negated: false, compile: compare(Number, (a, b) => a <= b) },
  NumericGreaterThan: { negated: false, compile: compare(Number, (a, b) => a > b) },
  NumericGreaterThanEquals: { negated: false, compile: compare(Number, (a, b) => a >= b) },
  ...pair(
    'DateEquals',
    'DateNotEquals',
    compare(instant, (a, b) => a === b),
  ),
  DateLessThan: { negated: false, compile: compare(instant, (a, b) => a < b) },
  DateLessThanEquals: { negated: false, compile: compare(instant, (a, b) => a <= b) },
  DateGreaterThan: { negated: false, compile: compare(instant, (a, b) => a > b) },
  DateGreaterThanEquals: { negated: false, compile: compare(instant, (a, b) => a >= b) },
  Bool: { negated: false, compile: text({ wildcards: false, ignoreCase: true }) },
  BinaryEquals: { negated: false, compile: text({ wildcards: false }) },
};

const names = new Map([...Object.keys(operators), 'Null'].map((name) => [name.toLowerCase(), name]));

interface OperatorName {
  readonly quantifier: 'all' | 'any' | undefined;
  readonly base: string;
  readonly ifExists: boolean;
}

/** The parts of `ForAllValues:StringLikeIfExists`; undefined where there is no such operator. */
export function parseOperator(name: string): OperatorName | undefined {
  const match = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/i.exec(name);
  const base = match && names.get(match[2]!.toLowerCase());
  if (!base || (base === 'Null' && match[3])) return undefined;
  const quantifier = match[1] && (match[1].toLowerCase() === 'forallvalues' ? 'all' : 'any');
  return { quantifier: quantifier as OperatorName['quantifier'], base, ifExists: match[3] !== undefined };
}

/** `substitute`: whether `${…}` in the values is replaced. The operator's name was checked with `parseOperator` before. */
export function compileCondition(
  operatorName: string,
  keyName: string,
  wanted: readonly string[],
  substitute: boolean,
): Condition {
  const parsed = parseOperator(operatorName);
  if (!parsed) throw new Error(`there is no condition operator ${operatorName}`);
  const { quantifier, base, ifExists } = parsed;
  const key = keyName.toLowerCase();
  if (base === 'Null') {
    return (context) => wanted.some((value) => (value.toLowerCase() === 'true') === !context(key)?.length);
  }
  const { negated, compile } = operators[base]!;
  const tests = wanted.map((value) => compile(value, substitute));
  return (context, variables) => {
    const values = context(key);
    if (!values?.length) {
      if (ifExists || quantifier === 'all') return true;
      return negated && quantifier !== 'any';
    }
    const holds = (value: string) => tests.some((test) => test(value, variables)) !== negated;
    // A key with several values and no quantifier: every value must pass a negated operator, one is enough otherwise.
    const every = quantifier === 'all' || (quantifier === undefined && negated);
    return every ? values.every(holds) : values.some(holds);
  };
}

function pair(positive: string, negative: string, compile: Operator['compile']): Record<string, Operator> {
  return { [positive]: { negated: false, compile }, [negative]: { negated: true, compile } };
}

function text(options: { readonly wildcards: boolean; readonly ignoreCase?: boolean }): Operator['compile'] {
  return (wanted, substitute) => {
    const pattern = compilePattern(wanted, { ...options, variables: substitute });
    return (value, variables) => pattern.matches(value, variables);
  };
}

/** ARNs match part by part, so that a `*` never reaches past a colon except in the last, the resource. */
function arn(wanted: string, substitute: boolean): Test {
  const patterns = arnParts(wanted).map((part) => compilePattern(part, { wildcards: true, variables: substitute }));
  return (value, variables) => {
    const parts = arnParts(value);
    return parts.length === patterns.length && patterns.every((pattern, i) => pattern.matches(parts[i]!, variables));
  };
}

function arnParts(text: string): string[] {
  // A colon inside `${aws:username}` separates nothing.
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length && parts.length < 5; i++) {
    if (text.startsWith('${', i)) depth++;
    else if (text[i] === '}' && depth > 0) depth--;
    else if (text[i] === ':' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function address(wanted: string, substitute: boolean): Test {
  const fixed = parseRange(wanted);
  return (value, variables) => {
    const range = fixed ?? (substitute ? parseRange(resolveVariables(wanted, variables) ?? '') : undefined);
    return rangeHolds(range, value);
  };
}

function compare(parse: (text: string) => number, holds: (a: number, b: number) => boolean): Operator['compile'] {
  return (wanted, substitute) => (value, variables) => {
    const right = substitute ? resolveVariables(wanted, variables) : wanted;
    if (right === undefined || right.trim() === '' || value.trim() === '') return false;
    const a = parse(value);
    const b = parse(right);
    return !Number.isNaN(a) && !Number.isNaN(b) && holds(a, b);
  };
}

/** ISO 8601 or seconds since the epoch, in milliseconds. */
function instant(text: string): number {
  return /^\d+$/.test(text) && text.length > 4 ? Number(text) * 1000 : Date.parse(text);
}
