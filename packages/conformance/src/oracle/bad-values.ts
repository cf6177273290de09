import type { Reference, ServiceModel, Shape } from '../../../longshore/src/models/model.ts';

/** An input that breaks its model in one place. */
export interface BadInput {
  readonly input: Record<string, unknown>;
  /** e.g. `tags.0.key: too long`. */
  readonly what: string;
}

type Path = readonly (string | number)[];

/** Inputs that each break one constraint of the operation, made from a good one; at most `limit`, the outermost first. */
export function badInputs(
  model: ServiceModel,
  inputShape: string,
  good: Record<string, unknown>,
  limit: number,
): BadInput[] {
  const found: BadInput[] = [];
  const open: [Path, Reference, unknown][] = [[[], { shape: inputShape }, good]];
  for (let next = open.shift(); next && found.length < limit; next = open.shift()) {
    const [path, reference, value] = next;
    const shape = model.shapes[reference.shape]!;
    for (const [what, bad] of breakages(shape, value)) {
      // What travels in the path can't be missing or malformed: the request would be another one.
      if (!reference.location)
        found.push({ input: replaced(good, path, bad) as Record<string, unknown>, what: `${path.join('.')}: ${what}` });
    }
    for (const name of shape.required ?? []) {
      if (shape.members![name]!.location || shape.members![name]!.idempotencyToken) continue;
      // Query protocols can't tell a structure without members from none at all.
      if (path.length > 0 && Object.keys(value as object).length === 1) continue;
      found.push({
        input: replaced(good, [...path, name], undefined) as Record<string, unknown>,
        what: `${[...path, name].join('.')}: missing`,
      });
    }
    open.push(...inner(shape, value, path));
  }
  return found.slice(0, limit);
}

function inner(shape: Shape, value: unknown, path: Path): [Path, Reference, unknown][] {
  if (shape.type === 'structure' && !shape.document) {
    return Object.entries(value as object)
      .filter(([name]) => shape.members?.[name])
      .map(([name, item]) => [[...path, name], shape.members![name]!, item]);
  }
  if (shape.type === 'list') return (value as unknown[]).slice(0, 1).map((item) => [[...path, 0], shape.member!, item]);
  if (shape.type === 'map') {
    return Object.entries(value as object)
      .slice(0, 1)
      .map(([key, item]) => [[...path, key], shape.value!, item]);
  }
  return [];
}

function breakages(shape: Shape, value: unknown): [what: string, bad: unknown][] {
  const result: [string, unknown][] = [];
  const { min, max } = shape;
  switch (shape.type) {
    case 'string':
      if (shape.enum) result.push(['not in the enum', 'NOT-IN-THE-ENUM']);
      else {
        // Headers and such have limits of their own.
        if (max !== undefined && max < 100_000) result.push(['too long', 'x'.repeat(max + 1)]);
        if (min !== undefined && min > 1) result.push(['too short', 'x']);
      }
      break;
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      if (max !== undefined && max < 2 ** 31 - 1) result.push(['too large', max + 1]);
      if (min !== undefined && min > -(2 ** 31)) result.push(['too small', min - 1]);
      break;
    case 'list': {
      const [first] = value as unknown[];
      if (max !== undefined && max <= 1000 && first !== undefined)
        result.push(['too many', Array.from({ length: max + 1 }, () => first)]);
      break;
    }
  }
  return result;
}

/** A copy with one part changed; undefined takes it away. */
function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return by;
  if (Array.isArray(value)) return value.map((item, index) => (index === head ? replaced(item, rest, by) : item));
  const copy = { ...(value as Record<string, unknown>) };
  const changed = replaced(copy[head], rest, by);
  if (changed === undefined) delete copy[head];
  else copy[head] = changed;
  return copy;
}
