import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { Settings } from '../../base/settings.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import type { Migrations } from '../../state/store.ts';
import { createWireServer } from '../../wire/server.ts';
import type { Caller, RequestContext } from '../../wire/service.ts';
import type { Service, ServiceParts } from '../contract.ts';
import type { IamContract } from './contract.ts';
import { iamService } from './service.ts';
import { iamMigrations } from './tables.ts';

export const account = '111122223333';
export const region = 'eu-west-1';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface TestAccount {
  readonly iam: Service<IamContract>;
  // biome-ignore lint/suspicious/noExplicitAny: as ServiceParts of the composition root
  readonly parts: ServiceParts<any>;
  readonly root: Keys;
  /** Configuration of a genuine SDK client; as root unless told. */
  client(keys?: Keys): {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: Keys;
    readonly maxAttempts: 1;
  };
  /** What an operation is told of a request by `caller`, asked through the gatekeeper. */
  context(caller: Caller): RequestContext;
  close(): Promise<void>;
}

export interface TestOptions {
  readonly auth?: Settings['auth'];
  readonly clock?: Clock;
  readonly migrations?: Migrations;
  /** Services beside IAM. */
  // biome-ignore lint/suspicious/noExplicitAny: as ServiceParts of the composition root
  readonly services?: (parts: ServiceParts<any>, iam: IamContract) => readonly Service<unknown>[];
}

/** IAM and other services on a free port of 127.0.0.1 with a store of their own. */
export async function openTestAccount(options: TestOptions = {}): Promise<TestAccount> {
  const clock = options.clock ?? systemClock;
  const settings: Settings = {
    port: 0,
    host: '127.0.0.1',
    dataDir: '/nonexistent',
    instanceId: systemRandom.hex(4),
    region,
    accountId: account,
    auth: options.auth ?? 'on',
    runtime: 'simulated',
    publicPool: '100.64.0.0/16',
  };
  const store = await openSqliteStore({
    path: ':memory:',
    migrations: { ...iamMigrations, ...options.migrations },
    log: silentLogger,
  });
  const parts = { store, clock, random: systemRandom, settings, log: silentLogger };
  const iam = iamService(parts);
  const others = options.services?.(parts, iam.contract) ?? [];
  await iam.prepare?.();
  const { gatekeeper } = iam.contract;
  const server = createWireServer({
    settings,
    services: [iam, ...others].map((service) => service.definition),
    gatekeeper,
    log: silentLogger,
    clock,
    random: systemRandom,
  });
  const { port } = await server.listen();
  const endpoint = `http://127.0.0.1:${port}`;
  const { accessKeyId, secretAccessKey } = await iam.contract.systemCredentials('root');
  const root = { accessKeyId, secretAccessKey };
  const facts = { region, sourceIp: '127.0.0.1', secureTransport: false, userAgent: 'test' };
  return {
    iam,
    parts,
    root,
    client: (keys = root) => ({ endpoint, region, credentials: keys, maxAttempts: 1 }),
    context: (caller) => ({
      requestId: systemRandom.uuid(),
      caller,
      region,
      accountId: account,
      sourceIp: facts.sourceIp,
      endpoint,
      authorize: (access) => gatekeeper.authorize(caller, access, facts),
    }),
    async close() {
      await server.close();
      await store.close();
    },
  };
}
