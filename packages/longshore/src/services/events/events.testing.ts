import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { type Clock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { Settings } from '../../base/settings.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import type { Store } from '../../state/store.ts';
import { createWireServer } from '../../wire/server.ts';
import type { Service } from '../contract.ts';
// biome-ignore-start lint/style/noRestrictedImports: tests run on the real IAM and CloudWatch Logs.
import { iamService } from '../iam/service.ts';
import { iamMigrations } from '../iam/tables.ts';
import { logsService } from '../logs/service.ts';
import { logsMigrations } from '../logs/tables.ts';
// biome-ignore-end lint/style/noRestrictedImports: as above
import type { EventsContract } from './contract.ts';
import { eventsService } from './service.ts';
import { type EventsTables, eventsMigrations } from './tables.ts';
import type { RunTask } from './targets/ecs.ts';

export const account = '111122223333';
export const region = 'eu-west-1';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** EventBridge with the real IAM and CloudWatch Logs behind the real wire, answering genuine SDK clients. For tests. */
export interface EventsBench {
  readonly events: EventBridgeClient;
  readonly logs: CloudWatchLogsClient;
  readonly service: Service<EventsContract>;
  readonly store: Store<EventsTables>;
  readonly endpoint: string;
  readonly root: Keys;
  client(keys?: Keys): {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: Keys;
    readonly maxAttempts: 1;
  };
  /** Ends the controllers and makes the service anew, as a restart of the process does. */
  restart(between?: () => void | Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function openEvents(options: { clock?: Clock; runTask?: RunTask } = {}): Promise<EventsBench> {
  const clock = options.clock ?? systemClock;
  const store = await openSqliteStore({
    path: ':memory:',
    migrations: { ...iamMigrations, ...logsMigrations, ...eventsMigrations },
    log: silentLogger,
  });
  const settings: Settings = {
    port: 0,
    host: '127.0.0.1',
    dataDir: '/nonexistent',
    instanceId: systemRandom.hex(4),
    region,
    accountId: account,
    auth: 'on',
    runtime: 'simulated',
    publicPool: '100.64.0.0/16',
  };
  const parts = { store, clock, random: systemRandom, settings, log: silentLogger };
  const iam = iamService(parts);
  const logs = logsService(parts);
  const others = {
    logs: logs.contract,
    iam: iam.contract,
    ...(options.runTask && { runTask: options.runTask }),
  };
  let service = eventsService(parts, others);
  for (const one of [iam, logs, service]) await one.prepare?.();
  const server = createWireServer({
    settings,
    services: [iam, logs, service].map((one) => one.definition),
    gatekeeper: iam.contract.gatekeeper,
    log: silentLogger,
    // Requests are signed by the machine's own clock.
    clock: systemClock,
    random: systemRandom,
  });
  const { port } = await server.listen();
  const start = async () => {
    for (const controller of service.controllers) await controller.start();
  };
  const stop = () => Promise.all(service.controllers.map((controller) => controller.stop()));
  await start();
  const endpoint = `http://127.0.0.1:${port}`;
  const { accessKeyId, secretAccessKey } = await iam.contract.systemCredentials('root');
  const root = { accessKeyId, secretAccessKey };
  const client = (credentials: Keys = root) => ({ endpoint, region, credentials, maxAttempts: 1 as const });
  const clients = { events: new EventBridgeClient(client()), logs: new CloudWatchLogsClient(client()) };
  return {
    ...clients,
    get service() {
      return service;
    },
    store,
    endpoint,
    root,
    client,
    async restart(between) {
      await stop();
      await between?.();
      service = eventsService(parts, others);
      await start();
    },
    async close() {
      for (const one of Object.values(clients)) one.destroy();
      await server.close();
      await stop();
      await store.close();
    },
  };
}

/** A clock that stands still until it is moved. */
export interface DrivenClock extends Clock {
  /** Moves on, calling what comes due on the way, in order. */
  pass(ms: number): void;
}

export function drivenClock(start: number): DrivenClock {
  let now = start;
  const due = new Set<{ readonly at: number; run(): void }>();
  const after: Clock['after'] = (ms, run) => {
    const entry = { at: now + ms, run };
    due.add(entry);
    return () => due.delete(entry);
  };
  return {
    now: () => now,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const cancel = after(ms, resolve);
        signal?.addEventListener('abort', () => {
          cancel();
          reject(signal.reason);
        });
      }),
    pass(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = [...due].filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at);
        if (!next) break;
        due.delete(next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = end;
    },
  };
}
