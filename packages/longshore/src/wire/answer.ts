import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { isDiskFull } from '../base/disk-full.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Settings } from '../base/settings.ts';
import { emptyModel, makeCodec, type Speech } from './api.ts';
import { authenticator } from './authenticate.ts';
import { ClientGone, decodeContent, readBody } from './body.ts';
import type { WireRequest, WireResponse } from './codec/http.ts';
import { DecodeProblem } from './codec/problem.ts';
import { decodeFault, familyOf, toWireError, validationFault } from './dialect.ts';
import { dispatcher, type Target } from './dispatch.ts';
import { Fault } from './fault.ts';
import type {
  Access,
  Caller,
  Gatekeeper,
  HttpRoute,
  RequestContext,
  ServiceDefinition,
  UpgradeRoute,
} from './service.ts';
import type { SignedRequest } from './sigv4.ts';
import { secureTransport } from './transport.ts';

export interface WireServerOptions {
  readonly settings: Pick<Settings, 'port' | 'host' | 'auth' | 'accountId' | 'region'>;
  readonly services: readonly ServiceDefinition[];
  readonly gatekeeper: Gatekeeper;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Beside those of the services: the console, health, figures. */
  readonly routes?: readonly HttpRoute[];
}

/** The largest AWS request: far above any service's own limit. */
const bodyLimit = 16 * 1024 * 1024;
const bodyTimeout = 60_000;

export interface Answerer {
  request(request: IncomingMessage, response: ServerResponse): Promise<void>;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** Who signed a request whose body is not part of that. Throws Fault. */
  admit(request: IncomingMessage): Promise<Caller>;
}

/** What one request's answer is made of; grows as more of the request is understood. */
interface Exchange {
  readonly requestId: string;
  readonly wire: WireRequest;
  target: Target;
}

/** Answers every request that is not for a route: from the bytes to an operation and back. */
export function answerer({ settings, services, gatekeeper, log, clock, random }: WireServerOptions): Answerer {
  const dispatch = dispatcher(services);
  const authenticate = authenticator(settings, gatekeeper, clock);
  const upgrades = services.flatMap((service) => service.upgrades ?? []);

  const contextOf = (request: IncomingMessage, requestId: string, caller: Caller): RequestContext => {
    const sourceIp = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const facts = {
      region: settings.region,
      sourceIp,
      secureTransport: secureTransport(request.socket),
      userAgent: request.headers['user-agent'] ?? '',
    };
    return {
      requestId,
      caller,
      region: settings.region,
      accountId: caller.accountId,
      sourceIp,
      endpoint: `http://${hostOf(request)}`,
      authorize: async (access) => {
        if (settings.auth === 'on') await gatekeeper.authorize(caller, access, facts);
      },
    };
  };

  /** Everything between the whole request and its answer. Throws Fault and DecodeProblem for the caller to see. */
  const perform = async (
    exchange: Exchange,
    request: IncomingMessage,
    signed: SignedRequest,
    early: Fault | DecodeProblem | undefined,
  ): Promise<WireResponse> => {
    if (early) throw early;
    const { target } = exchange;
    const { api, operation, speech } = target;
    const model = operation === undefined ? undefined : api!.model.operations[operation]!;
    const signature = authenticate.signature(signed);
    const open = model?.auth === 'none' && !signature;
    const caller = open
      ? anonymous(settings.accountId)
      : await authenticate.caller(signed, signature, api?.signingName);
    if (target.fault) throw target.fault;
    const codec = api!.codec(speech);
    const input = codec.readInput(operation!, exchange.wire);
    const violations = api!.validate(operation!, input);
    if (violations.length > 0)
      throw validationFault(violations, api!.metadata.serviceId, familyOf(api!.metadata.serviceId, speech.protocol));

    const context = contextOf(request, exchange.requestId, caller);
    const handler = api!.definition.operations[operation!]!;
    if (!open)
      await authorizeAll(await handler.access(input, context), `${api!.definition.iamPrefix}:${operation}`, context);
    if (speech.protocol === 'ec2' && input.DryRun === true) {
      throw new Fault('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', {}, 412);
    }
    return codec.writeOutput(operation!, (await handler.handle(input, context)) ?? {}, exchange.requestId);
  };

  const writeFailure = (error: unknown, { target, requestId, wire }: Exchange): WireResponse => {
    const { api, speech } = target;
    let fault: Fault;
    if (error instanceof Fault) fault = error;
    else if (error instanceof DecodeProblem) fault = decodeFault(error);
    else {
      log.error(
        { err: error, requestId, service: api?.definition.name, operation: target.operation },
        'An operation failed unexpectedly',
      );
      fault = new Fault(
        'InternalFailure',
        isDiskFull(error)
          ? 'The disk on which Longshore keeps its state is full: nothing was changed. Make room in its data directory, then try again.'
          : `The request processing has failed because of an unknown error. Request id: ${requestId}`,
      );
    }
    const family = familyOf(api?.metadata.serviceId ?? '', speech.protocol);
    const codec = api
      ? api.codec(speech)
      : makeCodec(emptyModel(speech.protocol), speech.protocol, speech.jsonVersion ?? '1.1');
    return codec.writeError(toWireError(fault, api?.model, family, target.operation), requestId, wire);
  };

  return {
    async request(request, response) {
      const started = clock.now();
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const path = mark < 0 ? url : url.slice(0, mark);
      const query = mark < 0 ? '' : url.slice(mark + 1);
      let body: Buffer = Buffer.alloc(0);
      let content = body;
      let early: Fault | DecodeProblem | undefined;
      try {
        body = await readBody(request, bodyLimit, bodyTimeout);
        const encoding = request.headers['content-encoding'];
        content = encoding === undefined ? body : await decodeContent(body, encoding, bodyLimit);
      } catch (error) {
        if (!(error instanceof Fault || error instanceof DecodeProblem)) throw error;
        early = error;
      }
      const wire: WireRequest = {
        method: request.method ?? 'GET',
        path,
        query: new URLSearchParams(query),
        headers: request.headers,
        body: content,
      };
      const signed: SignedRequest = { method: wire.method, path, query, headers: request.headers, body };
      const exchange: Exchange = { requestId: random.uuid(), wire, target: { speech: guessSpeech(wire) } };
      let answer: WireResponse;
      try {
        exchange.target = dispatch(wire, scopeService(request, wire.query));
        answer = await perform(exchange, request, signed, early);
      } catch (error) {
        if (error instanceof ClientGone) throw error;
        answer = writeFailure(error, exchange);
      }
      send(response, answer, exchange.requestId, early !== undefined && !request.readableEnded);
      const { api, operation } = exchange.target;
      log.debug(
        {
          requestId: exchange.requestId,
          service: api?.definition.name,
          operation,
          status: answer.status,
          ms: clock.now() - started,
        },
        'Answered',
      );
    },

    async admit(request) {
      const signed = withoutBody(request);
      return authenticate.caller(signed, authenticate.signature(signed), undefined);
    },

    async upgrade(request, socket, head) {
      const path = pathOf(request);
      const signed = withoutBody(request);
      const requestId = random.uuid();
      const route: UpgradeRoute | undefined = upgrades.find((candidate) => trimmed(candidate.path) === trimmed(path));
      try {
        if (!route)
          throw new Fault('UnknownOperationException', `No WebSocket is served at ${path.slice(0, 200)}`, {}, 404);
        const caller = await authenticate.caller(signed, authenticate.signature(signed), undefined);
        await route.handle(request, socket, head, caller);
      } catch (error) {
        const target: Target = { speech: { protocol: 'rest-json' } };
        const wire: WireRequest = { ...signed, query: new URLSearchParams(signed.query), body: Buffer.alloc(0) };
        const { status, headers, body } = writeFailure(error, { requestId, wire, target });
        const lines = Object.entries({ ...headers, 'x-amzn-requestid': requestId }).map(
          ([name, value]) => `${name}: ${value}\r\n`,
        );
        socket.end(
          `HTTP/1.1 ${status} Refused\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body as string)}\r\nConnection: close\r\n\r\n${body}`,
        );
      }
    },
  };
}

