import { parsePath } from './path.ts';

/** What a target gets instead of the event: at most one of these. */
export interface InputSettings {
  readonly Input?: string | undefined;
  readonly InputPath?: string | undefined;
  readonly InputTransformer?:
    | {
        readonly InputPathsMap?: Readonly<Record<string, string>> | undefined;
        readonly InputTemplate: string | undefined;
      }
    | undefined;
}

/** What a template may say beside the event's own values. */
export interface InputFacts {
  readonly ruleArn: string;
  readonly ruleName: string;
  /** ISO 8601. */
  readonly ingestedAt: string;
}

/** Names in a template that need no path. */
const predefined = [
  'aws.events.rule-arn',
  'aws.events.rule-name',
  'aws.events.event.ingestion-time',
  'aws.events.event',
  'aws.events.event.json',
] as const;

const placeholder = /<([^<>]+)>/g;
const mostPaths = 100;

/** What is wrong with a target's input settings, as PutTargets words it; undefined where nothing is. */
export function inputProblem(id: string, { Input, InputPath, InputTransformer }: InputSettings): string | undefined {
  if ([Input, InputPath, InputTransformer].filter((one) => one !== undefined).length > 1) {
    return `Only one of Input, InputPath, or InputTransformer must be provided for target ${id}.`;
  }
  if (Input !== undefined && !isJson(Input)) return `JSON syntax error in input for target ${id}.`;
  if (InputPath !== undefined && !parsePath(InputPath)) return `Invalid InputPath for target ${id}.`;
  if (!InputTransformer) return undefined;
  const paths = Object.entries(InputTransformer.InputPathsMap ?? {});
  if (paths.length > mostPaths) return `InputPathsMap for target ${id} has more than ${mostPaths} entries.`;
  for (const [name, path] of paths) {
    if (/^aws/i.test(name)) return `InputPathsMap for target ${id} contains a reserved key ${name}.`;
    if (!parsePath(path)) return `Invalid InputPath for target ${id} in InputPathsMap: ${path}.`;
  }
  const known = new Set<string>([...predefined, ...paths.map(([name]) => name)]);
  for (const [, name = ''] of (InputTransformer.InputTemplate ?? '').matchAll(placeholder)) {
    if (!known.has(name)) return `InputTemplate for target ${id} contains invalid placeholder ${name}.`;
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text that a target gets for an event. `event` is its JSON object, `text` the same as text. */
export function renderInput(settings: InputSettings, event: object, text: string, facts: InputFacts): string {
  if (settings.Input !== undefined) return settings.Input;
  if (settings.InputPath !== undefined) return JSON.stringify(parsePath(settings.InputPath)?.(event) ?? null);
  if (!settings.InputTransformer) return text;
  const { InputPathsMap = {}, InputTemplate = '' } = settings.InputTransformer;
  const values = new Map<string, unknown>([
    ['aws.events.rule-arn', facts.ruleArn],
    ['aws.events.rule-name', facts.ruleName],
    ['aws.events.event.ingestion-time', facts.ingestedAt],
    ['aws.events.event', withoutDetail(event)],
    ['aws.events.event.json', event],
  ]);
  for (const [name, path] of Object.entries(InputPathsMap)) values.set(name, parsePath(path)?.(event));
  return fill(InputTemplate, values);
}

/** Within quotes a value is put in as it reads; outside of them, as JSON. A value that is not there is empty text. */
function fill(template: string, values: ReadonlyMap<string, unknown>): string {
  let within = false;
  let filled = '';
  for (const [piece, name] of template.matchAll(/\\.|"|<([^<>]+)>|[^\\"<]+|[\\<]/gs)) {
    if (piece === '"') within = !within;
    if (name === undefined) filled += piece;
    else filled += within ? asText(values.get(name)) : JSON.stringify(values.get(name) ?? '');
  }
  return filled;
}

/** As EventBridge writes a value into a string: lists and objects without their quotes. */
function asText(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escaped(value);
  return JSON.stringify(value).replaceAll('"', '');
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

/** The copy of the event that templates have carries no detail. */
function withoutDetail(event: object): object {
  const { detail: _, 'detail-type': detailType, ...rest } = event as Record<string, unknown>;
  return { ...rest, detailType };
}
