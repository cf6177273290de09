import type { ServiceModel } from '../../models/model.ts';
import type { ProtocolCodec, WireError } from './http.ts';
import { messageMember } from './json-codec.ts';
import { readQuery } from './query.ts';
import { escapeXml } from './xml.ts';
import { xmlWriters } from './xml-shapes.ts';

/** The parameters of a query request: the URL's and the form's. */
export function queryParameters(query: URLSearchParams, body: Buffer): URLSearchParams {
  if (body.length === 0) return query;
  const parameters = new URLSearchParams(body.toString('utf8'));
  for (const [key, value] of query) if (!parameters.has(key)) parameters.append(key, value);
  return parameters;
}

const headers = { 'content-type': 'text/xml' };

/** awsQuery (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html). */
export function queryCodec(model: ServiceModel): ProtocolCodec {
  const writers = xmlWriters(model.shapes);
  const namespace = model.metadata.xmlNamespace ? ` xmlns="${escapeXml(model.metadata.xmlNamespace)}"` : '';
  return {
    readInput: (operation, request) =>
      readQuery(queryParameters(request.query, request.body), model.operations[operation]!.input, model.shapes, false),
    writeOutput(operation, output, requestId) {
      const { output: shape, resultWrapper = `${operation}Result` } = model.operations[operation]!;
      const result = shape ? `<${resultWrapper}>${writers.members(shape, output)}</${resultWrapper}>` : '';
      const body = `<${operation}Response${namespace}>${result}<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation}Response>`;
      return { status: 200, headers, body };
    },
    writeError(error, requestId) {
      const type = error.status >= 500 ? 'Receiver' : 'Sender';
      const body = `<ErrorResponse${namespace}><Error><Type>${type}</Type><Code>${escapeXml(error.code)}</Code>${xmlErrorMembers(model, error, writers)}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
      return { status: error.status, headers, body };
    },
  };
}

/** EC2's own form of awsQuery (https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html). */
export function ec2Codec(model: ServiceModel): ProtocolCodec {
  const writers = xmlWriters(model.shapes);
  const namespace = ` xmlns="${escapeXml(`${model.metadata.xmlNamespace}`.replace(/\/?$/, '/'))}"`;
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const ec2Headers = { 'content-type': 'text/xml;charset=UTF-8' };
  return {
    readInput: (operation, request) =>
      readQuery(queryParameters(request.query, request.body), model.operations[operation]!.input, model.shapes, true),
    writeOutput(operation, output, requestId) {
      const { output: shape } = model.operations[operation]!;
      // Operations without an output of their own say so.
      const members = shape ? writers.members(shape, output) : '<return>true</return>';
      const body = `${head}<${operation}Response${namespace}><requestId>${requestId}</requestId>${members}</${operation}Response>`;
      return { status: 200, headers: ec2Headers, body };
    },
    writeError(error, requestId) {
      const body = `${head}<Response><Errors><Error><Code>${escapeXml(error.code)}</Code><Message>${escapeXml(error.message)}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`;
      return { status: error.status, headers: ec2Headers, body };
    },
  };
}

/** An error's message and further members as elements. */
export function xmlErrorMembers(model: ServiceModel, error: WireError, writers: ReturnType<typeof xmlWriters>): string {
  const message = messageMember(model, error.shapeName);
  const shape = model.shapes[error.shapeName];
  const rest = shape
    ? writers.members(
        error.shapeName,
        Object.fromEntries(Object.entries(error.fields).filter(([key]) => key !== message)),
      )
    : '';
  // Written with a capital whatever the model says: AWS does, and botocore reads nothing else.
  return `<Message>${escapeXml(error.message)}</Message>${rest}`;
}
