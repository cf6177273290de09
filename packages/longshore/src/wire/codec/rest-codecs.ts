import type { Reference, ServiceModel, Shape } from '../../models/model.ts';
import { documentReaders, documentWriters } from './document.ts';
import type { ProtocolCodec, WireRequest, WireResponse } from './http.ts';
import { errorBody, parseJsonBody } from './json-codec.ts';
import { xmlErrorMembers } from './query-codec.ts';
import { matchRoute, readBindings, restRoutes, writeBindings } from './rest.ts';
import { escapeXml, parseXml } from './xml.ts';
import { elementOf, readXml, readXmlMembers, xmlNamespace, xmlWriters } from './xml-shapes.ts';

/** What REST protocols differ in: the body. */
interface BodyFormat {
  readonly contentType: string;
  read(shapeName: string, body: Buffer): Record<string, unknown>;
  readPayload(reference: Reference, body: Buffer): unknown;
  write(shapeName: string, output: object, element: string): string;
  writePayload(name: string, reference: Reference, value: unknown): string;
}

function restCodec(model: ServiceModel, format: BodyFormat, writeError: ProtocolCodec['writeError']): ProtocolCodec {
  const routes = restRoutes(model);
  const readBody = (shape: Shape, shapeName: string, request: WireRequest): Record<string, unknown> => {
    const { payload } = shape;
    if (payload === undefined) {
      const inBody = Object.values(shape.members ?? {}).some((member) => !member.location);
      return inBody && request.body.length > 0 ? format.read(shapeName, request.body) : {};
    }
    if (request.body.length === 0) return {};
    const reference = shape.members![payload]!;
    const target = model.shapes[reference.shape]!;
    if (target.type === 'blob') return { [payload]: new Uint8Array(request.body) };
    if (target.type === 'string') return { [payload]: request.body.toString('utf8') };
    return { [payload]: format.readPayload(reference, request.body) };
  };
  const writeBody = (
    shape: Shape,
    shapeName: string,
    output: Record<string, unknown>,
    element: string,
  ): [body: string | Uint8Array, type: string] => {
    const { payload } = shape;
    if (payload === undefined) {
      const inBody = Object.values(shape.members ?? {}).some((member) => !member.location);
      return inBody ? [format.write(shapeName, output, element), format.contentType] : ['', format.contentType];
    }
    const value = output[payload];
    if (value === undefined || value === null) return ['', format.contentType];
    const reference = shape.members![payload]!;
    const target = model.shapes[reference.shape]!;
    if (target.type === 'blob') return [value as Uint8Array, 'application/octet-stream'];
    if (target.type === 'string') return [value as string, 'text/plain'];
    return [format.writePayload(payload, reference, value), format.contentType];
  };
  return {
    readInput(operation, request) {
      const { input } = model.operations[operation]!;
      if (!input) return {};
      const shape = model.shapes[input]!;
      const labels = matchRoute(routes, request)?.labels ?? new Map();
      return { ...readBindings(model, shape, request, labels), ...readBody(shape, input, request) };
    },
    writeOutput(operation, output): WireResponse {
      const { output: shapeName, http } = model.operations[operation]!;
      const success = http?.[2] ?? 200;
      if (!shapeName) return { status: success, headers: {}, body: '' };
      const shape = model.shapes[shapeName]!;
      const { headers, status } = writeBindings(model, shape, output as Record<string, unknown>);
      const [body, type] = writeBody(shape, shapeName, output as Record<string, unknown>, `${operation}Result`);
      return {
        status: status ?? success,
        headers: { ...(body.length > 0 && { 'content-type': type }), ...headers },
        body,
      };
    },
    writeError,
  };
}

/** restJson1 (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html). */
export function restJsonCodec(model: ServiceModel): ProtocolCodec {
  const reader = documentReaders(model.shapes, 'json');
  const writer = documentWriters(model.shapes, 'json');
  const format: BodyFormat = {
    contentType: 'application/json',
    read: (shapeName, body) => reader({ shape: shapeName })(parseJsonBody(body), 0) as Record<string, unknown>,
    readPayload: (reference, body) => reader(reference)(parseJsonBody(body), 0),
    write: (shapeName, output) => JSON.stringify(writer({ shape: shapeName })(output, 0)),
    writePayload: (_name, reference, value) => JSON.stringify(writer(reference)(value, 0)),
  };
  return restCodec(model, format, (error) => ({
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.shapeName },
    body: JSON.stringify(errorBody(model, error, writer)),
  }));
}

/** restXml (https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html), with S3's unwrapped errors. */
export function restXmlCodec(model: ServiceModel): ProtocolCodec {
  const writers = xmlWriters(model.shapes);
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const unwrapped = model.metadata.serviceId === 'S3';
  const namespace = unwrapped ? ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' : xmlNamespace(model.metadata);
  const format: BodyFormat = {
    contentType: 'application/xml',
    read: (shapeName, body) => readXmlMembers(parseXml(body.toString('utf8')), model.shapes[shapeName]!, model.shapes),
    readPayload: (reference, body) => readXml(parseXml(body.toString('utf8')), reference, model.shapes),
    write: (shapeName, output, element) => {
      const name = model.shapes[shapeName]!.locationName ?? element;
      return `${head}<${name}${namespace}>${writers.members(shapeName, output)}</${name}>`;
    },
    writePayload: (name, reference, value) => {
      const target = model.shapes[reference.shape]!;
      return (
        head +
        writers.write(reference)(
          reference.locationName ?? target.locationName ?? elementOf(name, reference, model.shapes),
          value,
        )
      );
    },
  };
  return restCodec(model, format, (error, requestId, request) => {
    const inner = `<Code>${escapeXml(error.code)}</Code>${xmlErrorMembers(model, error, writers)}`;
    const body = unwrapped
      ? `${head}<Error>${inner}<RequestId>${requestId}</RequestId></Error>`
      : `${head}<ErrorResponse${namespace}><Error>${inner}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
    return {
      status: error.status,
      headers: { 'content-type': 'application/xml' },
      body: request.method === 'HEAD' ? '' : body,
    };
  });
}