function withoutBody(request: IncomingMessage): SignedRequest {
  const path = pathOf(request);
  return {
    method: request.method ?? 'GET',
    path,
    query: (request.url ?? '/').slice(path.length + 1),
    headers: request.headers,
    body: undefined,
  };
}

async function authorizeAll(accesses: readonly Access[], action: string, context: RequestContext): Promise<void> {
  for (const access of accesses) await context.authorize({ action, ...access } as Access & { action: string });
}

function send(
  response: ServerResponse,
  { status, headers, body }: WireResponse,
  requestId: string,
  close: boolean,
): void {
  if (response.destroyed) return;
  const length = String(typeof body === 'string' ? Buffer.byteLength(body) : body.length);
  response.writeHead(status, {
    'x-amzn-requestid': requestId,
    // Only an answer to HEAD states another length than it has.
    ...(status !== 204 && status !== 304 && { 'content-length': length }),
    ...headers,
    ...(body.length > 0 && { 'content-length': length }),
    // What is left of a body that was too large is not worth reading.
    ...(close && { connection: 'close' }),
  });
  response.end(body);
}

function anonymous(accountId: string): Caller {
  return { accountId, arn: 'anonymous', userId: 'anonymous', type: 'anonymous' };
}

/** The service in the credential's scope, unchecked: it only helps to find whom the request is for. */
function scopeService({ headers }: IncomingMessage, query: URLSearchParams): string | undefined {
  const credential = /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1] ?? query.get('X-Amz-Credential');
  return credential?.split('/').at(-2);
}

/** How to write an error before the request is understood. */
function guessSpeech({ headers, query }: WireRequest): Speech {
  if (headers['x-amz-target'] !== undefined) return { protocol: 'json' };
  if (headers['smithy-protocol'] !== undefined) return { protocol: 'smithy-rpc-v2-cbor' };
  const isQuery = headers['content-type']?.startsWith('application/x-www-form-urlencoded') || query.has('Action');
  return { protocol: isQuery ? 'query' : 'rest-json' };
}

function hostOf(request: IncomingMessage): string {
  const { host } = request.headers;
  if (host !== undefined && /^[A-Za-z0-9.[\]:_-]{1,255}$/.test(host)) return host;
  return `${request.socket.localAddress}:${request.socket.localPort}`;
}

function trimmed(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** A request's path as sent, without the query. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}
