import { type Alternative, compileAlternatives } from './compile.ts';
import type { Matcher, Scalar } from './values.ts';

export { PatternError } from './tokens.ts';

/** A compiled pattern: whether an event, given as its JSON object, is one that it asks for. */
export type EventMatcher = (event: object) => boolean;

/** What is asked of one place in an event, and of the places within it. */
interface Node {
  readonly path: string;
  matchers?: readonly Matcher[];
  readonly children: Map<string, Node>;
}

/**
 * How many values one pattern may look at in one event. Nobody's own pattern comes near; one that is made to keep us busy matches
 * nothing.
 */
const mostLooks = 2_000_000;

/**
 * Compiles an event pattern. Fields that lie in the same array must match within the same element, as EventBridge has it. Throws
 * PatternError with EventBridge's reason.
 */
export function compilePattern(source: string): EventMatcher {
  const trees = compileAlternatives(source).map(treeOf);
  return (event) => {
    const subject = new Subject(undotted(event));
    return trees.some((tree) => subject.matches(tree));
  };
}

function treeOf(alternative: Alternative): Node {
  const root: Node = { path: '', children: new Map() };
  for (const [path, matchers] of alternative) {
    let node = root;
    for (const step of path.split('.')) {
      let child = node.children.get(step);
      if (!child) {
        child = { path: node === root ? step : `${node.path}.${step}`, children: new Map() };
        node.children.set(step, child);
      }
      node = child;
    }
    node.matchers = matchers;
  }
  return root;
}

/** Values that stand at the same place, because an event wrote it both as `{"a.b": …}` and `{"a": {"b": …}}`. */
class Several {
  readonly values: unknown[];
  constructor(values: unknown[]) {
    this.values = values;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Several);

class Subject {
  readonly #event: unknown;
  /** Whether a path has a value anywhere. */
  readonly #present = new Map<string, boolean>();
  #looks = 0;

  constructor(event: unknown) {
    this.#event = event;
  }

  matches(tree: Node): boolean {
    return this.#within(this.#event, tree) && this.#looks <= mostLooks;
  }

  #node(value: unknown, node: Node): boolean {
    return (!node.matchers || this.#leaf(value, node)) && (node.children.size === 0 || this.#within(value, node));
  }

  /** Whether what is asked of the places within holds: within one and the same element, where the value is an array. */
  #within(value: unknown, node: Node): boolean {
    if (++this.#looks > mostLooks) return false;
    if (Array.isArray(value)) return value.some((one) => this.#within(one, node)) || this.#allAbsent(node);
    if (value instanceof Several) return value.values.some((one) => this.#within(one, node)) || this.#allAbsent(node);
    if (!isObject(value)) return this.#allAbsent(node);
    for (const [name, child] of node.children) {
      if (!this.#node(Object.hasOwn(value, name) ? value[name] : undefined, child)) return false;
    }
    return true;
  }

  #leaf(value: unknown, node: Node): boolean {
    const matchers = node.matchers as readonly Matcher[];
    if (matchers.some((one) => one.absent) && !this.#isPresent(node.path)) return true;
    return this.#scalar(value, (scalar) => matchers.some((one) => !one.absent && one.test(scalar)));
  }

  #scalar(value: unknown, test: (scalar: Scalar) => boolean): boolean {
    if (++this.#looks > mostLooks || value === undefined || isObject(value)) return false;
    if (Array.isArray(value)) return value.some((one) => this.#scalar(one, test));
    if (value instanceof Several) return value.values.some((one) => this.#scalar(one, test));
    return test(value as Scalar);
  }

  #allAbsent(node: Node): boolean {
    for (const child of node.children.values()) {
      if (child.matchers && !(child.matchers.some((one) => one.absent) && !this.#isPresent(child.path))) return false;
      if (!this.#allAbsent(child)) return false;
    }
    return true;
  }

  #isPresent(path: string): boolean {
    let known = this.#present.get(path);
    if (known === undefined) {
      known = this.#hasValue(this.#event, path.split('.'), 0);
      this.#present.set(path, known);
    }
    return known;
  }

  #hasValue(value: unknown, steps: readonly string[], at: number): boolean {
    if (++this.#looks > mostLooks || value === undefined) return false;
    if (Array.isArray(value)) return value.some((one) => this.#hasValue(one, steps, at));
    if (value instanceof Several) return value.values.some((one) => this.#hasValue(one, steps, at));
    if (!isObject(value)) return at === steps.length;
    const step = steps[at];
    return step !== undefined && Object.hasOwn(value, step) && this.#hasValue(value[step], steps, at + 1);
  }
}

/** The event with names that have dots in them taken apart, which is how patterns see it. As it is where there are none. */
function undotted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const all = value.map(undotted);
    return all.some((one, index) => one !== value[index]) ? all : value;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, one]) => [name, undotted(one)] as const);
  if (entries.every(([name, one]) => !name.includes('.') && one === value[name])) return value;
  let whole: Record<string, unknown> = Object.create(null);
  for (const [name, one] of entries) {
    const nested = name
      .split('.')
      .reduceRight((inner, step) => ({ __proto__: null, [step]: inner }) as unknown, one) as Record<string, unknown>;
    whole = merged(whole, nested) as Record<string, unknown>;
  }
  return whole;
}

function merged(one: unknown, other: unknown): unknown {
  if (one === undefined) return other;
  if (!isObject(one) || !isObject(other)) {
    return new Several([...(one instanceof Several ? one.values : [one]), other]);
  }
  const whole: Record<string, unknown> = Object.assign(Object.create(null), one);
  for (const [name, value] of Object.entries(other)) whole[name] = merged(whole[name], value);
  return whole;
}
