import { isDeepStrictEqual } from 'node:util';
import { openLogger, silentLogger } from '../../../longshore/src/base/log.ts';
import { type OperationModel, readModel, type ServiceModel } from '../../../longshore/src/models/model.ts';
import { Fault } from '../../../longshore/src/wire/fault.ts';
import { startTestServer, type TestServer } from '../../../longshore/src/wire/server.testing.ts';
import type { AnyOperation, ServiceDefinition } from '../../../longshore/src/wire/service.ts';
import type { OracleService } from './clients.ts';
import { type Fill, ValueMaker } from './values.ts';

/** What one check found: nothing, or in what the two sides differ. */
export interface Finding {
  /** `SERVICE.OPERATION` or, for an error, `SERVICE.OPERATION.ERROR`. */
  readonly name: string;
  readonly what: 'full input' | 'full output' | 'sparse input' | 'sparse output' | 'error';
  readonly difference: string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: clients are told apart by name only.
type Any = any;

/** A service whose operations do what the test at hand tells them to, with a genuine client that speaks to it. */
export interface Rig {
  readonly model: ServiceModel;
  readonly server: TestServer;
  readonly sdk: Record<string, Any>;
  readonly client: Any;
  /** Operations that both the model and the client know. */
  readonly operations: readonly [string, OperationModel][];
  /** What the next operation does. */
  handle: (input: unknown) => unknown;
  close(): Promise<void>;
}

export async function startRig(service: OracleService, auth: 'on' | 'off' = 'on'): Promise<Rig> {
  const model = readModel(service.name);
  const sdk = (await import(service.client)) as Record<string, Any>;
  const operation: AnyOperation = { access: () => [], handle: async (input) => rig.handle(input) };
  const operations = Object.entries(model.operations).filter(([name, { http }]) => http && sdk[`${name}Command`]);
  const definition: ServiceDefinition = {
    name: service.name,
    iamPrefix: service.name,
    operations: Object.fromEntries(operations.map(([name]) => [name, operation])),
  };
  const server = await startTestServer([definition], {
    auth,
    log: process.env.ORACLE_LOG ? openLogger('error') : silentLogger,
  });
  const protocols = (await import('@aws-sdk/core/protocols' as string)) as Record<string, Any>;
  const clientClass = Object.entries(sdk).find(([name]) => /^(?!__).+Client$/.test(name))![1];
  const client = new clientClass({
    ...server.client,
    disableHostPrefix: true,
    ...service.settings,
    ...(service.protocol && { protocol: protocols[service.protocol] }),
  });
  const rig: Rig = {
    model,
    server,
    sdk,
    client,
    operations,
    handle: () => ({}),
    async close() {
      client.destroy();
      await server.close();
    },
  };
  return rig;
}

/** Sends made-up input through the genuine client to our server and made-up output back, for one operation. */
export async function checkOperation(rig: Rig, service: OracleService, name: string, fill: Fill): Promise<Finding[]> {
  const operation = rig.model.operations[name]!;
  const maker = new ValueMaker(rig.model, fill);
  const input = operation.input ? without(maker.structure(operation.input), service.clientsOwn) : {};
  const output = operation.output ? without(maker.structure(operation.output), service.clientsOwn) : {};
  const label = `${service.name}.${name}`;
  let received: unknown;
  rig.handle = (value) => {
    received = value;
    return output;
  };
  try {
    const answer = await rig.client.send(new rig.sdk[`${name}Command`](structuredClone(input)));
    const decoded = (await plain(answer)) as Record<string, unknown>;
    const payload = operation.output ? rig.model.shapes[operation.output]!.payload : undefined;
    // HTTP states the length of nothing, too.
    for (const side of [decoded, received as Record<string, unknown>])
      if (side.ContentLength === 0) delete side.ContentLength;
    // A stream that was not sent is an empty one to the client.
    if (payload !== undefined && decoded[payload] === '') delete decoded[payload];
    return [
      {
        name: label,
        what: `${fill} input`,
        difference: firstDifference(await plain(input), without(await plain(received), service.clientsOwn)),
      },
      { name: label, what: `${fill} output`, difference: firstDifference(await plain(output), decoded) },
    ];
  } catch (error) {
    const { name: code, message } = error as Error;
    return [
      {
        name: label,
        what: received === undefined ? `${fill} input` : `${fill} output`,
        difference: `${code}: ${message.slice(0, 500)}`,
      },
    ];
  }
}

/** Answers an operation with each error of its model: the genuine client must throw the error's class with its members. */
export async function checkErrors(rig: Rig, service: OracleService, name: string): Promise<Finding[]> {
  const operation = rig.model.operations[name]!;
  const findings: Finding[] = [];
  const maker = new ValueMaker(rig.model, 'full');
  const input = operation.input ? new ValueMaker(rig.model, 'sparse').structure(operation.input) : {};
  for (const shapeName of operation.errors ?? []) {
    const shape = rig.model.shapes[shapeName]!;
    const fields = maker.structure(shapeName);
    for (const key of Object.keys(fields)) if (key.toLowerCase() === 'message') delete fields[key];
    const code = shape.error?.code ?? shapeName;
    rig.handle = () => {
      throw new Fault(code, 'Said by the oracle: <ü>', fields);
    };
    const label = `${service.name}.${name}.${shapeName}`;
    const thrown = await rig.client.send(new rig.sdk[`${name}Command`](structuredClone(input))).then(
      () => undefined,
      (error: unknown) => error,
    );
    findings.push({ name: label, what: 'error', difference: await errorDifference(rig, shapeName, fields, thrown) });
  }
  return findings;
}

async function errorDifference(rig: Rig, shapeName: string, fields: object, thrown: Any): Promise<string | undefined> {
  const errorClass = rig.sdk[shapeName] ?? rig.sdk[`${shapeName}Exception`];
  if (!thrown) return 'nothing was thrown';
  if (!errorClass) return `the client has no class for it; it threw ${thrown.name}`;
  if (!(thrown instanceof errorClass)) return `${thrown.name}: ${thrown.message} is not a ${shapeName}`;
  if (thrown.message !== 'Said by the oracle: <ü>') return `its message is ${thrown.message}`;
  for (const [key, value] of Object.entries(fields)) {
    const difference = firstDifference(await plain(value), await plain(thrown[key]), key);
    if (difference) return difference;
  }
  return undefined;
}

/** A value without what either side may add or leave out: metadata, undefined members, kinds of byte arrays. */
async function plain(value: Any): Promise<unknown> {
  if (value === null || value === undefined || typeof value !== 'object') return value;
  if (value instanceof Date) return new Date(value);
  if (typeof value.transformToByteArray === 'function')
    return Buffer.from(await value.transformToByteArray()).toString('latin1');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (key !== '$metadata' && item !== undefined) entries.push([key, await plain(item)]);
  }
  return Object.fromEntries(entries);
}

/** A value without members of certain names. */
function without<Value>(value: Value, names: RegExp | undefined): Value {
  if (!names || typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array)
    return value;
  if (Array.isArray(value)) return value.map((item) => without(item, names)) as Value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !names.test(key))
      .map(([key, item]) => [key, without(item, names)]),
  ) as Value;
}

/** Where two plain values first differ, in words. */
export function firstDifference(expected: Any, actual: Any, path = ''): string | undefined {
  if (isDeepStrictEqual(expected, actual)) return undefined;
  const bothObjects = [expected, actual].every(
    (side) => typeof side === 'object' && side !== null && !(side instanceof Date),
  );
  if (bothObjects) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const difference = firstDifference(expected[key], actual[key], path === '' ? key : `${path}.${key}`);
      if (difference) return difference;
    }
  }
  return `${path}: ${show(expected)} became ${show(actual)}`;
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200);
}
