import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from './base/clock.ts';
import type { Logger } from './base/log.ts';
import { systemRandom } from './base/random.ts';
import type { Settings } from './base/settings.ts';
import { healthRoute, resetRoute } from './operator-routes.ts';
import { runTaskAt } from './run-task.ts';
import type { Service, ServiceParts } from './services/contract.ts';
import { ec2Service } from './services/ec2/service.ts';
import { ec2Migrations } from './services/ec2/tables.ts';
import { ecrService } from './services/ecr/service.ts';
import { ecrMigrations } from './services/ecr/tables.ts';
import { ecsService } from './services/ecs/service.ts';
import { ecsMigrations } from './services/ecs/tables.ts';
import { elbv2Service } from './services/elbv2/service.ts';
import { elbv2Migrations } from './services/elbv2/tables.ts';
import { eventsService } from './services/events/service.ts';
import { eventsMigrations } from './services/events/tables.ts';
import { iamService } from './services/iam/service.ts';
import { iamMigrations } from './services/iam/tables.ts';
import { logsService } from './services/logs/service.ts';
import { logsMigrations } from './services/logs/tables.ts';
import { stsService } from './services/sts/service.ts';
import { openSqliteStore } from './state/sqlite.ts';
import { createWireServer } from './wire/server.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A running control plane: API, registry and controllers. */
export interface Control {
  /** e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  readonly rootCredentials: AccessKey;
  /** What this machine's node signs with. */
  readonly nodeCredentials: AccessKey;
  /** Answers what is under way, then ends controllers and store. Containers and load balancers stay. */
  stop(): Promise<void>;
}

/** Starts the control plane in this process, in the order of the journey: state, who may, where things run, what runs, the door. */
export async function startControl(settings: Settings, log: Logger): Promise<Control> {
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  const store = await openSqliteStore({
    path: join(settings.dataDir, 'state.db'),
    migrations: {
      ...iamMigrations,
      ...logsMigrations,
      ...eventsMigrations,
      ...ec2Migrations,
      ...elbv2Migrations,
      ...ecrMigrations,
      ...ecsMigrations,
    },
    log,
  });
  // biome-ignore lint/suspicious/noExplicitAny: the one store holds every service's tables; each service sees its own.
  const parts: ServiceParts<any> = { store, clock: systemClock, random: systemRandom, settings, log };

  const iam = iamService(parts);
  const sts = stsService(parts, { iam: iam.contract });
  const logs = logsService(parts);
  let endpoint = '';
  const runTask = runTaskAt(() => endpoint, settings.region, settings.accountId);
  const events = eventsService(parts, { logs: logs.contract, iam: iam.contract, runTask });
  const ec2 = ec2Service(parts);
  const elbv2 = elbv2Service(parts, { ec2: ec2.contract, iam: iam.contract });
  const ecr = ecrService(parts, {
    iam: iam.contract,
    events: events.contract,
    imagesInUse: () => ecs.contract.imagesInUse(),
  });
  const ecs = ecsService(parts, {
    ec2: ec2.contract,
    elbv2: elbv2.contract,
    iam: iam.contract,
    events: events.contract,
  });
  const services: readonly Service<unknown>[] = [iam, sts, logs, events, ec2, elbv2, ecr, ecs];

  const prepare = async () => {
    for (const service of services) await service.prepare?.();
  };
  const controllers = services.flatMap((service) => service.controllers);
  const startControllers = async () => {
    for (const controller of controllers) await controller.start();
  };
  const stopControllers = async () => {
    await Promise.all(controllers.map((controller) => controller.stop()));
  };

  const server = createWireServer({
    settings,
    services: services.map((service) => service.definition),
    gatekeeper: iam.contract.gatekeeper,
    routes: [
      healthRoute(ecs.contract.connectedMachines),
      resetRoute({ settings, store, stopControllers, prepare, startControllers }),
    ],
    log,
    clock: systemClock,
    random: systemRandom,
  });

  try {
    await prepare();
    const { port } = await server.listen();
    endpoint = `http://${settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host}:${port}`;
    await startControllers();
    const [rootCredentials, nodeCredentials] = await Promise.all([
      iam.contract.systemCredentials('root'),
      iam.contract.systemCredentials('node'),
    ]);
    return {
      endpoint,
      rootCredentials,
      nodeCredentials,
      async stop() {
        await server.close();
        await stopControllers();
        await store.close();
      },
    };
  } catch (error) {
    await server.close();
    await stopControllers();
    await store.close();
    throw error;
  }
}
