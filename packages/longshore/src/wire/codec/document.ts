import type { Reference, Shape } from '../../models/model.ts';
import { DecodeProblem, maxDepth } from './problem.ts';
import { kindOf, parseTimestamp, printTimestamp, timestampFormat } from './timestamps.ts';

/** Turns what JSON.parse or CBOR gave into an operation's value (Date, Uint8Array), or the other way round. */
export type Convert = (value: unknown, depth: number) => unknown;
export type Shapes = Readonly<Record<string, Shape>>;
export type DocumentFormat = 'json' | 'cbor';

interface Member {
  readonly name: string;
  readonly reference: Reference;
  convert: Convert | undefined;
}

/** Sets also a key named `__proto__` as data. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** Members that travel in the body, by their name there. */
export function bodyMembers(shape: Shape): [wireName: string, name: string, reference: Reference][] {
  return Object.entries(shape.members ?? {})
    .filter(([, reference]) => !reference.location)
    .map(([name, reference]) => [reference.locationName ?? name, name, reference]);
}

/** Readers of a model's shapes, each compiled on first use and kept. */
export function documentReaders(shapes: Shapes, format: DocumentFormat): (reference: Reference) => Convert {
  const structures = new Map<string, Convert>();
  const reader = (reference: Reference): Convert => {
    const shape = shapes[reference.shape]!;
    if (reference.jsonvalue) return parseJsonValue;
    switch (shape.type) {
      case 'structure': {
        if (shape.document) return freeDocument;
        let known = structures.get(reference.shape);
        if (!known) {
          known = structureReader(shape, reader);
          structures.set(reference.shape, known);
        }
        return known;
      }
      case 'list':
        return listReader(shape, reader);
      case 'map':
        return mapReader(shape, reader);
      case 'boolean':
        return (value) => (typeof value === 'boolean' ? value : wrong(value, 'Boolean'));
      case 'integer':
        return (value) => integer(value, 'Integer', 2 ** 31);
      case 'long':
        return (value) => integer(value, 'Long', 2 ** 63);
      case 'float':
      case 'double':
        return number;
      case 'timestamp':
        return parseTimestamp;
      case 'blob':
        return format === 'json'
          ? parseBase64
          : (value) => (value instanceof Uint8Array ? value : wrong(value, 'Blob'));
      default:
        return (value) => (typeof value === 'string' ? value : wrong(value, 'String'));
    }
  };
  return reader;
}

function structureReader(shape: Shape, reader: (reference: Reference) => Convert): Convert {
  const members = new Map<string, Member>(
    bodyMembers(shape).map(([wireName, name, reference]) => [wireName, { name, reference, convert: undefined }]),
  );
  return (value, depth) => {
    if (!isObject(value)) return wrong(value, 'Structure');
    descend(depth);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const raw = value[key];
      if (raw === null || raw === undefined) continue;
      const member = members.get(key);
      if (!member) continue;
      member.convert ??= reader(member.reference);
      result[member.name] = member.convert(raw, depth + 1);
    }
    return result;
  };
}

function listReader(shape: Shape, reader: (reference: Reference) => Convert): Convert {
  let convert: Convert | undefined;
  return (value, depth) => {
    if (!Array.isArray(value)) return wrong(value, 'List');
    descend(depth);
    convert ??= reader(shape.member!);
    const result: unknown[] = new Array(value.length);
    for (let index = 0; index < value.length; index++) {
      result[index] = value[index] === null || value[index] === undefined ? null : convert(value[index], depth + 1);
    }
    return result;
  };
}

function mapReader(shape: Shape, reader: (reference: Reference) => Convert): Convert {
  let convert: Convert | undefined;
  return (value, depth) => {
    if (!isObject(value)) return wrong(value, 'Map');
    descend(depth);
    convert ??= reader(shape.value!);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      setOwn(result, key, value[key] === null || value[key] === undefined ? null : convert(value[key], depth + 1));
    }
    return result;
  };
}

