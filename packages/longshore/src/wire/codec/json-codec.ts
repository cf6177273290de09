import type { ServiceModel } from '../../models/model.ts';
import { type Convert, documentReaders, documentWriters } from './document.ts';
import type { ProtocolCodec, WireError, WireRequest, WireResponse } from './http.ts';
import { DecodeProblem } from './problem.ts';

/** Strict UTF-8, as JSON must be. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The body as JSON; `{}` where it is empty. Throws DecodeProblem. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw new DecodeProblem('The request body is not valid JSON');
  }
}

/** The member that carries an error's message, by the error's own shape. */
export function messageMember(model: ServiceModel, shapeName: string): string {
  const members = model.shapes[shapeName]?.members ?? {};
  return Object.keys(members).find((name) => name.toLowerCase() === 'message') ?? 'message';
}

/** An error's members by their names on the wire, its message among them. */
export function errorBody(
  model: ServiceModel,
  error: WireError,
  writer: (reference: { shape: string }) => Convert,
): Record<string, unknown> {
  const message = messageMember(model, error.shapeName);
  const value = { ...error.fields, [message]: error.message };
  const shape = model.shapes[error.shapeName];
  return shape?.members?.[message]
    ? (writer({ shape: error.shapeName })(value, 0) as Record<string, unknown>)
    : { ...value };
}

/** The header with which a service that once spoke awsQuery names its old code. */
export function queryErrorHeader(model: ServiceModel, error: WireError): Record<string, string> {
  return model.metadata.awsQueryCompatible
    ? { 'x-amzn-query-error': `${error.code};${error.status >= 500 ? 'Receiver' : 'Sender'}` }
    : {};
}

/** awsJson1.0 and 1.1 (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html). */
export function jsonCodec(model: ServiceModel, version: string): ProtocolCodec {
  const reader = documentReaders(model.shapes, 'json');
  const writer = documentWriters(model.shapes, 'json');
  const readers = new Map<string, Convert>();
  const writers = new Map<string, Convert>();
  const contentType = `application/x-amz-json-${version}`;
  return {
    readInput(operation, request: WireRequest) {
      const body = parseJsonBody(request.body);
      const { input } = model.operations[operation]!;
      let read = readers.get(operation);
      if (!read) {
        read = input ? reader({ shape: input }) : (value) => (isPlain(value) ? {} : rejectBody());
        readers.set(operation, read);
      }
      return read(body, 0) as Record<string, unknown>;
    },
    writeOutput(operation, output): WireResponse {
      const { output: shape } = model.operations[operation]!;
      const headers = { 'content-type': contentType };
      if (!shape) return { status: 200, headers, body: '' };
      let write = writers.get(operation);
      if (!write) {
        write = writer({ shape });
        writers.set(operation, write);
      }
      return { status: 200, headers, body: JSON.stringify(write(output, 0)) };
    },
    writeError(error) {
      return {
        status: error.status,
        headers: { 'content-type': contentType, ...queryErrorHeader(model, error) },
        body: JSON.stringify({ __type: error.shapeName, ...errorBody(model, error, writer) }),
      };
    },
  };
}

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rejectBody(): never {
  throw new DecodeProblem('Expected structure or null');
}
