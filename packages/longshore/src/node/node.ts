import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Balancer } from '../balancer/balancer.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Names } from '../dns/names.ts';
import { fargateCluster, overcommit } from '../protocol/fargate.ts';
import type { Networks } from './network/networks.ts';
import type { Runtime } from './runtime/runtime.ts';
import { AwsClient, ecs } from './session/aws-client.ts';
import type { HttpClient } from './session/http.ts';
import { type MachineResources, Registration } from './session/registration.ts';
import { Session } from './session/session.ts';
import { Submitter } from './session/submitter.ts';
import type { NodeSettings } from './settings.ts';
import { Tasks } from './task/tasks.ts';

/** What a node is made of, each behind its interface. */
export interface NodeParts {
  readonly settings: NodeSettings;
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly balancer: Balancer;
  readonly names: Names;
  readonly http: HttpClient;
  readonly resources: MachineResources;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface RunningNode {
  /** Resolves with the container instance's ARN when the control plane has registered the node. */
  readonly registered: Promise<string>;
  /** Ends the node's part; containers, networks and load balancers stay. Bounded, idempotent. */
  stop(): Promise<void>;
}

/** A machine of Fargate's is promised several times over, as the server places by it; any other only once. */
function promised({ cluster }: NodeSettings, { cpuUnits, memoryMiB }: MachineResources): MachineResources {
  if (cluster !== fargateCluster) return { cpuUnits, memoryMiB };
  return { cpuUnits: cpuUnits * overcommit.cpu, memoryMiB: memoryMiB * overcommit.memory };
}

/** Puts a node together and starts it: what is on the machine is taken up before the control plane is spoken to. */
export async function runNode(parts: NodeParts): Promise<RunningNode> {
  const { settings, runtime, networks, balancer, names, http, resources, clock, random, log } = parts;
  await mkdir(settings.stateDir, { recursive: true, mode: 0o700 });
  await Promise.all([runtime.start(), networks.start().then(() => Promise.all([balancer.start(), names.start()]))]);

  const aws = new AwsClient(settings.endpoint, settings.region, http, clock);
  const submitter = new Submitter(
    async (change) => {
      const cluster = registration.cluster;
      await aws.call(ecs, 'SubmitTaskStateChange', { cluster, ...change }, settings.credentials);
    },
    clock,
    random,
    log,
  );
  const registration = new Registration(settings, { version: runtime.version, resources }, { aws, clock, random, log });
  const tasks = new Tasks({
    stateDir: settings.stateDir,
    endpoint: settings.endpoint,
    credentials: settings.credentials,
    capacity: promised(settings, resources),
    machineCapacity: resources,
    machine: { resolvConf: await readFile('/etc/resolv.conf', 'utf8').catch(() => ''), machineName: hostname() },
    runtime,
    networks,
    submitter,
    aws,
    clock,
    log,
  });
  await tasks.recover();

  const session = new Session({
    ...{ settings, registration, aws, tasks, submitter, networks, balancer, names, clock, random, log },
    version: runtime.version,
  });
  const ended = new AbortController();
  const registered = registration.register(ended.signal).then(async () => {
    if (!ended.signal.aborted) await session.start();
    return registration.arn;
  });
  registered.catch((error) => {
    if (!ended.signal.aborted) log.error({ error: String(error) }, 'the node could not register');
  });

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    ended.abort(new Error('the node ends'));
    await session.stop();
    submitter.stop();
    await tasks.leave();
    await Promise.all([runtime.stop(), balancer.stop(), names.stop()]);
    await networks.stop();
    http.close();
  };
  return {
    registered,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