/** Writers of a model's shapes. For CBOR, dates and bytes stay as they are: its encoder knows them. */
export function documentWriters(shapes: Shapes, format: DocumentFormat): (reference: Reference) => Convert {
  const structures = new Map<string, Convert>();
  const same: Convert = (value) => value;
  const writer = (reference: Reference): Convert => {
    const shape = shapes[reference.shape]!;
    if (reference.jsonvalue) return (value) => JSON.stringify(value);
    switch (shape.type) {
      case 'structure': {
        if (shape.document) return same;
        let known = structures.get(reference.shape);
        if (!known) {
          known = structureWriter(shape, writer);
          structures.set(reference.shape, known);
        }
        return known;
      }
      case 'list': {
        let convert: Convert | undefined;
        return (value, depth) => {
          convert ??= writer(shape.member!);
          return convert === same
            ? value
            : (value as unknown[]).map((item) => (item === null ? null : convert!(item, depth)));
        };
      }
      case 'map': {
        let convert: Convert | undefined;
        return (value, depth) => {
          convert ??= writer(shape.value!);
          const result: Record<string, unknown> = {};
          for (const [key, item] of Object.entries(value as object)) {
            if (item !== undefined) setOwn(result, key, item === null ? null : convert(item, depth));
          }
          return result;
        };
      }
      case 'timestamp': {
        if (format === 'cbor') return same;
        const how = timestampFormat(reference, shape, 'unixTimestamp');
        return how === 'unixTimestamp'
          ? (value) => (value as Date).getTime() / 1000
          : (value) => printTimestamp(value as Date, how);
      }
      case 'blob':
        return format === 'cbor' ? same : (value) => Buffer.from(value as Uint8Array).toString('base64');
      case 'float':
      case 'double':
        return format === 'cbor' ? same : (value) => (Number.isFinite(value) ? value : String(value));
      case 'long':
      case 'integer':
        return format === 'cbor' ? same : (value) => (typeof value === 'bigint' ? Number(value) : value);
      default:
        return same;
    }
  };
  return writer;
}

function structureWriter(shape: Shape, writer: (reference: Reference) => Convert): Convert {
  const members = new Map<string, Member & { readonly wireName: string }>(
    bodyMembers(shape).map(([wireName, name, reference]) => [name, { name, wireName, reference, convert: undefined }]),
  );
  return (value, depth) => {
    const result: Record<string, unknown> = {};
    const source = value as Record<string, unknown>;
    for (const key of Object.keys(source)) {
      const raw = source[key];
      if (raw === undefined || raw === null) continue;
      const member = members.get(key);
      if (!member) continue;
      member.convert ??= writer(member.reference);
      result[member.wireName] = member.convert(raw, depth + 1);
    }
    return result;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  );
}

function descend(depth: number): void {
  if (depth > maxDepth) throw new DecodeProblem(`The request nests deeper than ${maxDepth} levels`);
}

function wrong(value: unknown, type: string): never {
  if (Array.isArray(value)) throw new DecodeProblem('Start of list found where not expected');
  if (isObject(value)) throw new DecodeProblem('Start of structure or map found where not expected');
  if (type === 'List') throw new DecodeProblem('Expected list or null');
  if (type === 'Map') throw new DecodeProblem('Expected map or null');
  if (type === 'Structure') throw new DecodeProblem('Expected structure or null');
  throw new DecodeProblem(`${kindOf(value)} can not be converted to ${type === 'Integer' ? 'an' : 'a'} ${type}`);
}

function integer(value: unknown, type: string, limit: number): number {
  const plain = typeof value === 'bigint' ? Number(value) : value;
  if (typeof plain !== 'number' || !Number.isInteger(plain)) return wrong(value, type);
  if (plain >= limit || plain < -limit) throw new DecodeProblem(`Number ${plain} is out of range for ${type}`);
  return plain;
}

function number(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return wrong(value, 'Double');
}

/** Throws DecodeProblem where the text is not base64 (RFC 4648, section 4). */
export function parseBase64(value: unknown): Uint8Array {
  if (typeof value !== 'string') return wrong(value, 'Blob');
  if (value.length % 4 === 1 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw new DecodeProblem('Invalid base64 in a blob');
  return new Uint8Array(Buffer.from(value, 'base64'));
}

function parseJsonValue(value: unknown): unknown {
  try {
    return typeof value === 'string' ? JSON.parse(value) : value;
  } catch {
    throw new DecodeProblem('Invalid JSON in a string that must hold JSON');
  }
}

/** A document type holds any JSON, but not endlessly deep. */
function freeDocument(value: unknown, depth: number): unknown {
  const open: [unknown, number][] = [[value, depth]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [item, level] = next;
    descend(level);
    if (typeof item === 'object' && item !== null && !(item instanceof Uint8Array)) {
      for (const part of Object.values(item)) if (typeof part === 'object') open.push([part, level + 1]);
    }
  }
  return value;
}
