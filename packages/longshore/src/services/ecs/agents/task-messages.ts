import { definitionOf } from '../lookups.ts';
import type { EcsParts } from '../parts.ts';
import type { TaskRow } from '../tables.ts';
import type { Connection } from './connection.ts';
import type { CredentialsKeeper, RoleType } from './credentials.ts';
import { runPayload, stopPayload } from './payload.ts';

const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/** What agents are told of tasks: payloads to start and stop them, and credentials of their roles. */
export interface TaskMessages {
  /** Tells the tasks' agents what is desired of them now; what can't be sent is tried again. An agent that is away is passed over. */
  dispatch(taskArns: readonly string[]): Promise<void>;
  /** The same for rows and an agent that are known. */
  send(connection: Connection, rows: readonly TaskRow[]): Promise<void>;
  sendCredentials(connection: Connection, rows: readonly TaskRow[]): Promise<void>;
}

export interface TaskMessagesParts extends EcsParts {
  readonly credentials: CredentialsKeeper;
  connectionOf(instanceArn: string): Connection | undefined;
  /** The next number of a payload: it only grows. */
  next(): number;
  /** Resolves when agents have been sent the networks as they are now. */
  refreshNetworks(): Promise<void>;
  stopped(): boolean;
}

/** What an agent must be told of a task: to start it until it runs, to stop it once nothing is sent to it any more. */
export const mustSend = (row: TaskRow) =>
  row.desiredStatus === 'RUNNING'
    ? row.lastStatus === 'PROVISIONING' || row.lastStatus === 'PENDING'
    : !['DEPROVISIONING', 'STOPPED'].includes(row.lastStatus) &&
      (row.targets === 'none' || row.targets === 'waiting' || row.targets === 'gone');

/** Sends what is desired of tasks over the connections that there are. */
export function taskMessages(parts: TaskMessagesParts): TaskMessages {
  const { store, clock, random, settings, credentials, log } = parts;

  const endpoint = () => `http://${settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host}:${settings.port}`;

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
    if (payloads.some((payload) => payload.desiredStatus === 'RUNNING')) await parts.refreshNetworks();
    for (const task of payloads) {
      const message = {
        clusterArn: connection.clusterArn,
        containerInstanceArn: connection.instanceArn,
        messageId: random.uuid(),
        generatedAt: clock.now(),
        seqNum: parts.next(),
        tasks: [task],
      };
      connection.sendUntilAcked('PayloadMessage', message, `task ${task.arn}`);
    }
  }

  const sendOrLater = (connection: Connection, rows: readonly TaskRow[], retryMs: number): Promise<void> =>
    sendTasks(connection, rows).catch((error: unknown) => sendLater(rows, error, retryMs));

  async function dispatch(taskArns: readonly string[], retryMs = firstRetryMs): Promise<void> {
    if (taskArns.length === 0) return;
    const rows = await store.db.selectFrom('ecs_tasks').selectAll().where('arn', 'in', taskArns).execute();
    const byInstance = Map.groupBy(rows.filter(mustSend), (row) => row.instanceArn ?? '');
    await Promise.all(
      [...byInstance].map(async ([arn, mine]) => {
        const connection = parts.connectionOf(arn);
        if (connection) await sendOrLater(connection, mine, retryMs);
      }),
    );
  }

  /** A document that could not be composed, or a role that could not be assumed, may be mended: it is tried again, ever less often. */
  function sendLater(rows: readonly TaskRow[], error: unknown, retryMs: number): void {
    const tasks = rows.map((row) => row.arn);
    log.error({ err: error, tasks, retryMs }, 'tasks could not be sent to their agent');
    clock.after(retryMs, () => {
      if (parts.stopped()) return;
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

  return {
    dispatch: (taskArns) => dispatch(taskArns),
    send: (connection, rows) => sendOrLater(connection, rows, firstRetryMs),
    sendCredentials,
  };
}
