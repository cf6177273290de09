import type { Reference, Shape } from '../../models/model.ts';
import { parseBase64, type Shapes, setOwn } from './document.ts';
import { DecodeProblem } from './problem.ts';
import { parseTimestamp, printTimestamp, timestampFormat } from './timestamps.ts';
import { escapeXml, type XmlElement } from './xml.ts';

/** Appends a value as an element (or, for a flattened list, elements) named `element`. */
export type WriteXml = (element: string, value: unknown) => string;

/** `xmlns="…"` with a leading space, where the reference or shape asks for one. */
export function xmlNamespace(of: { readonly xmlNamespace?: Reference['xmlNamespace'] }): string {
  if (!of.xmlNamespace) return '';
  if (typeof of.xmlNamespace === 'string') return ` xmlns="${escapeXml(of.xmlNamespace)}"`;
  const { uri, prefix } = of.xmlNamespace;
  return ` xmlns${prefix ? `:${prefix}` : ''}="${escapeXml(uri)}"`;
}

/** A number, boolean, string, moment or bytes as text. */
export function printScalar(value: unknown, reference: Reference, shape: Shape, moments: 'iso8601' | 'rfc822'): string {
  if (value instanceof Date) return printTimestamp(value, timestampFormat(reference, shape, moments));
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return String(value);
}

/** The reverse of `printScalar`. Throws DecodeProblem. */
export function parseScalar(text: string, shape: Shape): unknown {
  switch (shape.type) {
    case 'boolean': {
      const lower = text.trim().toLowerCase();
      if (lower !== 'true' && lower !== 'false')
        throw new DecodeProblem(`'${text.slice(0, 64)}' is not a valid Boolean`);
      return lower === 'true';
    }
    case 'integer':
    case 'long': {
      const limit = shape.type === 'integer' ? 2 ** 31 : 2 ** 63;
      const value = Number(text);
      if (!/^\s*[+-]?\d{1,20}\s*$/.test(text) || value >= limit || value < -limit) {
        throw new DecodeProblem(
          `'${text.slice(0, 64)}' is not a valid ${shape.type === 'integer' ? 'Integer' : 'Long'}`,
        );
      }
      return value;
    }
    case 'float':
    case 'double': {
      const value = Number(text);
      if (text.trim() === '' || (Number.isNaN(value) && text !== 'NaN')) {
        throw new DecodeProblem(`'${text.slice(0, 64)}' is not a valid Double`);
      }
      return value;
    }
    case 'timestamp':
      return parseTimestamp(text);
    case 'blob':
      return parseBase64(text);
    default:
      return text;
  }
}

interface Field {
  readonly name: string;
  readonly element: string;
  readonly reference: Reference;
  write: WriteXml | undefined;
}

/** A member's element: a flattened list's items may carry a name of their own. */
export function elementOf(name: string, reference: Reference, shapes: Shapes): string {
  const shape = shapes[reference.shape]!;
  if (shape.type === 'list' && (shape.flattened || reference.flattened)) {
    return reference.locationName ?? shape.member!.locationName ?? name;
  }
  return reference.locationName ?? name;
}

