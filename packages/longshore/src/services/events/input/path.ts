type Step = string | number | '*';

/**
 * Reads a JSON path as EventBridge takes them: `$`, `$.detail.state`, `$.resources[0]`, `$.detail.list[*].name`. Undefined where it is
 * none (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html).
 */
export function parsePath(path: string): ((event: unknown) => unknown) | undefined {
  if (!path.startsWith('$')) return undefined;
  const steps: Step[] = [];
  const step = /\.([^.[\]'"\s]+)|\[(\d{1,9})\]|\[(\*)\]|\['([^']*)'\]|\["([^"]*)"\]/y;
  step.lastIndex = 1;
  while (step.lastIndex < path.length) {
    const found = step.exec(path);
    if (!found) return undefined;
    const [, name, index, all, single, double] = found;
    if (index !== undefined) steps.push(Number(index));
    else steps.push(all ?? name ?? single ?? double ?? '');
  }
  return (event) => walk(event, steps, 0);
}

/** A star gathers what the rest of the path finds in each; what is not there is undefined. */
function walk(value: unknown, steps: readonly Step[], at: number): unknown {
  const step = steps[at];
  if (step === undefined) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (step === '*') {
    return Object.values(value).flatMap((each) => {
      const found = walk(each, steps, at + 1);
      return found === undefined ? [] : [found];
    });
  }
  const inner = Array.isArray(value) ? (typeof step === 'number' ? value[step] : undefined) : own(value, String(step));
  return walk(inner, steps, at + 1);
}

const own = (value: object, name: string): unknown =>
  Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
