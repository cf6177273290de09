import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import type { Store } from '../../state/store.ts';
import type { ServiceDefinition } from '../../wire/service.ts';
import { operationCaller } from '../caller.testing.ts';
import type { Service } from '../contract.ts';
import type { Ec2Contract } from '../ec2/contract.ts';
// biome-ignore lint/style/noRestrictedImports: tests run on the real EC2.
import { ec2Service } from '../ec2/service.ts';
// biome-ignore lint/style/noRestrictedImports: tests run on the real EC2.
import { ec2Migrations } from '../ec2/tables.ts';
import type { IamContract } from '../iam/contract.ts';
import type { Elbv2Contract } from './contract.ts';
import { elbv2Service } from './service.ts';
import { elbv2Migrations } from './tables.ts';

/** ELBv2 over the real EC2 on a store in memory. `call` answers operations as the wire would, without it. For tests. */
export interface Elbv2Bench {
  readonly service: Service<Elbv2Contract>;
  readonly ec2: Ec2Contract;
  readonly ec2Definition: ServiceDefinition;
  // biome-ignore lint/suspicious/noExplicitAny: holds the tables of both services.
  readonly store: Store<any>;
  readonly vpcId: string;
  /** The default VPC's three subnets, by zone. */
  readonly subnetIds: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the operation answers.
  call(name: string, input?: object): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  callEc2(name: string, input?: object): Promise<any>;
}

const accountId = '123456789012';
const region = 'us-east-1';

export async function openElbv2(clock: Clock = systemClock): Promise<Elbv2Bench> {
  const store = await openSqliteStore({
    path: ':memory:',
    migrations: { ...ec2Migrations, ...elbv2Migrations },
    log: silentLogger,
  });
  const parts = {
    store,
    clock,
    random: systemRandom,
    log: silentLogger,
    settings: {
      port: 0,
      host: '127.0.0.1',
      dataDir: '/nonexistent',
      instanceId: 'ab12',
      region,
      accountId,
      auth: 'on' as const,
      runtime: 'simulated' as const,
      publicPool: '100.64.0.0/16',
    },
  };
  const ec2 = ec2Service(parts);
  await ec2.prepare?.();
  // No operation of ELBv2 asks IAM for anything yet.
  const service = elbv2Service(parts, { ec2: ec2.contract, iam: {} as IamContract });
  const document = await ec2.contract.networks.compose();
  const vpc = document.vpcs[0]!;
  const subnets = vpc.subnets.toSorted((a, b) => (a.cidrBlock < b.cidrBlock ? -1 : 1));
  return {
    service,
    ec2: ec2.contract,
    ec2Definition: ec2.definition,
    store,
    vpcId: vpc.vpcId,
    subnetIds: subnets.map(({ subnetId }) => subnetId),
    call: operationCaller(service.definition.operations, { accountId, region }),
    callEc2: operationCaller(ec2.definition.operations, { accountId, region }),
  };
}
