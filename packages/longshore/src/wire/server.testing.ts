import { systemClock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { createWireServer, type WireServer, type WireServerOptions } from './server.ts';
import type { Caller, Credential, Gatekeeper, HttpRoute, ServiceDefinition } from './service.ts';

export const testAccount = '111122223333';
export const testRegion = 'eu-west-1';
export const testCredentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
export const testCaller: Caller = {
  accountId: testAccount,
  arn: `arn:aws:iam::${testAccount}:root`,
  userId: testAccount,
  type: 'root',
  accessKeyId: testCredentials.accessKeyId,
};

/** A gatekeeper that knows the test credentials (and `more`), and allows everything. */
export function testGatekeeper(more: Readonly<Record<string, Credential>> = {}): Gatekeeper {
  const known: Record<string, Credential> = {
    [testCredentials.accessKeyId]: { secretAccessKey: testCredentials.secretAccessKey, caller: testCaller },
    ...more,
  };
  return { credential: async (accessKeyId) => known[accessKeyId], authorize: async () => {} };
}

export interface TestServer extends WireServer {
  readonly port: number;
  /** Of genuine SDK clients: `new ECSClient(server.client)`. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
    readonly maxAttempts: 1;
  };
}

/** A wire server on a free port of 127.0.0.1, for tests of services with genuine clients. Close it when done. */
export async function startTestServer(
  services: readonly ServiceDefinition[],
  options: {
    auth?: 'on' | 'off';
    gatekeeper?: Gatekeeper;
    log?: Logger;
    routes?: readonly HttpRoute[];
    clock?: WireServerOptions['clock'];
  } = {},
): Promise<TestServer> {
  const server = createWireServer({
    settings: { port: 0, host: '127.0.0.1', auth: options.auth ?? 'on', accountId: testAccount, region: testRegion },
    services,
    gatekeeper: options.gatekeeper ?? testGatekeeper(),
    log: options.log ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: systemRandom,
    ...(options.routes && { routes: options.routes }),
  });
  const { port } = await server.listen();
  const client = {
    endpoint: `http://127.0.0.1:${port}`,
    region: testRegion,
    credentials: testCredentials,
    maxAttempts: 1 as const,
  };
  return { ...server, port, client };
}
