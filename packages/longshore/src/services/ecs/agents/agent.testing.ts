import {
  DiscoverPollEndpointCommand,
  ECSClient,
  RegisterContainerInstanceCommand,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';
import { WebSocket } from 'ws';
// biome-ignore lint/style/noRestrictedImports: the pretend agent signs its upgrade as the real one does.
import { sign } from '../../../node/session/sigv4.ts';
import type { DocumentMessage, LoadBalancersDocument } from '../../../protocol/documents.ts';
import type { Envelope, PayloadTask } from '../../../protocol/payload.ts';
import { type EcsBench, region } from '../ecs.testing.ts';

/** What the pretend agent does with a task. */
export type Behaviour = (agent: TestAgent, task: PayloadTask) => Promise<void>;

/** Runs every task at once, and stops it at once when told. */
export const obedient: Behaviour = async (agent, task) => {
  if (task.desiredStatus === 'STOPPED') return agent.report(task.arn, 'STOPPED', { exitCode: 143 });
  await agent.report(task.arn, 'PENDING');
  await agent.report(task.arn, 'RUNNING');
};

/** A pretend agent: the node protocol of the real one, over a real WebSocket, with nothing behind it. */
export class TestAgent {
  readonly received: Envelope[] = [];
  readonly tasks = new Map<string, PayloadTask>();
  behaviour: Behaviour = obedient;
  /** Whether payloads are acknowledged. */
  acks = true;
  /** What is said of a target, by `ADDRESS:PORT`; what is not here is healthy, and drained at once. */
  readonly targets = new Map<string, 'initial' | 'healthy' | 'unhealthy' | 'draining' | 'drained'>();
  arn = '';
  readonly #bench: EcsBench;
  readonly #client: ECSClient;
  readonly #work = new Set<Promise<unknown>>();
  #socket: WebSocket | undefined;
  #first = true;

  constructor(bench: EcsBench) {
    this.#bench = bench;
    this.#client = new ECSClient({
      endpoint: bench.endpoint,
      region,
      credentials: bench.nodeCredentials,
      maxAttempts: 1,
    });
  }

  async register(
    resources: { readonly cpu: number; readonly memory: number } = { cpu: 4096, memory: 8192 },
  ): Promise<void> {
    const { containerInstance } = await this.#client.send(
      new RegisterContainerInstanceCommand({
        cluster: 'longshore-fargate',
        ...(this.arn && { containerInstanceArn: this.arn }),
        attributes: [{ name: 'ecs.os-type', value: 'linux' }, { name: 'test.only' }],
        totalResources: [
          { name: 'CPU', type: 'INTEGER', integerValue: resources.cpu },
          { name: 'MEMORY', type: 'INTEGER', integerValue: resources.memory },
        ],
      }),
    );
    this.arn = containerInstance?.containerInstanceArn ?? '';
  }

  async url(): Promise<URL> {
    const { endpoint } = await this.#client.send(
      new DiscoverPollEndpointCommand({ cluster: 'longshore-fargate', containerInstance: this.arn }),
    );
    const url = new URL(`${endpoint}/ws`);
    const query = {
      agentHash: 'test',
      agentVersion: '1',
      clusterArn: 'longshore-fargate',
      containerInstanceArn: this.arn,
      protocolVersion: '2',
      sendCredentials: String(this.#first),
      seqNum: '1',
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  async connect(): Promise<void> {
    const url = await this.url();
    const headers = sign({ method: 'GET', url, headers: {} }, this.#bench.nodeCredentials, {
      service: 'ecs',
      region,
      now: Date.now(),
    });
    const address = new URL(url);
    address.protocol = 'ws:';
    const socket = new WebSocket(address, { headers });
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(data.toString()) as Envelope));
    await new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
      socket.on('unexpected-response', (_, response) => {
        let body = '';
        response.on('data', (part) => {
          body += part;
        });
        response.on('end', () => reject(new Error(`${response.statusCode} ${body}`)));
      });
    });
    this.#first = false;
  }

  async report(
    task: string,
    status: string,
    container: { readonly exitCode?: number; readonly reason?: string } = {},
    reason?: string,
  ): Promise<void> {
    const known = this.tasks.get(task);
    await this.#client.send(
      new SubmitTaskStateChangeCommand({
        cluster: 'longshore-fargate',
        task,
        status,
        ...(reason && { reason }),
        containers: (known?.containers ?? []).map((one) => ({
          containerName: one.name,
          status,
          runtimeId: `rt-${one.name}`,
          imageDigest: 'sha256:abc',
          ...container,
        })),
        ...(status === 'RUNNING' && { pullStartedAt: new Date(), pullStoppedAt: new Date() }),
      }),
    );
  }

  /** The types of what was received, in order. */
  types(): string[] {
    return this.received.map((envelope) => envelope.type);
  }

  send(type: string, message: object): void {
    this.#socket?.send(JSON.stringify({ type, message }));
  }

  /** Says of every target what `targets` says. */
  observe(): void {
    const document = this.received.findLast(
      (one) => one.type === 'LongshoreDocumentMessage' && (one.message as DocumentMessage).kind === 'load-balancers',
    )?.message as DocumentMessage<LoadBalancersDocument> | undefined;
    const loadBalancers = (document?.document.loadBalancers ?? []).map((balancer) => ({
      arn: balancer.arn,
      state: 'active',
      targets: balancer.targetGroups.flatMap((group) =>
        group.targets.map((target) => ({
          targetGroupArn: group.arn,
          id: target.id,
          port: target.port,
          state: target.draining
            ? this.targets.get(`${target.id}:${target.port}`) === 'draining'
              ? 'draining'
              : 'drained'
            : (this.targets.get(`${target.id}:${target.port}`) ?? 'healthy'),
        })),
      ),
    }));
    this.send('LongshoreObservation', { messageId: 'm', loadBalancers });
  }

  get closed(): Promise<number> {
    return new Promise((resolve) => this.#socket?.on('close', resolve));
  }

  async disconnect(): Promise<void> {
    const socket = this.#socket;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    await new Promise((resolve) => {
      socket.on('close', resolve);
      socket.close();
    });
  }

  async close(): Promise<void> {
    this.#socket?.terminate();
    await Promise.allSettled(this.#work);
    this.#client.destroy();
  }

  #receive(envelope: Envelope): void {
    this.received.push(envelope);
    const message = envelope.message as { readonly messageId: string };
    if (envelope.type === 'PayloadMessage') {
      if (!this.acks) return;
      this.send('AckRequest', {
        cluster: 'longshore-fargate',
        containerInstance: this.arn,
        messageId: message.messageId,
      });
      for (const task of (envelope.message as { readonly tasks: readonly PayloadTask[] }).tasks) {
        if (task.desiredStatus === 'RUNNING') {
          if (this.tasks.has(task.arn)) continue;
          this.tasks.set(task.arn, task);
        }
        const work = this.behaviour(this, task).catch((error: unknown) =>
          this.received.push({ type: 'ERROR', message: String(error) }),
        );
        this.#work.add(work);
      }
    } else if (envelope.type === 'LongshoreDocumentMessage') {
      const { kind, version } = envelope.message as DocumentMessage;
      this.send('LongshoreDocumentAck', { messageId: message.messageId, kind, version });
      if (kind === 'load-balancers') this.observe();
    } else if (envelope.type === 'TaskManifestMessage')
      this.send('AckRequest', {
        cluster: 'longshore-fargate',
        containerInstance: this.arn,
        messageId: message.messageId,
      });
    else if (envelope.type === 'IAMRoleCredentialsMessage')
      this.send('IAMRoleCredentialsAckRequest', { messageId: message.messageId });
  }
}

/** An agent of a machine with room, registered and connected. */
export async function joinAgent(
  bench: EcsBench,
  resources?: { readonly cpu: number; readonly memory: number },
): Promise<TestAgent> {
  const agent = new TestAgent(bench);
  await agent.register(resources);
  await agent.connect();
  return agent;
}
