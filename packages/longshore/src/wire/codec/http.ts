import type { IncomingHttpHeaders } from 'node:http';

/** A request as the codecs see it: the body whole, already decompressed. */
export interface WireRequest {
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer before it is put on the socket. */
export interface WireResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** An error, ready to be written in a protocol's form. */
export interface WireError {
  /** As this service calls it. */
  readonly code: string;
  /** The model's shape, where it has one; else the code. */
  readonly shapeName: string;
  readonly message: string;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How one protocol puts an operation's values on the wire. Reading throws DecodeProblem. */
export interface ProtocolCodec {
  readInput(operation: string, request: WireRequest): Record<string, unknown>;
  writeOutput(operation: string, output: object, requestId: string): WireResponse;
  writeError(error: WireError, requestId: string, request: { readonly method: string }): WireResponse;
}
