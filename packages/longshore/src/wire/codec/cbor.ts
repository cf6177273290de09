import { DecodeProblem, maxDepth } from './problem.ts';

/**
 * CBOR (RFC 8949) as far as Smithy's rpc-v2-cbor uses it: integers, byte and text strings (also of unknown length), arrays, maps,
 * tag 1 (a Date here), simple values and floats. Other tags give the value that they mark.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes);
  const value = reader.value(0);
  if (reader.offset !== bytes.length) throw new DecodeProblem('Unexpected bytes after the end of the CBOR value');
  return value;
}

const stop = Symbol('break');

class CborReader {
  offset = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): unknown {
    const value = this.item(depth);
    if (value === stop) throw new DecodeProblem('Unexpected break in CBOR');
    return value;
  }

  private take(length: number): number {
    const start = this.offset;
    if (length > this.bytes.length - start) throw new DecodeProblem('Unexpected end of CBOR');
    this.offset += length;
    return start;
  }

  /** A head's number; undefined for "unknown length". */
  private argument(info: number): number | bigint | undefined {
    if (info < 24) return info;
    switch (info) {
      case 24:
        return this.view.getUint8(this.take(1));
      case 25:
        return this.view.getUint16(this.take(2));
      case 26:
        return this.view.getUint32(this.take(4));
      case 27: {
        const long = this.view.getBigUint64(this.take(8));
        return long <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(long) : long;
      }
      case 31:
        return undefined;
      default:
        throw new DecodeProblem('Malformed CBOR');
    }
  }

  private item(depth: number): unknown {
    if (depth > maxDepth) throw new DecodeProblem(`The request nests deeper than ${maxDepth} levels`);
    const initial = this.view.getUint8(this.take(1));
    const major = initial >> 5;
    const info = initial & 31;
    if (major === 7) return this.simple(info);
    const argument = this.argument(info);
    if (argument === undefined && (major < 2 || major === 6)) throw new DecodeProblem('Malformed CBOR');
    switch (major) {
      case 0:
        return argument;
      case 1:
        return typeof argument === 'bigint' ? -1n - argument : -1 - (argument as number);
      case 2:
        return argument === undefined ? Buffer.concat(this.chunks(2)) : this.slice(argument);
      case 3:
        return Buffer.from(argument === undefined ? Buffer.concat(this.chunks(3)) : this.slice(argument)).toString(
          'utf8',
        );
      case 4:
        return this.array(argument, depth);
      case 5:
        return this.map(argument, depth);
      default:
        return this.tagged(argument as number, this.value(depth + 1));
    }
  }

  private slice(length: number | bigint): Uint8Array {
    const start = this.take(Number(length));
    return new Uint8Array(this.bytes.subarray(start, this.offset));
  }

  private chunks(major: number): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (;;) {
      const initial = this.view.getUint8(this.take(1));
      if (initial === 0xff) return parts;
      const length = this.argument(initial & 31);
      if (initial >> 5 !== major || length === undefined) throw new DecodeProblem('Malformed CBOR string');
      parts.push(this.slice(length));
    }
  }

  private array(length: number | bigint | undefined, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let count = 0; length === undefined || count < length; count++) {
      const item = this.item(depth + 1);
      if (item === stop) {
        if (length === undefined) return items;
        throw new DecodeProblem('Unexpected break in CBOR');
      }
      items.push(item);
    }
    return items;
  }

  private map(length: number | bigint | undefined, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let count = 0; length === undefined || count < length; count++) {
      const key = this.item(depth + 1);
      if (key === stop && length === undefined) break;
      if (typeof key !== 'string') throw new DecodeProblem('A CBOR map key is not a string');
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  private tagged(tag: number, value: unknown): unknown {
    if (tag !== 1) return value;
    const moment = new Date(Math.round(Number(value) * 1000));
    if (typeof value === 'string' || Number.isNaN(moment.getTime()))
      throw new DecodeProblem('Malformed CBOR timestamp');
    return moment;
  }

  private simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return null;
      case 25:
        return halfFloat(this.view.getUint16(this.take(2)));
      case 26:
        return this.view.getFloat32(this.take(4));
      case 27:
        return this.view.getFloat64(this.take(8));
      case 31:
        return stop;
      default:
        throw new DecodeProblem('Malformed CBOR');
    }
  }
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** A value as CBOR: Date as tag 1, Uint8Array as bytes, undefined members left out. */
export function encodeCbor(value: unknown): Buffer {
  const writer = new CborWriter();
  writer.value(value);
  return writer.done();
}

class CborWriter {
  private buffer = Buffer.allocUnsafe(1024);
  private offset = 0;

  done(): Buffer {
    return this.buffer.subarray(0, this.offset);
  }

  /** Makes room at the end, which may move the buffer, and says where it starts. */
  private room(length: number): number {
    if (this.offset + length > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.offset + length));
      this.buffer.copy(larger, 0, 0, this.offset);
      this.buffer = larger;
    }
    const start = this.offset;
    this.offset += length;
    return start;
  }

  private byte(value: number): void {
    const start = this.room(1);
    this.buffer[start] = value;
  }

  private double(value: number): void {
    this.byte(0xfb);
    const start = this.room(8);
    this.buffer.writeDoubleBE(value, start);
  }

  private head(major: number, argument: number): void {
    const type = major << 5;
    if (argument < 24) this.byte(type | argument);
    else if (argument < 0x100) {
      this.byte(type | 24);
      this.byte(argument);
    } else if (argument < 0x10000) {
      this.byte(type | 25);
      const start = this.room(2);
      this.buffer.writeUInt16BE(argument, start);
    } else if (argument < 0x100000000) {
      this.byte(type | 26);
      const start = this.room(4);
      this.buffer.writeUInt32BE(argument, start);
    } else {
      this.byte(type | 27);
      const start = this.room(8);
      this.buffer.writeBigUInt64BE(BigInt(argument), start);
    }
  }

  value(value: unknown): void {
    switch (typeof value) {
      case 'string': {
        const length = Buffer.byteLength(value);
        this.head(3, length);
        const start = this.room(length);
        this.buffer.write(value, start, 'utf8');
        return;
      }
      case 'number':
        this.number(value);
        return;
      case 'bigint':
        this.number(Number(value));
        return;
      case 'boolean':
        this.byte(value ? 0xf5 : 0xf4);
        return;
      case 'object':
        this.object(value);
        return;
      default:
        this.byte(0xf6);
    }
  }

  private number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) this.head(0, value);
      else this.head(1, -1 - value);
      return;
    }
    this.double(value);
  }

  private object(value: object | null): void {
    if (value === null) {
      this.byte(0xf6);
    } else if (value instanceof Date) {
      this.head(6, 1);
      this.double(value.getTime() / 1000);
    } else if (value instanceof Uint8Array) {
      this.head(2, value.length);
      const start = this.room(value.length);
      this.buffer.set(value, start);
    } else if (Array.isArray(value)) {
      this.head(4, value.length);
      for (const item of value) this.value(item);
    } else {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined);
      this.head(5, entries.length);
      for (const [key, item] of entries) {
        this.value(key);
        this.value(item);
      }
    }
  }
}
