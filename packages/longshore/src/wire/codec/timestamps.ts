import type { Reference, Shape } from '../../models/model.ts';
import { DecodeProblem } from './problem.ts';

export type TimestampFormat = NonNullable<Reference['timestampFormat']>;

/** The format that a member or its shape asks for, or else the protocol's own. */
export function timestampFormat(reference: Reference, shape: Shape, fallback: TimestampFormat): TimestampFormat {
  return reference.timestampFormat ?? shape.timestampFormat ?? fallback;
}

/** A moment as text, in one of Smithy's formats (https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait). */
export function printTimestamp(moment: Date, format: TimestampFormat): string {
  switch (format) {
    case 'iso8601':
      return moment.toISOString().replace('.000Z', 'Z');
    case 'rfc822':
      return moment.toUTCString();
    case 'unixTimestamp':
      return String(moment.getTime() / 1000);
  }
}

const isoPattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/** The moment that a text or a number of seconds says. Lenient as AWS is: any of the formats is taken. Throws DecodeProblem. */
export function parseTimestamp(value: unknown): Date {
  if (value instanceof Date) return value;
  if (typeof value === 'number') return checked(new Date(Math.round(value * 1000)), value);
  if (typeof value === 'string') {
    const text = value.trim();
    if (/^-?\d{1,14}(\.\d{1,12})?$/.test(text)) return checked(new Date(Math.round(Number(text) * 1000)), value);
    if (isoPattern.test(text))
      return checked(new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(text) || text.length === 10 ? text : `${text}Z`), value);
    if (text.length < 40 && /^[A-Za-z]{3}, /.test(text)) return checked(new Date(text), value);
  }
  throw new DecodeProblem(`${kindOf(value)} can not be converted to milliseconds since epoch`);
}

function checked(moment: Date, value: unknown): Date {
  if (Number.isNaN(moment.getTime()))
    throw new DecodeProblem(`'${String(value).slice(0, 64)}' is not a valid timestamp`);
  return moment;
}

/** What AWS's JSON reader calls a value of the wrong type. */
export function kindOf(value: unknown): string {
  if (typeof value === 'string') return 'STRING_VALUE';
  if (typeof value === 'number' || typeof value === 'bigint') return 'NUMBER_VALUE';
  if (value === true) return 'TRUE_VALUE';
  if (value === false) return 'FALSE_VALUE';
  return 'VALUE';
}
