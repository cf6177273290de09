import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Envelope, PayloadTask } from '../../protocol/payload.ts';

type Json = Record<string, unknown>;

export interface Submitted {
  readonly task: string;
  readonly status: string;
  readonly reason?: string;
  readonly containers: {
    containerName: string;
    status: string;
    exitCode?: number;
    reason?: string;
    runtimeId?: string;
    imageDigest?: string;
  }[];
  readonly pullStartedAt?: number;
  readonly executionStoppedAt?: number;
  /** When it came, in milliseconds. */
  readonly at: number;
}

/** The server's end of the node protocol, as little as the node needs, recording what it is told. */
export class TestControlPlane {
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  #socket: WebSocket | undefined;
  readonly calls: { readonly operation: string; readonly input: Json }[] = [];
  readonly submitted: Submitted[] = [];
  readonly messages: Envelope<Json>[] = [];
  readonly connections: URL[] = [];
  /** Log groups that exist, and the lines of each stream. */
  readonly groups = new Set<string>(['/logs']);
  readonly lines = new Map<string, string[]>();
  /** Operations that answer an error: its code. */
  readonly failing = new Map<string, string>();
  readonly instanceArn = 'arn:aws:ecs:us-east-1:000000000000:container-instance/c/1234';
  #sequence = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
      });
    });
    this.#server.on('upgrade', (request, socket, head) =>
      this.#sockets.handleUpgrade(request, socket, head, (ws) => {
        this.connections.push(new URL(request.url ?? '', 'http://x'));
        this.#socket = ws;
        ws.on('message', (data) => this.messages.push(JSON.parse(data.toString()) as Envelope<Json>));
      }),
    );
  }

  /** Opens on a free port, or on the given one. */
  static async open(port = 0): Promise<TestControlPlane> {
    const plane = new TestControlPlane();
    await new Promise<void>((resolve) => plane.#server.listen(port, '127.0.0.1', resolve));
    return plane;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  send(type: string, message: object): void {
    this.#socket?.send(JSON.stringify({ type, message }));
  }

  order(...tasks: readonly PayloadTask[]): void {
    this.send('PayloadMessage', {
      clusterArn: 'c',
      containerInstanceArn: this.instanceArn,
      messageId: `payload-${++this.#sequence}`,
      generatedAt: Date.now(),
      seqNum: this.#sequence,
      tasks,
    });
  }

  /** Ends the session, as a server that goes away does. */
  drop(): void {
    this.#socket?.terminate();
  }

  async until<T>(what: string, find: () => T | undefined | false, timeoutMs = 10_000): Promise<T> {
    for (
      const begun = Date.now();
      Date.now() - begun < timeoutMs;
      await new Promise((resolve) => setTimeout(resolve, 5))
    ) {
      const found = find();
      if (found) return found;
    }
    throw new Error(`${what} did not come; submitted: ${JSON.stringify(this.submitted.slice(-3))}`);
  }

  /** Waits for a submitted status of a task. */
  status(arn: string, status: string, timeoutMs?: number): Promise<Submitted> {
    return this.until(
      `${status} of ${arn}`,
      () => this.submitted.find((one) => one.task === arn && one.status === status),
      timeoutMs,
    );
  }

  connected(count = 1): Promise<boolean> {
    return this.until('a session', () => this.connections.length >= count && this.#socket?.readyState === 1);
  }

  async close(): Promise<void> {
    this.drop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const input = JSON.parse(Buffer.concat(parts).toString() || '{}') as Json;
    this.calls.push({ operation, input });
    const failure = this.failing.get(operation);
    if (failure)
      return {
        status: failure === 'ServerException' ? 500 : 400,
        body: { __type: failure, message: 'as the test wants' },
      };
    return this.#operation(operation, input);
  }

  #operation(operation: string, input: Json): { status: number; body: unknown } {
    const ok = (body: unknown = {}) => ({ status: 200, body });
    const missing = {
      status: 400,
      body: { __type: 'ResourceNotFoundException', message: 'The specified log group does not exist.' },
    };
    const group = String(input.logGroupName);
    const stream = `${group}:${input.logStreamName}`;
    switch (operation) {
      case 'RegisterContainerInstance':
        return ok({ containerInstance: { containerInstanceArn: this.instanceArn, attributes: input.attributes } });
      case 'DiscoverPollEndpoint':
        return ok({ endpoint: `${this.endpoint}/acs` });
      case 'SubmitTaskStateChange':
        this.submitted.push({ ...(input as unknown as Submitted), at: performance.now() });
        return ok({ acknowledgment: 'OK' });
      case 'GetAuthorizationToken':
        return ok({
          authorizationData: [
            { authorizationToken: Buffer.from('AWS:secret').toString('base64'), expiresAt: Date.now() / 1000 + 43_200 },
          ],
        });
      case 'CreateLogGroup':
        this.groups.add(group);
        return ok();
      case 'CreateLogStream':
        if (!this.groups.has(group)) return missing;
        if (this.lines.has(stream))
          return { status: 400, body: { __type: 'ResourceAlreadyExistsException', message: '' } };
        this.lines.set(stream, []);
        return ok();
      case 'PutLogEvents':
        if (!this.lines.has(stream)) return missing;
        this.lines.get(stream)!.push(...(input.logEvents as { message: string }[]).map(({ message }) => message));
        return ok({});
      default:
        return { status: 400, body: { __type: 'UnknownOperationException', message: operation } };
    }
  }
}