/** Writers of a model's shapes as XML; lists keep their own element unless flattened. Compiled on first use and kept. */
export function xmlWriters(shapes: Shapes): {
  write(reference: Reference): WriteXml;
  members(shapeName: string, value: object): string;
} {
  const structures = new Map<string, Map<string, Field>>();
  const fieldsOf = (name: string): Map<string, Field> => {
    let fields = structures.get(name);
    if (!fields) {
      fields = new Map(
        Object.entries(shapes[name]!.members ?? {})
          .filter(([, reference]) => !reference.location)
          .map(([member, reference]) => [
            member,
            { name: member, element: elementOf(member, reference, shapes), reference, write: undefined },
          ]),
      );
      structures.set(name, fields);
    }
    return fields;
  };
  const members = (shapeName: string, value: object): string => {
    const fields = fieldsOf(shapeName);
    let result = '';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined || item === null) continue;
      const field = fields.get(key);
      if (!field || field.reference.xmlAttribute) continue;
      field.write ??= write(field.reference);
      result += field.write(field.element, item);
    }
    return result;
  };
  const attributes = (shapeName: string, value: Record<string, unknown>): string => {
    let result = '';
    for (const [key, field] of fieldsOf(shapeName)) {
      if (field.reference.xmlAttribute && value[key] !== undefined)
        result += ` ${field.element}="${escapeXml(String(value[key]))}"`;
    }
    return result;
  };
  const write = (reference: Reference): WriteXml => {
    const shape = shapes[reference.shape]!;
    const namespace = xmlNamespace(reference.xmlNamespace ? reference : shape);
    switch (shape.type) {
      case 'structure':
        return (element, value) =>
          `<${element}${namespace}${attributes(reference.shape, value as Record<string, unknown>)}>${members(reference.shape, value as object)}</${element}>`;
      case 'list': {
        const flat = shape.flattened || reference.flattened;
        const item = shape.member!.locationName ?? 'member';
        let one: WriteXml | undefined;
        return (element, value) => {
          one ??= write(shape.member!);
          let inner = '';
          for (const entry of value as unknown[]) inner += one(flat ? element : item, entry);
          return flat ? inner : `<${element}${namespace}>${inner}</${element}>`;
        };
      }
      case 'map': {
        const flat = shape.flattened || reference.flattened;
        const keyElement = shape.key!.locationName ?? 'key';
        const valueElement = shape.value!.locationName ?? 'value';
        let one: WriteXml | undefined;
        return (element, value) => {
          one ??= write(shape.value!);
          const entry = flat ? element : 'entry';
          let inner = '';
          for (const [key, item] of Object.entries(value as object)) {
            if (item === undefined || item === null) continue;
            inner += `<${entry}><${keyElement}>${escapeXml(key)}</${keyElement}>${one(valueElement, item)}</${entry}>`;
          }
          return flat ? inner : `<${element}${namespace}>${inner}</${element}>`;
        };
      }
      case 'string':
      case 'character':
        return (element, value) => `<${element}${namespace}>${escapeXml(String(value))}</${element}>`;
      default:
        return (element, value) =>
          `<${element}${namespace}>${printScalar(value, reference, shape, 'iso8601')}</${element}>`;
    }
  };
  return { write, members };
}

/** Reads an element as the shape that a reference names. */
export function readXml(element: XmlElement, reference: Reference, shapes: Shapes): unknown {
  const shape = shapes[reference.shape]!;
  switch (shape.type) {
    case 'structure':
      return readXmlMembers(element, shape, shapes);
    case 'list':
      return readItems(element.children, shape, shapes);
    case 'map': {
      const result: Record<string, unknown> = {};
      readEntries(element.children, shape, shapes, result);
      return result;
    }
    default:
      return parseScalar(element.text, shape);
  }
}

/** Reads a structure's members from an element's children. */
export function readXmlMembers(element: XmlElement, shape: Shape, shapes: Shapes): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, reference] of Object.entries(shape.members ?? {})) {
    if (reference.location) continue;
    if (reference.xmlAttribute) {
      const attribute = element.attributes[reference.locationName ?? name];
      if (attribute !== undefined) result[name] = attribute;
      continue;
    }
    const wireName = elementOf(name, reference, shapes);
    const found = element.children.filter((child) => child.name === wireName);
    if (found.length === 0) continue;
    const target = shapes[reference.shape]!;
    const flat = target.flattened || reference.flattened;
    if (flat && target.type === 'list') result[name] = readItems(found, target, shapes);
    else if (flat && target.type === 'map') {
      const map: Record<string, unknown> = {};
      readEntries(found, target, shapes, map);
      result[name] = map;
    } else result[name] = readXml(found[0]!, reference, shapes);
  }
  return result;
}

function readItems(elements: readonly XmlElement[], shape: Shape, shapes: Shapes): unknown[] {
  return elements.map((child) => readXml(child, shape.member!, shapes));
}

function readEntries(
  elements: readonly XmlElement[],
  shape: Shape,
  shapes: Shapes,
  into: Record<string, unknown>,
): void {
  const keyElement = shape.key!.locationName ?? 'key';
  const valueElement = shape.value!.locationName ?? 'value';
  for (const entry of elements) {
    const key = entry.children.find((child) => child.name === keyElement);
    const value = entry.children.find((child) => child.name === valueElement);
    if (!key || !value) throw new DecodeProblem('A map entry in XML needs a key and a value');
    setOwn(into, key.text, readXml(value, shape.value!, shapes));
  }
}
