import type { Reference, ServiceModel, Shape } from '../models/model.ts';
import { maxDepth } from './codec/problem.ts';
import { compilePattern, isLinear } from './pattern.ts';

/** One way in which an input breaks its model. */
export interface Violation {
  /** e.g. `containerDefinitions.1.member.name`. */
  readonly path: string;
  readonly kind: 'required' | 'enum' | 'pattern' | 'length' | 'range';
  /** What `Member must …` says. */
  readonly constraint: string;
  readonly value: unknown;
  readonly sensitive: boolean;
  readonly min?: number | undefined;
}

/** Finds what is wrong with a value; undefined where nothing can be. */
type Check = (value: unknown, path: string, found: Violation[], depth: number) => void;

/** Texts above this many characters are not held against patterns whose time may grow faster than the text. */
const patternLimit = 2048;
const maxViolations = 20;

const lower = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);
const join = (path: string, part: string) => (path === '' ? part : `${path}.${part}`);

/** Checks of a model's inputs: required members, enums, lengths, ranges and patterns. Compiled on first use and kept. */
export function validator(model: ServiceModel): (operation: string, input: object) => Violation[] {
  const { shapes } = model;
  const checks = new Map<string, Check | undefined>();

  const checkOf = (reference: Reference): Check | undefined => {
    if (checks.has(reference.shape)) return checks.get(reference.shape);
    // A recursive shape meets itself while it is made: by the time that a value is checked, it is there.
    checks.set(reference.shape, (value, path, found, depth) =>
      checks.get(reference.shape)?.(value, path, found, depth),
    );
    const made = make(shapes[reference.shape]!);
    checks.set(reference.shape, made);
    return made;
  };

  const make = (shape: Shape): Check | undefined => {
    switch (shape.type) {
      case 'structure':
        return structure(shape);
      case 'list':
        return list(shape);
      case 'map':
        return map(shape);
      case 'string':
      case 'character':
        return text(shape);
      case 'integer':
      case 'long':
      case 'float':
      case 'double':
        return number(shape);
      case 'blob':
        return shape.min || shape.max !== undefined
          ? (value, path, found) => checkLength((value as Uint8Array).length, value, shape, path, found)
          : undefined;
      default:
        return undefined;
    }
  };

  const structure = (shape: Shape): Check | undefined => {
    const required = shape.required ?? [];
    const members = Object.entries(shape.members ?? {})
      .map(([name, reference]) => ({ name, check: checkOf(reference) }))
      .filter((member) => member.check);
    if (required.length === 0 && members.length === 0) return undefined;
    return (value, path, found, depth) => {
      if (depth > maxDepth) return;
      const source = value as Record<string, unknown>;
      for (const name of required) {
        if (source[name] === undefined) {
          found.push({
            path: join(path, lower(name)),
            kind: 'required',
            constraint: 'not be null',
            value: null,
            sensitive: false,
          });
        }
      }
      for (const { name, check } of members) {
        const item = source[name];
        if (item !== undefined && found.length < maxViolations) check!(item, join(path, lower(name)), found, depth + 1);
      }
    };
  };

  const list = (shape: Shape): Check => {
    const check = checkOf(shape.member!);
    return (value, path, found, depth) => {
      const items = value as unknown[];
      checkLength(items.length, value, shape, path, found);
      for (let index = 0; index < items.length && found.length < maxViolations; index++) {
        const at = () => `${path}.${index + 1}.member`;
        if (items[index] === null)
          found.push({ path: at(), kind: 'required', constraint: 'not be null', value: null, sensitive: false });
        else if (check) check(items[index], at(), found, depth + 1);
      }
    };
  };

  const map = (shape: Shape): Check => {
    const keyCheck = checkOf(shape.key!);
    const valueCheck = checkOf(shape.value!);
    return (value, path, found, depth) => {
      const entries = Object.entries(value as object);
      checkLength(entries.length, value, shape, path, found);
      for (const [key, item] of entries) {
        if (found.length >= maxViolations) return;
        if (keyCheck) {
          const inKey: Violation[] = [];
          keyCheck(key, path, inKey, depth + 1);
          for (const violation of inKey)
            found.push({
              ...violation,
              value,
              constraint: `satisfy constraint: [Member must ${violation.constraint}]`,
            });
        }
        const at = `${path}.${key.slice(0, 128)}.member`;
        if (item === null)
          found.push({ path: at, kind: 'required', constraint: 'not be null', value: null, sensitive: false });
        else valueCheck?.(item, at, found, depth + 1);
      }
    };
  };

  return (operation, input) => {
    const shape = model.operations[operation]?.input;
    const found: Violation[] = [];
    if (shape) checkOf({ shape })?.(input, '', found, 0);
    return found;
  };
}

function checkLength(length: number, value: unknown, shape: Shape, path: string, found: Violation[]): void {
  const sensitive = shape.sensitive === true;
  if (shape.min !== undefined && length < shape.min) {
    found.push({
      path,
      kind: 'length',
      constraint: `have length greater than or equal to ${shape.min}`,
      value,
      sensitive,
    });
  } else if (shape.max !== undefined && length > shape.max) {
    found.push({
      path,
      kind: 'length',
      constraint: `have length less than or equal to ${shape.max}`,
      value,
      sensitive,
    });
  }
}

function text(shape: Shape): Check | undefined {
  const allowed = shape.enum ? new Set(shape.enum) : undefined;
  const pattern = shape.pattern ? compilePattern(shape.pattern) : undefined;
  const linear = shape.pattern ? isLinear(shape.pattern) : true;
  if (!allowed && !pattern && !shape.min && shape.max === undefined) return undefined;
  const sensitive = shape.sensitive === true;
  return (value, path, found) => {
    const string = value as string;
    if (allowed && !allowed.has(string)) {
      const constraint = `satisfy enum value set: [${shape.enum!.join(', ')}]`;
      found.push({ path, kind: 'enum', constraint, value, sensitive });
      return;
    }
    if (shape.min !== undefined || shape.max !== undefined) checkLength(string.length, value, shape, path, found);
    const tooLong = (shape.max !== undefined && string.length > shape.max) || (!linear && string.length > patternLimit);
    if (pattern && !tooLong && !pattern.test(string)) {
      found.push({
        path,
        kind: 'pattern',
        constraint: `satisfy regular expression pattern: ${shape.pattern}`,
        value,
        sensitive,
      });
    }
  };
}

function number(shape: Shape): Check | undefined {
  if (shape.min === undefined && shape.max === undefined) return undefined;
  return (value, path, found) => {
    if (shape.min !== undefined && (value as number) < shape.min) {
      const constraint = `have value greater than or equal to ${shape.min}`;
      found.push({ path, kind: 'range', constraint, value, sensitive: false, min: shape.min });
    } else if (shape.max !== undefined && (value as number) > shape.max) {
      found.push({
        path,
        kind: 'range',
        constraint: `have value less than or equal to ${shape.max}`,
        value,
        sensitive: false,
      });
    }
  };
}
