import type { Reference, ServiceModel, Shape } from '../../../longshore/src/models/model.ts';
import { sampleText } from '../regex-sample.ts';

/** What kind of value to make: every member filled, or only what must be there. */
export type Fill = 'full' | 'sparse';

const moment = new Date('2026-05-06T07:08:09Z');
const blob = 'bytes \u0000\u00ff';
const unicode = 'grüße € 😀 <&>"\' x';

/** Makes values of a model's shapes, the same ones every time. */
export class ValueMaker {
  private readonly model: ServiceModel;
  private readonly fill: Fill;
  private count = 0;

  constructor(model: ServiceModel, fill: Fill) {
    this.model = model;
    this.fill = fill;
  }

  /** A structure's members; `variant` picks a union's member. */
  structure(shapeName: string, above: readonly string[] = []): Record<string, unknown> {
    const shape = this.model.shapes[shapeName]!;
    const members = Object.entries(shape.members ?? {});
    const inside = [...above, shapeName];
    const result: Record<string, unknown> = {};
    const chosen = shape.union ? this.unionMember(members, inside) : members;
    for (const [name, reference] of chosen) {
      const required = (shape.required ?? []).includes(name) || shape.union || reference.idempotencyToken;
      if (this.fill === 'sparse' && !required) continue;
      if (this.tooDeep(reference, inside) && !required) continue;
      // A dry run would not reach the operation.
      if (name === 'DryRun') result[name] = false;
      else if (reference.locationName === 'Content-Length') result[name] = blob.length;
      else result[name] = this.value(reference, inside);
    }
    // Query protocols have no way to say "an empty structure".
    const [first] = members.filter(([, reference]) => !this.tooDeep(reference, inside));
    if (inside.length > 1 && Object.keys(result).length === 0 && first) result[first[0]] = this.value(first[1], inside);
    return result;
  }

  private unionMember(
    members: readonly [string, Reference][],
    inside: readonly string[],
  ): readonly [string, Reference][] {
    const usable = members.filter(([, reference]) => !this.tooDeep(reference, inside));
    return [usable[this.count++ % usable.length]!];
  }

  /** A shape that holds itself is filled once. */
  private tooDeep(reference: Reference, inside: readonly string[]): boolean {
    const shape = this.model.shapes[reference.shape]!;
    const inner = shape.member ?? shape.value;
    if (inner)
      return (
        this.tooDeep(inner, [...inside, reference.shape]) ||
        inside.filter((name) => name === reference.shape).length > 1
      );
    return shape.type === 'structure' && inside.includes(reference.shape);
  }

  value(reference: Reference, inside: readonly string[]): unknown {
    const shape = this.model.shapes[reference.shape]!;
    switch (shape.type) {
      case 'structure':
        if (shape.document) return { anything: [1, 'two', { three: null }] };
        return this.structure(reference.shape, inside);
      case 'list': {
        // EC2's and S3's have none for an empty list either.
        const least = shape.min ?? (['ec2', 'rest-xml'].includes(this.model.metadata.protocol) ? 1 : 0);
        if (this.tooDeep(shape.member!, [...inside, reference.shape])) return [];
        const length = this.fill === 'sparse' ? least : Math.max(least, Math.min(2, shape.max ?? 2));
        return Array.from({ length }, () => this.value(shape.member!, [...inside, reference.shape]));
      }
      case 'map':
        return this.map(shape, reference, [...inside, reference.shape]);
      case 'string':
      case 'character':
        return this.text(shape, reference);
      case 'boolean':
        return this.count++ % 2 === 0;
      case 'integer':
        return this.number(shape, 7);
      case 'long':
        return this.number(shape, 2 ** 40 + 1);
      case 'float':
      case 'double':
        return this.number(shape, 2.5);
      case 'timestamp':
        return new Date(moment);
      case 'blob':
        return new Uint8Array(Buffer.from(blob.padEnd(shape.min ?? 0, 'x'), 'latin1'));
    }
  }

  private map(shape: Shape, reference: Reference, inside: readonly string[]): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const least = Math.max(shape.min ?? 0, this.fill === 'full' ? 1 : 0);
    const keys = this.model.shapes[shape.key!.shape]!;
    for (let index = 0; index < least; index++) {
      const key = keys.enum?.[index] ?? `${this.text(keys, { shape: shape.key!.shape, location: 'header' })}`;
      result[key] = this.value(
        reference.location ? { ...shape.value!, location: reference.location } : shape.value!,
        inside,
      );
    }
    return result;
  }

  private number(shape: Shape, liked: number): number {
    return Math.min(Math.max(liked, shape.min ?? liked), shape.max ?? Number.POSITIVE_INFINITY);
  }

  private text(shape: Shape, reference: Reference): string {
    if (shape.enum) return shape.enum[this.count++ % shape.enum.length]!;
    const min = shape.min ?? 0;
    const max = shape.max ?? 4096;
    if (shape.pattern) return sampleText(shape.pattern, min, max) ?? 'a'.repeat(Math.max(min, 1));
    // Headers and paths hold what HTTP lets them.
    const liked = reference.location ? `text${this.count++}` : `${unicode}${this.count++}`;
    return [...liked.padEnd(min, '.')]
      .slice(0, Math.max(min, Math.min(max, 64)))
      .join('')
      .slice(0, Math.max(max, 1));
  }
}
