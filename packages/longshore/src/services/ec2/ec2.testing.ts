import { type Clock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import type { Store } from '../../state/store.ts';
import { operationCaller } from '../caller.testing.ts';
import type { Service } from '../contract.ts';
import type { Ec2Contract } from './contract.ts';
import type { Ec2Parts } from './operation.ts';
import { ec2Service } from './service.ts';
import { type Ec2Tables, ec2Migrations } from './tables.ts';

/** EC2 on a store in memory, prepared; `call` answers operations as the wire would, without it. For tests. */
export interface Ec2Bench {
  readonly service: Service<Ec2Contract>;
  readonly store: Store<Ec2Tables>;
  readonly parts: Ec2Parts;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the operation answers.
  call(name: string, input?: object): Promise<any>;
}

export async function openEc2(clock: Clock = systemClock, publicPool = '100.64.0.0/16'): Promise<Ec2Bench> {
  const store: Store<Ec2Tables> = await openSqliteStore({
    path: ':memory:',
    migrations: ec2Migrations,
    log: silentLogger,
  });
  const parts: Ec2Parts = {
    store,
    clock,
    random: systemRandom,
    log: silentLogger,
    settings: {
      port: 0,
      host: '127.0.0.1',
      dataDir: '/nonexistent',
      instanceId: 'ab12',
      region: 'us-east-1',
      accountId: '123456789012',
      auth: 'on',
      runtime: 'simulated',
      publicPool,
    },
  };
  const service = ec2Service(parts);
  await service.prepare?.();
  return { service, store, parts, call: operationCaller(service.definition.operations, parts.settings) };
}
