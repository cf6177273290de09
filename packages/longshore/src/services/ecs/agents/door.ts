import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { Fault } from '../../../wire/fault.ts';
import type { Caller, UpgradeRoute } from '../../../wire/service.ts';
import { secureTransport } from '../../../wire/transport.ts';
import type { EcsParts } from '../parts.ts';

/** A path where agents open sessions: lets in whoever may do `action` for an instance that is registered. */
export type AgentDoor = (
  path: string,
  action: string,
  open: (ws: WebSocket, query: URLSearchParams) => void,
) => UpgradeRoute;

/** `closed`: why nobody is let in just now; undefined where the door is open. */
export function agentDoor(
  parts: EcsParts,
  sockets: WebSocketServer,
  closed: () => 'starting' | 'stopping' | undefined,
): AgentDoor {
  const { store, iam, settings, log } = parts;

  async function admit(request: IncomingMessage, caller: Caller, action: string, instance: string): Promise<void> {
    const facts = {
      region: settings.region,
      sourceIp: request.socket.remoteAddress ?? '',
      secureTransport: secureTransport(request.socket),
      userAgent: request.headers['user-agent'] ?? '',
    };
    await iam.gatekeeper.authorize(caller, { action, resource: instance }, facts);
    const row = await store.db.selectFrom('ecs_instances').selectAll().where('arn', '=', instance).executeTakeFirst();
    if (!row) throw new Fault('InvalidInstanceException', `The container instance ${instance} is not registered.`);
    if (row.status === 'INACTIVE')
      throw new Fault('InactiveInstanceException', `The container instance ${instance} is deregistered.`);
    const reason = closed();
    if (reason) throw new Fault('ServerException', `Longshore is ${reason}: try again.`);
  }

  async function upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    caller: Caller,
    action: string,
    open: (ws: WebSocket, query: URLSearchParams) => void,
  ): Promise<void> {
    const query = new URL(request.url ?? '/', 'http://agents').searchParams;
    try {
      await admit(request, caller, action, query.get('containerInstanceArn') ?? query.get('containerInstance') ?? '');
    } catch (error) {
      const { code, message } =
        error instanceof Fault ? error : new Fault('ServerException', 'The session could not be opened.');
      if (!(error instanceof Fault)) log.error({ err: error }, "an agent's session could not be opened");
      const body = JSON.stringify({ [code]: message });
      const status =
        code === 'ServerException'
          ? '500 Internal Server Error'
          : code.startsWith('AccessDenied')
            ? '403 Forbidden'
            : '400 Bad Request';
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (ws) => open(ws, query));
  }

  return (path, action, open) => ({
    path,
    handle: (request, socket, head, caller) => upgrade(request, socket, head, caller, action, open),
  });
}
