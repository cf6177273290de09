import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { answerer, pathOf, type WireServerOptions } from './answer.ts';
import { ClientGone } from './body.ts';
import { Fault } from './fault.ts';
import type { HttpRoute } from './service.ts';

export type { WireServerOptions } from './answer.ts';

export interface WireServer {
  /** Throws an Error in plain words where the port is taken. */
  listen(): Promise<{ readonly port: number }>;
  /** Answers what is under way for at most five seconds, then closes every connection. */
  close(): Promise<void>;
  readonly server: Server;
}

const closeTimeout = 5_000;

/** One HTTP server that speaks every service's protocol on one port. */
export function createWireServer(options: WireServerOptions): WireServer {
  const { settings, log } = options;
  const answer = answerer(options);
  const routes = [...(options.routes ?? []), ...options.services.flatMap((service) => service.routes ?? [])].sort(
    (a, b) => b.prefix.length - a.prefix.length,
  );
  const server = createServer({
    keepAliveTimeout: 65_000,
    headersTimeout: 20_000,
    requestTimeout: 0,
    maxHeaderSize: 64 * 1024,
  });
  const upgraded = new Set<Duplex>();

  server.on('request', (request, response) => {
    const path = pathOf(request);
    // AWS's own requests are never for a route, whatever their path: S3 has buckets named `v2`. Those that want a signature have paths that no bucket has.
    const aws = isAwsRequest(request);
    const route = routes.find(({ prefix, signedBy }) => path.startsWith(prefix) && (signedBy !== undefined || !aws));
    const work = route ? serve(route, request, response) : answer.request(request, response);
    work.catch((error: unknown) => {
      if (error instanceof ClientGone || response.destroyed) return request.destroy();
      log.error({ err: error, path }, 'A request failed');
      if (response.headersSent) return response.destroy();
      response.writeHead(500, { 'content-type': 'text/plain' }).end('Internal failure\n');
    });
  });
  async function serve(route: HttpRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (route.signedBy === 'root') {
      try {
        const { arn, type } = await answer.admit(request);
        if (type !== 'root') {
          throw new Fault('AccessDeniedException', `User: ${arn} is not the account's root, who alone may ask this.`);
        }
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        const body = JSON.stringify({ __type: error.code, message: error.message });
        response.writeHead(403, { 'content-type': 'application/json', connection: 'close' }).end(body);
        return;
      }
    }
    return route.handle(request, response);
  }

  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    answer.upgrade(request, socket, head).catch((error: unknown) => {
      log.error({ err: error, path: pathOf(request) }, 'A WebSocket upgrade failed');
      socket.destroy();
    });
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });

  return {
    server,
    listen: () => listen(server, settings),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of upgraded) socket.destroy();
      server.closeIdleConnections();
      // A connection is idle once its last request is answered; nothing tells when.
      const sweep = setInterval(() => server.closeIdleConnections(), 20);
      const end = setTimeout(() => server.closeAllConnections(), closeTimeout);
      await closed;
      clearInterval(sweep);
      clearTimeout(end);
    },
  };
}

function listen(server: Server, { port, host }: { port: number; host: string }): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      server.off('listening', onListening);
      reject(plainListenError(error, port, host));
    };
    const onListening = () => {
      server.off('error', onError);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port });
    };
    server.once('error', onError).once('listening', onListening);
    server.listen(port, host);
  });
}

function plainListenError(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const said: Record<string, string> = {
    EADDRINUSE: `Port ${port} on ${host} is taken by another program: stop that one, or start Longshore with --port and another number.`,
    EACCES: `Port ${port} on ${host} needs privileges that Longshore does not have: start it as root, or with --port and a number above 1023.`,
    EADDRNOTAVAIL: `This machine has no address ${host}: start Longshore with --host and one that it has.`,
  };
  return new Error(said[error.code ?? ''] ?? `Longshore can't listen on ${host} port ${port}: ${error.message}`, {
    cause: error,
  });
}

function isAwsRequest({ headers, url = '' }: IncomingMessage): boolean {
  return (
    headers['x-amz-target'] !== undefined ||
    headers['smithy-protocol'] !== undefined ||
    (headers.authorization?.startsWith('AWS4-') ?? false) ||
    url.includes('X-Amz-Signature=')
  );
}
