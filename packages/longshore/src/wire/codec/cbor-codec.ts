import type { ServiceModel } from '../../models/model.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { documentReaders, documentWriters } from './document.ts';
import type { ProtocolCodec } from './http.ts';
import { errorBody, queryErrorHeader } from './json-codec.ts';

/** Smithy's RPC v2 CBOR (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html). */
export function cborCodec(model: ServiceModel): ProtocolCodec {
  const reader = documentReaders(model.shapes, 'cbor');
  const writer = documentWriters(model.shapes, 'cbor');
  const headers = { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' };
  return {
    readInput(operation, request) {
      const { input } = model.operations[operation]!;
      if (!input) return {};
      return reader({ shape: input })(request.body.length === 0 ? {} : decodeCbor(request.body), 0) as Record<
        string,
        unknown
      >;
    },
    writeOutput(operation, output) {
      const { output: shape } = model.operations[operation]!;
      return { status: 200, headers, body: shape ? encodeCbor(writer({ shape })(output, 0)) : '' };
    },
    writeError(error) {
      const namespace = `com.amazonaws.${model.metadata.serviceId.replace(/\s/g, '').toLowerCase()}`;
      return {
        status: error.status,
        headers: { ...headers, ...queryErrorHeader(model, error) },
        body: encodeCbor({ __type: `${namespace}#${error.shapeName}`, ...errorBody(model, error, writer) }),
      };
    },
  };
}
