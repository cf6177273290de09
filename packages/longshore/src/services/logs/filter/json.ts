import { parseExpression, Scanner, type Selector } from './expression.ts';
import type { Filter } from './filter.ts';

type Step = string | number | '*any*';
const anyElement = '*any*' as const;

/** `{ $.level = "error" && $.latency >= 100 }`: messages that are JSON and meet it. */
export function jsonFilter(pattern: string): Filter {
  const scanner = new Scanner(pattern);
  scanner.take(/\{/);
  const predicate = parseExpression<unknown>(scanner, readSelector);
  if (!scanner.take(/\}/) || !scanner.atEnd()) throw scanner.problem("'}'");
  return (message) => {
    const start = message.trimStart()[0];
    if (start !== '{' && start !== '[') return false;
    try {
      return predicate(JSON.parse(message));
    } catch {
      return false;
    }
  };
}

/** `$.a.b`, `$.list[0]`, `$.list[*]`, `$['a.b']`. */
function readSelector(scanner: Scanner): Selector<unknown> {
  if (!scanner.take(/\$/)) throw scanner.problem("a selector that starts with '$.'");
  const steps: Step[] = [];
  for (;;) {
    const named = scanner.take(/\.([A-Za-z0-9_@/#-]+)/);
    const quoted = named ? undefined : scanner.take(/\.?\[\s*(?:'([^']*)'|"([^"]*)")\s*\]/);
    const index = named || quoted ? undefined : scanner.take(/\.?\[\s*(\d+|\*)\s*\]/);
    if (named) steps.push(named[1]!);
    else if (quoted) steps.push((quoted[1] ?? quoted[2])!);
    else if (index) steps.push(index[1] === '*' ? anyElement : Number(index[1]));
    else break;
  }
  return (subject) =>
    steps.reduce<readonly unknown[]>((found, step) => found.flatMap((value) => walk(value, step)), [subject]);
}

function walk(value: unknown, step: Step): readonly unknown[] {
  if (step === anyElement) return Array.isArray(value) ? value : [];
  if (typeof step === 'number') return Array.isArray(value) && step < value.length ? [value[step]] : [];
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]] : [];
}
