import { type WebSocket, WebSocketServer } from 'ws';
import type { Controller } from '../../../base/controller.ts';
import type { ObservationMessage } from '../../../protocol/documents.ts';
import type { Envelope, TaskStopVerificationMessage } from '../../../protocol/payload.ts';
import type { Watch } from '../../../state/store.ts';
import type { UpgradeRoute } from '../../../wire/service.ts';
import { instanceChanged } from '../announce.ts';
import type { EcsParts } from '../parts.ts';
import { type Connection, openConnection } from './connection.ts';
import type { CredentialsKeeper } from './credentials.ts';
import { type DocumentPublisher, documentPublisher, type Published } from './documents.ts';
import { agentDoor } from './door.ts';
import { openEpoch } from './epoch.ts';
import { mustSend, taskMessages } from './task-messages.ts';
import { answerTelemetry } from './telemetry.ts';

/** Where agents connect; DiscoverPollEndpoint answers these without the `/ws` that agents add. */
export const acsPath = '/ecs/acs';
export const tcsPath = '/ecs/tcs';

const maxFrame = 4 * 1024 * 1024;
const refreshEveryMs = 60_000;

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

/** `onHealth`: an agent told the health of a task's containers. */
export function agentGateway(
  parts: EcsParts,
  credentials: CredentialsKeeper,
  onHealth: (
    taskArn: string,
    containers: readonly { readonly name: string; readonly status: string }[],
  ) => Promise<void>,
): AgentGateway {
  const { store, clock, random, ec2, elbv2 } = parts;
  const log = parts.log.child({ part: 'agents' });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrame, perMessageDeflate: false });
  const connections = new Map<string, Connection>();
  const sources = [ec2.networks, elbv2.loadBalancers, elbv2.names];
  let next: () => number = () => 0;
  const messages = taskMessages({
    ...parts,
    log,
    credentials,
    connectionOf: (arn) => connections.get(arn),
    next: () => next(),
    refreshNetworks: async () => documents?.refresh(['networks']),
    stopped: () => stopped,
  });
  const door = agentDoor({ ...parts, log }, sockets, () => (stopped ? 'stopping' : documents ? undefined : 'starting'));
  let documents: DocumentPublisher | undefined;
  let watch: Watch | undefined;
  let cancelRefresh = () => {};
  let stopped = false;

  const sendDocument = (connection: Connection, document: Published) =>
    connection.sendUntilAcked(
      'LongshoreDocumentMessage',
      { messageId: random.uuid(), ...document },
      `document ${document.kind}`,
    );

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
      await messages.sendCredentials(
        connection,
        rows.filter((row) => !mustSend(row)),
      );
    for (const row of rows.filter(mustSend)) await messages.send(connection, [row]);
  }

  async function setConnected(instanceArn: string, connected: boolean): Promise<void> {
    await store.transaction(async (tx) => {
      const row = await tx.db
        .updateTable('ecs_instances')
        .set((eb) => ({ agentConnected: connected ? 1 : 0, agentSeenAt: clock.now(), version: eb('version', '+', 1) }))
        .where('arn', '=', instanceArn)
        .returningAll()
        .executeTakeFirst();
      tx.changed('ecs.instance', instanceArn);
      if (row) await instanceChanged(parts, tx, row);
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
      if (connection) await messages.sendCredentials(connection, mine);
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
    dispatch: messages.dispatch,
    connected: (arn) => connections.has(arn),
    upgrades: [
      door(`${acsPath}/ws`, 'ecs:Poll', openAcs),
      door(`${tcsPath}/ws`, 'ecs:StartTelemetrySession', (ws) => answerTelemetry(ws, { clock, random, log, onHealth })),
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
