import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';

/** containerd's namespace for everything of Longshore's. */
export const namespace = 'longshore';

export interface CallOptions {
  /** What is made in the call is held by this lease until the lease is deleted. */
  readonly lease?: string;
  readonly timeoutMs?: number;
  /** Fails at once where containerd can't be reached, instead of waiting within its time until it can. */
  readonly atOnce?: boolean;
}

/** A gRPC connection to containerd's socket. Errors carry gRPC's code and name the method. */
export class Grpc {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': 32 * 1024 * 1024,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
    });
  }

  close(): void {
    this.#client.close();
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    input: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, input),
        metadata(options.lease, !options.atOnce),
        { deadline: Date.now() + (options.timeoutMs ?? 30_000) },
        (error: ServiceError | null, output?: MessageShape<O>) =>
          error ? reject(asGrpcError(method.name, error)) : resolve(output!),
      );
    });
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    input: MessageInitShape<I>,
    options: CallOptions = {},
  ): ClientReadableStream<MessageShape<O>> {
    return this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, input),
      metadata(options.lease),
      options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
    );
  }

  duplex<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    options: CallOptions = {},
  ) {
    return this.#client.makeBidiStreamRequest<MessageShape<I>, MessageShape<O>>(
      pathOf(method),
      (message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      metadata(options.lease),
      options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
    );
  }
}

/** What containerd refused, in its words. */
export class GrpcError extends Error {
  readonly code: status;
  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** Whether the call failed because the thing is not there. */
export const isNotFound = (error: unknown) => error instanceof GrpcError && error.code === status.NOT_FOUND;
/** Whether the call failed because the thing is there already. */
export const isAlreadyThere = (error: unknown) => error instanceof GrpcError && error.code === status.ALREADY_EXISTS;

/** Awaits `call`; an error that `expected` knows counts as done. */
export async function tolerate<T>(
  call: Promise<T>,
  ...expected: ((error: unknown) => boolean)[]
): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (expected.some((knows) => knows(error))) return undefined;
    throw error;
  }
}

/** An error of the transport or of containerd; one without details names the method. */
export function asGrpcError(method: string, error: ServiceError): GrpcError {
  return new GrpcError(error.code, error.details || `containerd's ${method}: ${error.message}`);
}

const pathOf = (method: { readonly name: string; readonly parent: { readonly typeName: string } }) =>
  `/${method.parent.typeName}/${method.name}`;

function metadata(lease: string | undefined, waitForReady = false): Metadata {
  const result = new Metadata({ waitForReady });
  result.set('containerd-namespace', namespace);
  if (lease) result.set('containerd-lease', lease);
  return result;
}
