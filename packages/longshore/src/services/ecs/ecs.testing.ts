import { DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  type Service as EcsServiceShape,
  RegisterTaskDefinitionCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { IAMClient } from '@aws-sdk/client-iam';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { openSqliteStore } from '../../state/sqlite.ts';
import { createWireServer } from '../../wire/server.ts';
// biome-ignore-start lint/style/noRestrictedImports: tests run on the real EC2, ELBv2 and IAM.
import { ec2Service } from '../ec2/service.ts';
import { ec2Migrations } from '../ec2/tables.ts';
import { elbv2Service } from '../elbv2/service.ts';
import { elbv2Migrations } from '../elbv2/tables.ts';
import { iamService } from '../iam/service.ts';
import { iamMigrations } from '../iam/tables.ts';
// biome-ignore-end lint/style/noRestrictedImports: as above
import type { EcsContract } from './contract.ts';
import type { EcsOthers } from './parts.ts';
import { ecsService } from './service.ts';
import { ecsMigrations } from './tables.ts';

export const region = 'eu-west-1';
export const accountId = '111122223333';

/** ECS with the real IAM, EC2 and ELBv2 behind the real wire, answering genuine SDK clients as the root user. For tests. */
export interface EcsBench {
  readonly ecs: ECSClient;
  readonly ec2: EC2Client;
  readonly elbv2: ElasticLoadBalancingV2Client;
  readonly iam: IAMClient;
  readonly endpoint: string;
  readonly nodeCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly contract: EcsContract;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  /** Registers a task definition of one container `app` on port 80 and answers its ARN. */
  define(family: string, over?: object): Promise<string>;
  task(arn: string, cluster?: string): Promise<Task>;
  service(name: string, cluster?: string): Promise<EcsServiceShape>;
  /** Ends the controllers and starts them again, as a restart of the process does. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function openEcs(options: Pick<EcsOthers, 'events'> = {}): Promise<EcsBench> {
  const store = await openSqliteStore({
    path: ':memory:',
    migrations: { ...iamMigrations, ...ec2Migrations, ...elbv2Migrations, ...ecsMigrations },
    log: silentLogger,
  });
  const settings = {
    port: 0,
    host: '127.0.0.1',
    dataDir: '/nonexistent',
    instanceId: systemRandom.hex(4),
    region,
    accountId,
    auth: 'on' as const,
    runtime: 'simulated' as const,
    publicPool: '100.64.0.0/16',
  };
  const parts = { store, clock: systemClock, random: systemRandom, settings, log: silentLogger };
  const iam = iamService(parts);
  const ec2 = ec2Service(parts);
  const elbv2 = elbv2Service(parts, { ec2: ec2.contract, iam: iam.contract });
  const ecs = ecsService(parts, { ec2: ec2.contract, elbv2: elbv2.contract, iam: iam.contract, ...options });
  const services = [iam, ec2, elbv2, ecs];
  for (const service of services) await service.prepare?.();
  const controllers = services.flatMap((service) => service.controllers);
  const server = createWireServer({
    settings,
    services: services.map((service) => service.definition),
    gatekeeper: iam.contract.gatekeeper,
    log: silentLogger,
    clock: systemClock,
    random: systemRandom,
  });
  const { port } = await server.listen();
  for (const controller of controllers) await controller.start();
  const [root, node] = await Promise.all([
    iam.contract.systemCredentials('root'),
    iam.contract.systemCredentials('node'),
  ]);
  const endpoint = `http://127.0.0.1:${port}`;
  const config = { endpoint, region, credentials: root, maxAttempts: 1 };
  const clients = {
    ecs: new ECSClient(config),
    ec2: new EC2Client(config),
    elbv2: new ElasticLoadBalancingV2Client(config),
    iam: new IAMClient(config),
  };
  const { Subnets = [] } = await clients.ec2.send(new DescribeSubnetsCommand({}));
  await clients.ecs.send(new CreateClusterCommand({ clusterName: 'default' }));

  return {
    ...clients,
    endpoint,
    nodeCredentials: { accessKeyId: node.accessKeyId, secretAccessKey: node.secretAccessKey },
    contract: ecs.contract,
    vpcId: Subnets[0]?.VpcId ?? '',
    subnetIds: Subnets.map((subnet) => subnet.SubnetId ?? ''),
    async define(family, over = {}) {
      const { taskDefinition } = await clients.ecs.send(
        new RegisterTaskDefinitionCommand({
          family,
          networkMode: 'awsvpc',
          requiresCompatibilities: ['FARGATE'],
          cpu: '256',
          memory: '512',
          containerDefinitions: [{ name: 'app', image: 'public.example/app:1', portMappings: [{ containerPort: 80 }] }],
          ...over,
        }),
      );
      return taskDefinition?.taskDefinitionArn ?? '';
    },
    async task(arn, cluster = 'default') {
      const { tasks } = await clients.ecs.send(new DescribeTasksCommand({ cluster, tasks: [arn], include: ['TAGS'] }));
      if (!tasks?.[0]) throw new Error(`${arn} is not there`);
      return tasks[0];
    },
    async service(name, cluster = 'default') {
      const { services: found } = await clients.ecs.send(new DescribeServicesCommand({ cluster, services: [name] }));
      if (!found?.[0]) throw new Error(`${name} is not there`);
      return found[0];
    },
    async restart() {
      await Promise.all(controllers.map((controller) => controller.stop()));
      for (const controller of controllers) await controller.start();
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy();
      await server.close();
      await Promise.all(controllers.map((controller) => controller.stop()));
      await store.close();
    },
  };
}
