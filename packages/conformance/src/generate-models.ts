/**
 * Writes packages/longshore/src/models/*.json and errors.ts from botocore's API models.
 *
 *     node packages/conformance/src/generate-models.ts $(python3 -c 'import botocore,os;print(os.path.dirname(botocore.__file__))')/data
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { patternProblem } from './patterns.ts';
import { type Selection, selections } from './selection.ts';

// biome-ignore lint/suspicious/noExplicitAny: botocore's model is untyped data.
type Data = any;

const metadataKeys = [
  'apiVersion',
  'endpointPrefix',
  'jsonVersion',
  'protocol',
  'protocols',
  'serviceId',
  'serviceFullName',
  'signingName',
  'targetPrefix',
  'xmlNamespace',
  'awsQueryCompatible',
];
const shapeKeys = [
  'type',
  'required',
  'enum',
  'min',
  'max',
  'pattern',
  'locationName',
  'flattened',
  'timestampFormat',
  'payload',
  'xmlNamespace',
  'union',
  'document',
  'eventstream',
  'streaming',
  'sensitive',
];
const memberKeys = [
  'shape',
  'location',
  'locationName',
  'queryName',
  'flattened',
  'timestampFormat',
  'jsonvalue',
  'xmlNamespace',
  'xmlAttribute',
  'idempotencyToken',
  'streaming',
  'eventpayload',
  'eventheader',
  'hostLabel',
];

const [dataFolder] = process.argv.slice(2);
if (!dataFolder) throw new Error('Say where botocore keeps its data folder.');
const target = join(import.meta.dirname, '../../longshore/src/models');

const pick = (from: Data, keys: readonly string[]): Data =>
  Object.fromEntries(
    keys.filter((key) => from[key] !== undefined && from[key] !== false).map((key) => [key, from[key]]),
  );

function readModel(source: string): Data {
  const folder = join(dataFolder as string, source);
  const version = readdirSync(folder).sort().at(-1) as string;
  const file = readdirSync(join(folder, version)).find((name) => name.startsWith('service-2.json')) as string;
  const bytes = readFileSync(join(folder, version, file));
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}

function stripOperation(operation: Data): Data {
  const { method, requestUri, responseCode } = operation.http;
  return {
    http: [method, requestUri, ...(responseCode && responseCode !== 200 ? [responseCode] : [])],
    ...(operation.input && {
      input: operation.input.shape,
      ...pick(operation.input, ['locationName', 'xmlNamespace']),
    }),
    ...(operation.output && { output: operation.output.shape, ...pick(operation.output, ['resultWrapper']) }),
    ...(operation.errors?.length && { errors: operation.errors.map((error: Data) => error.shape) }),
    ...((operation.authtype === 'none' || operation.auth?.includes('smithy.api#noAuth')) && { auth: 'none' }),
    ...(operation.endpoint?.hostPrefix && { hostPrefix: operation.endpoint.hostPrefix }),
    ...(operation.unsignedPayload && { unsignedPayload: true }),
  };
}

function stripShape(name: string, shape: Data, skipped: Map<string, string>): Data {
  const stripped = pick(shape, shapeKeys);
  if (stripped.pattern) {
    const problem = patternProblem(stripped.pattern);
    if (problem) {
      skipped.set(name, problem);
      delete stripped.pattern;
    }
  }
  if (stripped.required?.length === 0) delete stripped.required;
  if (shape.exception || shape.error) {
    stripped.exception = true;
    if (shape.error) stripped.error = pick(shape.error, ['code', 'httpStatusCode', 'senderFault']);
    if (shape.fault) stripped.fault = true;
  }
  if (shape.members) {
    stripped.members = Object.fromEntries(
      Object.entries<Data>(shape.members).map(([key, member]) => [key, pick(member, memberKeys)]),
    );
  }
  for (const part of ['member', 'key', 'value']) if (shape[part]) stripped[part] = pick(shape[part], memberKeys);
  return stripped;
}

/** Names of the shapes that the given ones lead to, themselves included. */
function reachable(shapes: Data, from: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const open = [...from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const { members = {}, member, key, value } = shapes[name];
    for (const part of [...Object.values<Data>(members), member, key, value]) if (part) open.push(part.shape);
  }
  return seen;
}

