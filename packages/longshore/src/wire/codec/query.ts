import type { Reference, Shape } from '../../models/model.ts';
import { type Shapes, setOwn } from './document.ts';
import { DecodeProblem } from './problem.ts';
import { parseScalar } from './xml-shapes.ts';

/** Parameters such as `Filter.1.Value.2` as a tree. */
interface Branch {
  value: string | undefined;
  children: Map<string, Branch> | undefined;
}

const maxParameters = 20_000;
const maxSegments = 64;

/** The parameters that belong to the protocol or to signing, not to an operation. */
const protocolParameters =
  /^(Action|Version|AWSAccessKeyId|Signature|SignatureMethod|SignatureVersion|SecurityToken|Timestamp|Expires|X-Amz-.*|x-id)$/;

/** Reads an operation's input from form parameters, by the rules of awsQuery or ec2Query. Throws DecodeProblem. */
export function readQuery(
  parameters: URLSearchParams,
  input: string | undefined,
  shapes: Shapes,
  ec2: boolean,
): Record<string, unknown> {
  const root = grow(parameters);
  if (!input) return {};
  const reader = new QueryReader(shapes, ec2);
  return reader.structure(root, shapes[input]!, true);
}

function grow(parameters: URLSearchParams): Branch {
  const root: Branch = { value: undefined, children: undefined };
  let count = 0;
  for (const [key, value] of parameters) {
    if (++count > maxParameters)
      throw new DecodeProblem(`The request has more than ${maxParameters} parameters`, 'MalformedQueryString');
    if (protocolParameters.test(key)) continue;
    const segments = key.split('.', maxSegments + 1);
    if (segments.length > maxSegments)
      throw new DecodeProblem(`The parameter ${key.slice(0, 64)}… nests too deep`, 'MalformedQueryString');
    let branch = root;
    for (const segment of segments) {
      branch.children ??= new Map();
      let next = branch.children.get(segment);
      if (!next) {
        next = { value: undefined, children: undefined };
        branch.children.set(segment, next);
      }
      branch = next;
    }
    branch.value = value;
  }
  return root;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

class QueryReader {
  private readonly shapes: Shapes;
  private readonly ec2: boolean;

  constructor(shapes: Shapes, ec2: boolean) {
    this.shapes = shapes;
    this.ec2 = ec2;
  }

  structure(branch: Branch, shape: Shape, outermost = false): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    let used = 0;
    for (const [name, reference] of Object.entries(shape.members ?? {})) {
      const child = branch.children?.get(this.keyOf(name, reference));
      if (!child) continue;
      used++;
      result[name] = this.value(child, reference, this.keyOf(name, reference));
    }
    if (this.ec2 && branch.children && used < branch.children.size) this.rejectUnknown(branch, shape, outermost);
    return result;
  }

  /** EC2 does not ignore what it does not know. */
  private rejectUnknown(branch: Branch, shape: Shape, outermost: boolean): void {
    const known = new Set(Object.entries(shape.members ?? {}).map(([name, reference]) => this.keyOf(name, reference)));
    const unknown = [...branch.children!.keys()].find((key) => !known.has(key));
    if (unknown !== undefined && outermost) {
      throw new DecodeProblem(`The parameter ${unknown.slice(0, 128)} is not recognized`, 'UnknownParameter');
    }
  }

  private keyOf(name: string, reference: Reference): string {
    if (this.ec2) return reference.queryName ?? capital(reference.locationName ?? name);
    const shape = this.shapes[reference.shape]!;
    if (shape.type === 'list' && (shape.flattened || reference.flattened))
      return shape.member!.locationName ?? reference.locationName ?? name;
    return reference.locationName ?? name;
  }

  private value(branch: Branch, reference: Reference, key: string): unknown {
    const shape = this.shapes[reference.shape]!;
    const flat = this.ec2 || shape.flattened || reference.flattened;
    switch (shape.type) {
      case 'structure':
        return this.structure(branch, shape);
      case 'list':
        return this.list(flat ? branch : branch.children?.get(shape.member!.locationName ?? 'member'), shape, key);
      case 'map':
        return this.map(flat ? branch : branch.children?.get('entry'), shape, key);
      default:
        if (branch.value === undefined) throw new DecodeProblem(`The parameter ${key} is not a structure or list`);
        try {
          return parseScalar(branch.value, shape);
        } catch (error) {
          if (!(error instanceof DecodeProblem)) throw error;
          throw new DecodeProblem(
            this.ec2
              ? `Value (${branch.value.slice(0, 256)}) for parameter ${key} is invalid. ${error.message}`
              : error.message,
          );
        }
    }
  }

  private list(branch: Branch | undefined, shape: Shape, key: string): unknown[] {
    return this.numbered(branch).map((child) => this.value(child, shape.member!, key));
  }

  private map(branch: Branch | undefined, shape: Shape, key: string): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const child of this.numbered(branch)) {
      const name = child.children?.get(shape.key!.locationName ?? 'key')?.value;
      const value = child.children?.get(shape.value!.locationName ?? 'value');
      if (name === undefined || !value)
        throw new DecodeProblem(`The parameter ${key} needs a key and a value in each entry`);
      setOwn(result, name, this.value(value, shape.value!, key));
    }
    return result;
  }

  /** The children in the order of their numbers. */
  private numbered(branch: Branch | undefined): Branch[] {
    if (!branch?.children) return [];
    return [...branch.children]
      .filter(([index]) => /^\d{1,9}$/.test(index))
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, child]) => child);
  }
}
