import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Controller } from '../../../base/controller.ts';
import type { ObservationMessage } from '../../../protocol/documents.ts';
import type { Envelope, TaskStopVerificationMessage } from '../../../protocol/payload.ts';
import type { Watch } from '../../../state/store.ts';
import { Fault } from '../../../wire/fault.ts';
import type { Caller, UpgradeRoute } from '../../../wire/service.ts';
import { secureTransport } from '../../../wire/transport.ts';
import { definitionOf } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import type { TaskRow } from '../tables.ts';
import { type Connection, openConnection } from './connection.ts';
import type { CredentialsKeeper, RoleType } from './credentials.ts';
import { type DocumentPublisher, documentPublisher, type Published } from './documents.ts';
import { openEpoch } from './epoch.ts';
import { runPayload, stopPayload } from './payload.ts';
import { answerTelemetry } from './telemetry.ts';

/** Where agents connect; DiscoverPollEndpoint answers these without the `/ws` that agents add. */
export const acsPath = '/ecs/acs';
export const tcsPath = '/ecs/tcs';

const maxFrame = 4 * 1024 * 1024;
const refreshEveryMs = 60_000;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

type AgentMessage = Envelope<{ readonly messageId?: string }>;

function parse(text: string): AgentMessage | undefined {
  try {
    const envelope = JSON.parse(text) as AgentMessage;
    return typeof envelope?.type === 'string' && typeof envelope.message === 'object' ? envelope : undefined;
  } catch {
    return undefined;
  }
}

/** The server's end of the agents' sessions. */
export interface AgentGateway {
  readonly upgrades: readonly UpgradeRoute[];
  readonly controller: Controller;
  /**
   * Tells the tasks' agents what is desired of them now. Resolves when it is on its way; where an agent is away, it is told
   * when it connects again. What can't be sent, e.g. because a role can't be assumed, is tried again.
   */
  dispatch(taskArns: readonly string[]): Promise<void>;
  connected(instanceArn: string): boolean;
}