/** One line for each operation and shape, so that a new botocore shows as a readable difference. */
function print(model: Data): string {
  const lines = (part: Data) =>
    Object.entries(part)
      .map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n');
  return `{\n  "metadata": ${JSON.stringify(model.metadata)},\n  "operations": {\n${lines(model.operations)}\n  },\n  "shapes": {\n${lines(model.shapes)}\n  }\n}\n`;
}

/** Operations that the genuine SDK's client has; empty where the package is not there. */
async function clientOperations(client: string): Promise<string[]> {
  const names = await import(client).then(Object.keys, () => []);
  return names
    .filter((name: string) => /.Command$/.test(name) && name !== '$Command')
    .map((name: string) => name.slice(0, -'Command'.length));
}

async function generate(selection: Selection): Promise<{ codes: string[]; skipped: Map<string, string> }> {
  const model = readModel(selection.source);
  const skipped = new Map<string, string>();
  const roots: string[] = [];
  const operations: Data = {};
  for (const [name, operation] of Object.entries<Data>(model.operations).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (selection.keep && !selection.keep(name)) {
      operations[name] = {};
      continue;
    }
    const kept = stripOperation(operation);
    operations[name] = kept;
    roots.push(...[kept.input, kept.output, ...(kept.errors ?? [])].filter(Boolean));
  }
  const client = await clientOperations(selection.client);
  // What a newer operation on the same path has replaced stays known by name only.
  for (const name of Object.keys(operations)) {
    const same = (other: string) =>
      client.includes(other) && JSON.stringify(operations[other]?.http) === JSON.stringify(operations[name].http);
    if (client.length > 0 && !client.includes(name) && selection.name === 's3' && Object.keys(operations).some(same))
      operations[name] = {};
  }
  const later = client.filter((name) => !operations[name]);
  for (const name of later) operations[name] = {};
  if (later.length > 0) console.log(`${selection.name}: only the SDK has ${later.join(', ')}`);
  // An error shape that no operation lists is answered all the same (e.g. by S3).
  roots.push(...Object.keys(model.shapes).filter((name) => model.shapes[name].exception && !selection.keep));
  const shapes: Data = {};
  const codes = new Set(selection.extraErrors);
  for (const name of [...reachable(model.shapes, roots)].sort()) {
    const shape = stripShape(name, model.shapes[name], skipped);
    shapes[name] = shape;
    if (shape.exception) codes.add(shape.error?.code ?? name);
  }
  metadata[selection.name] = pick(model.metadata, metadataKeys);
  writeFileSync(
    join(target, `${selection.name}.json`),
    print({ metadata: metadata[selection.name], operations, shapes }),
  );
  console.log(
    `${selection.name}: ${Object.keys(operations).length} operations, ${Object.keys(shapes).length} shapes, ${codes.size} error codes`,
  );
  return { codes: [...codes].sort(), skipped };
}

const metadata: Data = {};
const typeName = (name: string) =>
  name
    .split('-')
    .map((part) => part[0]?.toUpperCase() + part.slice(1))
    .join('');
let errors = '// Generated by packages/conformance/src/generate-models.ts; never edited.\n';
let problems = '';
for (const selection of selections) {
  const { codes, skipped } = await generate(selection);
  errors += `\nexport type ${typeName(selection.name)}ErrorCode =\n${codes.map((code) => `  | '${code}'`).join('\n')};\n`;
  for (const [shape, problem] of skipped) problems += `${selection.name}\t${shape}\t${problem}\n`;
}
writeFileSync(join(target, 'errors.ts'), errors);
writeFileSync(
  join(target, 'services.json'),
  `{\n${Object.entries(metadata)
    .map(([name, data]) => `  "${name}": ${JSON.stringify(data)}`)
    .join(',\n')}\n}\n`,
);
writeFileSync(join(target, 'skipped-patterns.tsv'), `service\tshape\twhy its pattern is not checked\n${problems}`);