export function agentGateway(
  parts: EcsParts,
  credentials: CredentialsKeeper,
  onHealth: (
    taskArn: string,
    containers: readonly { readonly name: string; readonly status: string }[],
  ) => Promise<void>,
): AgentGateway {
  const { store, clock, random, iam, ec2, elbv2, settings } = parts;
  const log = parts.log.child({ part: 'agents' });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrame, perMessageDeflate: false });
  const connections = new Map<string, Connection>();
  const sources = [ec2.networks, elbv2.loadBalancers, elbv2.names];
  let next: () => number = () => 0;
  let documents: DocumentPublisher | undefined;
  let watch: Watch | undefined;
  let cancelRefresh = () => {};
  let stopped = false;

  const endpoint = () => `http://${settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host}:${settings.port}`;
  const sendDocument = (connection: Connection, document: Published) =>
    connection.sendUntilAcked(
      'LongshoreDocumentMessage',
      { messageId: random.uuid(), ...document },
      `document ${document.kind}`,
    );

  async function payloadFor(row: TaskRow) {
    const definition = await store.db
      .selectFrom('ecs_task_definitions')
      .selectAll()
      .where('arn', '=', row.taskDefinitionArn)
      .executeTakeFirstOrThrow();
    if (row.desiredStatus === 'STOPPED') return stopPayload(row, definition.revision, definition.accountId);
    const { task, execution } = await credentials.of(row);
    return runPayload(row, definitionOf(definition), definition.revision, {
      region: settings.region,
      accountId: definition.accountId,
      endpoint: endpoint(),
      port: settings.port,
      ...(task && { roleCredentials: task }),
      ...(execution && { executionRoleCredentials: execution }),
    });
  }

  async function sendTasks(connection: Connection, rows: readonly TaskRow[]): Promise<void> {
    const payloads = await Promise.all(rows.map((row) => payloadFor(row)));
    if (payloads.some((payload) => payload.desiredStatus === 'RUNNING')) await documents?.refresh(['networks']);
    for (const task of payloads) {
      const message = {
        clusterArn: connection.clusterArn,
        containerInstanceArn: connection.instanceArn,
        messageId: random.uuid(),
        generatedAt: clock.now(),
        seqNum: next(),
        tasks: [task],
      };
      connection.sendUntilAcked('PayloadMessage', message, `task ${task.arn}`);
    }
  }

  /** What an agent must be told of a task: to start it until it runs, to stop it once nothing is sent to it any more. */
  const mustSend = (row: TaskRow) =>
    row.desiredStatus === 'RUNNING'
      ? row.lastStatus === 'PROVISIONING' || row.lastStatus === 'PENDING'
      : !['DEPROVISIONING', 'STOPPED'].includes(row.lastStatus) &&
        (row.targets === 'none' || row.targets === 'waiting' || row.targets === 'gone');

  async function dispatch(taskArns: readonly string[], retryMs = firstRetryMs): Promise<void> {
    if (taskArns.length === 0) return;
    const rows = await store.db.selectFrom('ecs_tasks').selectAll().where('arn', 'in', taskArns).execute();
    const byInstance = Map.groupBy(rows.filter(mustSend), (row) => row.instanceArn ?? '');
    await Promise.all(
      [...byInstance].map(async ([arn, mine]) => {
        const connection = connections.get(arn);
        if (connection) await sendTasks(connection, mine).catch((error: unknown) => sendLater(mine, error, retryMs));
      }),
    );
  }

  /** A document that could not be composed, or a role that could not be assumed, may be mended: it is tried again, ever less often. */
  function sendLater(rows: readonly TaskRow[], error: unknown, retryMs: number): void {
    const tasks = rows.map((row) => row.arn);
    log.error({ err: error, tasks, retryMs }, 'tasks could not be sent to their agent');
    clock.after(retryMs, () => {
      if (stopped) return;
      dispatch(tasks, Math.min(retryMs * 2, longestRetryMs)).catch((again: unknown) => sendLater(rows, again, retryMs));
    });
  }

  async function sendCredentials(connection: Connection, rows: readonly TaskRow[]): Promise<void> {
    for (const row of rows) {
      try {
        const { task, execution } = await credentials.of(row);
        const each: readonly (readonly [RoleType, typeof task])[] = [
          ['TaskApplication', task],
          ['TaskExecution', execution],
        ];
        for (const [roleType, roleCredentials] of each) {
          if (!roleCredentials) continue;
          const message = {
            messageId: random.uuid(),
            taskArn: row.arn,
            taskClusterArn: row.clusterArn,
            roleType,
            roleCredentials,
          };
          connection.sendUntilAcked('IAMRoleCredentialsMessage', message, `${roleType} ${row.arn}`);
        }
      } catch (error) {
        log.warn(
          { err: error, task: row.arn },
          "a task's role could not be assumed: it keeps the credentials that it has",
        );
      }
    }
  }

  const tasksOf = (instanceArn: string) =>
    store.db
      .selectFrom('ecs_tasks')
      .selectAll()
      .where('instanceArn', '=', instanceArn)
      .where('lastStatus', '!=', 'STOPPED')
      .execute();

  /** Everything that an agent must know when its session begins. */
  async function welcome(connection: Connection, sendAllCredentials: boolean): Promise<void> {
    await documents?.refresh();
    const rows = await tasksOf(connection.instanceArn);
    const message = {
      clusterArn: connection.clusterArn,
      containerInstanceArn: connection.instanceArn,
      messageId: random.uuid(),
      generatedAt: clock.now(),
      timeline: next(),
      tasks: rows
        .filter((row) => row.lastStatus !== 'DEPROVISIONING')
        .map((row) => ({
          taskArn: row.arn,
          taskClusterArn: row.clusterArn,
          // Until its targets have drained, a task that is to stop goes on running.
          desiredStatus: row.desiredStatus === 'STOPPED' && mustSend(row) ? 'STOPPED' : 'RUNNING',
        })),
    };
    connection.sendUntilAcked('TaskManifestMessage', message, 'manifest');
    if (sendAllCredentials)
      await sendCredentials(
        connection,
        rows.filter((row) => !mustSend(row)),
      );
    for (const row of rows.filter(mustSend)) {
      await sendTasks(connection, [row]).catch((error: unknown) => sendLater([row], error, firstRetryMs));
    }
  }

  async function setConnected(instanceArn: string, connected: boolean): Promise<void> {
    await store.transaction(async (tx) => {
      await tx.db
        .updateTable('ecs_instances')
        .set((eb) => ({ agentConnected: connected ? 1 : 0, agentSeenAt: clock.now(), version: eb('version', '+', 1) }))
        .where('arn', '=', instanceArn)
        .execute();
      tx.changed('ecs.instance', instanceArn);
    });
  }

  async function receive(connection: Connection, { type, message }: AgentMessage): Promise<void> {
    switch (type) {
      case 'AckRequest':
      case 'IAMRoleCredentialsAckRequest':
      case 'HeartbeatAckRequest':
        return connection.acked(message.messageId ?? '');
      case 'LongshoreDocumentAck': {
        const { error, kind } = message as { readonly error?: string; readonly kind?: string };
        if (error) log.warn({ kind, error, instance: connection.instanceArn }, 'an agent could not apply a document');
        return connection.acked(message.messageId ?? '');
      }
      case 'LongshoreObservation':
        return elbv2.observed((message as unknown as ObservationMessage).loadBalancers);
      case 'TaskStopVerificationMessage':
        return verifyStops(connection, message as unknown as TaskStopVerificationMessage);
      default:
        log.debug({ type }, 'an agent sent a message of a type that is not known here');
    }
  }

  /** Tells which of the tasks that the manifest lacked really are to stop: those that are unknown, stopped, or another's. */
  async function verifyStops(connection: Connection, message: TaskStopVerificationMessage): Promise<void> {
    const arns = message.stopCandidates.map((candidate) => candidate.taskArn);
    const known =
      arns.length === 0 ? [] : await store.db.selectFrom('ecs_tasks').selectAll().where('arn', 'in', arns).execute();
    const running = new Set(
      known
        .filter(
          (row) =>
            row.instanceArn === connection.instanceArn &&
            row.lastStatus !== 'STOPPED' &&
            !(row.desiredStatus === 'STOPPED' && mustSend(row)),
        )
        .map((row) => row.arn),
    );
    connection.send('TaskStopVerificationAck', {
      messageId: message.messageId,
      generatedAt: clock.now(),
      stopTasks: message.stopCandidates.filter((candidate) => !running.has(candidate.taskArn)),
    });
  }

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
    if (stopped || !documents)
      throw new Fault('ServerException', `Longshore is ${stopped ? 'stopping' : 'starting'}: try again.`);
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

  function openAcs(ws: WebSocket, query: URLSearchParams): void {
    const instanceArn = query.get('containerInstanceArn') ?? '';
    const connection = openConnection({ clock, random, log }, ws, {
      instanceArn,
      clusterArn: instanceArn.replace(/:container-instance\/([^/]+)\/.*$/, ':cluster/$1'),
    });
    connections.get(instanceArn)?.close(1000, 'another session of this instance took its place');
    connections.set(instanceArn, connection);
    log.info({ instance: instanceArn }, 'an agent connected');
    // One message at a time, so that what an agent says takes effect in the order that it was said.
    let work: Promise<void> = Promise.resolve();
    const then = (what: string, run: () => Promise<void> | void) => {
      work = work.then(run).catch((error: unknown) => {
        // What is under way when Longshore stops meets a store that is closed.
        if (!stopped) log.error({ err: error, instance: instanceArn, what }, "an agent's session met an error");
      });
    };
    // Before anything else can be sent, and even where a change of them is being composed.
    for (const document of documents?.current() ?? []) sendDocument(connection, document);
    then('connect', () => setConnected(instanceArn, true));
    then('welcome', () => welcome(connection, query.get('sendCredentials') === 'true'));
    ws.on('message', (data) => {
      const envelope = parse(data.toString());
      if (!envelope) return log.warn({ instance: instanceArn }, 'an agent sent what is not a message');
      // Acknowledgements must not wait behind a welcome that is still being sent.
      if (/Ack(Request)?$/.test(envelope.type)) void receive(connection, envelope);
      else then(envelope.type, () => receive(connection, envelope));
    });
    ws.on('error', (error) => log.debug({ err: error, instance: instanceArn }, "an agent's session broke"));
    ws.on('close', () => {
      if (connections.get(instanceArn) !== connection) return;
      connections.delete(instanceArn);
      log.info({ instance: instanceArn }, 'an agent disconnected');
      if (!stopped)
        then('disconnect', async () => {
          if (!connections.has(instanceArn)) await setConnected(instanceArn, false);
        });
    });
  }

  async function refreshCredentials(): Promise<void> {
    const ageing = credentials.ageing();
    if (ageing.length === 0) return;
    const rows = await store.db
      .selectFrom('ecs_tasks')
      .selectAll()
      .where('arn', 'in', ageing)
      .where('lastStatus', '!=', 'STOPPED')
      .execute();
    const alive = new Set(rows.map((row) => row.arn));
    for (const arn of ageing) if (!alive.has(arn)) credentials.forget(arn);
    for (const [arn, mine] of Map.groupBy(rows, (row) => row.instanceArn ?? '')) {
      const connection = connections.get(arn);
      if (connection) await sendCredentials(connection, mine);
    }
  }

  function scheduleRefresh(): void {
    cancelRefresh = clock.after(refreshEveryMs, () => {
      refreshCredentials()
        .catch((error: unknown) => log.error({ err: error }, 'credentials of tasks could not be refreshed'))
        .finally(() => {
          if (!stopped) scheduleRefresh();
        });
    });
  }

  return {
    dispatch: (taskArns) => dispatch(taskArns),
    connected: (arn) => connections.has(arn),
    upgrades: [
      {
        path: `${acsPath}/ws`,
        handle: (request, socket, head, caller) => upgrade(request, socket, head, caller, 'ecs:Poll', openAcs),
      },
      {
        path: `${tcsPath}/ws`,
        handle: (request, socket, head, caller) =>
          upgrade(request, socket, head, caller, 'ecs:StartTelemetrySession', (ws) =>
            answerTelemetry(ws, { clock, random, log, onHealth }),
          ),
      },
    ],
    controller: {
      name: 'ecs-agents',
      async start() {
        stopped = false;
        next = await openEpoch(store);
        documents = documentPublisher(
          sources,
          next,
          (document) => {
            for (const connection of connections.values()) sendDocument(connection, document);
          },
          log,
        );
        await store.transaction(async (tx) => {
          await tx.db
            .updateTable('ecs_instances')
            .set({ agentConnected: 0, agentSeenAt: clock.now() })
            .where('agentConnected', '=', 1)
            .execute();
        });
        const kindsOf = new Map<string, Set<Published['kind']>>();
        for (const source of sources)
          for (const topic of source.topics) kindsOf.set(topic, (kindsOf.get(topic) ?? new Set()).add(source.kind));
        watch = store.watch([...kindsOf.keys()], async (changes) => {
          const kinds = new Set(changes.flatMap((change) => [...(kindsOf.get(change.topic) ?? [])]));
          await documents?.refresh([...kinds]);
        });
        await documents.refresh();
        scheduleRefresh();
      },
      async stop() {
        stopped = true;
        cancelRefresh();
        await watch?.stop();
        for (const connection of connections.values()) connection.close(1001, 'Longshore is stopping');
        for (const socket of sockets.clients) socket.close(1001);
        connections.clear();
        documents = undefined;
      },
    },
  };
}
