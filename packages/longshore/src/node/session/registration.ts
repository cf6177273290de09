import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { readJson, remove, writeJson } from '../files.ts';
import type { NodeSettings } from '../settings.ts';
import { type AwsClient, AwsError, ecs } from './aws-client.ts';
import { Backoff } from './backoff.ts';

/** What a machine gives to tasks. */
export interface MachineResources {
  /** CPU units, 1024 a processor. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

interface Attribute {
  readonly name: string;
  readonly value?: string;
}

/** Capabilities that Amazon's agent registers and that this node really has. */
const capabilities = [
  'com.amazonaws.ecs.capability.docker-remote-api.1.17',
  'com.amazonaws.ecs.capability.docker-remote-api.1.18',
  'com.amazonaws.ecs.capability.docker-remote-api.1.19',
  'com.amazonaws.ecs.capability.docker-remote-api.1.21',
  'com.amazonaws.ecs.capability.ecr-auth',
  'com.amazonaws.ecs.capability.logging-driver.awslogs',
  'com.amazonaws.ecs.capability.logging-driver.none',
  'com.amazonaws.ecs.capability.task-iam-role',
  'ecs.capability.container-ordering',
  'ecs.capability.execution-role-awslogs',
  'ecs.capability.execution-role-ecr-pull',
  'ecs.capability.task-cpu-mem-limit',
  'ecs.capability.task-eni',
];

/** What the node says that it can do, in the names of Amazon's agent. */
export function attributesOf(settings: NodeSettings, version: string): Attribute[] {
  const architecture = process.arch === 'x64' ? 'x86_64' : process.arch;
  return [
    { name: 'ecs.os-type', value: 'linux' },
    { name: 'ecs.cpu-architecture', value: architecture },
    ...capabilities.map((name) => ({ name })),
    { name: 'longshore.runtime', value: settings.runtime },
    { name: 'longshore.runtime-version', value: version },
  ];
}

/** All processors and all memory: on a machine that runs more than tasks, what is placed is bounded by what it can hold. */
export function machineResources(): MachineResources {
  return { cpuUnits: cpus().length * 1024, memoryMiB: Math.floor(totalmem() / 1024 ** 2) };
}

interface RegisterOutput {
  readonly containerInstance?: { readonly containerInstanceArn?: string; readonly attributes?: readonly Attribute[] };
}

/** This node as the cluster knows it: a container instance, whose ARN is kept over restarts. */
export class Registration {
  readonly #settings: NodeSettings;
  readonly #aws: AwsClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #file: string;
  readonly #attributes: readonly Attribute[];
  readonly #resources: MachineResources;
  #arn: string | undefined;

  constructor(
    settings: NodeSettings,
    machine: { readonly version: string; readonly resources: MachineResources },
    parts: { readonly aws: AwsClient; readonly clock: Clock; readonly random: Random; readonly log: Logger },
  ) {
    this.#settings = settings;
    this.#attributes = attributesOf(settings, machine.version);
    this.#resources = machine.resources;
    this.#aws = parts.aws;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#log = parts.log;
    this.#file = join(settings.stateDir, 'instance.json');
  }

  get arn(): string {
    if (!this.#arn) throw new Error('the node is not registered yet');
    return this.#arn;
  }

  /** The cluster that this node belongs to, by name. */
  get cluster(): string {
    return this.#settings.cluster;
  }

  /** Registers, or registers again under the ARN that is kept. Tries until it is done or `signal` aborts. */
  async register(signal: AbortSignal): Promise<void> {
    const kept = await readJson<{ arn: string; cluster: string }>(this.#file);
    let arn = kept?.cluster === this.#settings.cluster ? kept.arn : undefined;
    const backoff = new Backoff(this.#random, { first: 200, most: 5_000, factor: 1.5, jitter: 0.2 });
    while (!signal.aborted)
      try {
        this.#arn = await this.#call(arn);
        if (this.#arn !== kept?.arn) await writeJson(this.#file, { arn: this.#arn, cluster: this.#settings.cluster });
        this.#log.info({ containerInstance: this.#arn, cluster: this.#settings.cluster }, 'registered');
        return;
      } catch (error) {
        if (arn && error instanceof AwsError && /InvalidParameter|ClientException|NotFound/.test(error.code)) {
          this.#log.warn(
            { error: String(error), arn },
            'the cluster does not know this instance any more; registering anew',
          );
          arn = undefined;
          continue;
        }
        const wait = backoff.next();
        this.#log.warn(
          { error: String(error), wait: Math.round(wait) },
          'could not register with the control plane; trying again',
        );
        await this.#clock.sleep(wait, signal);
      }
    throw signal.reason;
  }

  /** Forgets the ARN: the server does not know it (its state was wiped). */
  async forget(): Promise<void> {
    await remove(this.#file);
  }

  async #call(arn: string | undefined): Promise<string> {
    const { cpuUnits, memoryMiB } = this.#resources;
    const integer = (name: string, integerValue: number) => ({ name, type: 'INTEGER', integerValue });
    const ports = (name: string, used: string[]) => ({ name, type: 'STRINGSET', stringSetValue: used });
    const output = await this.#aws.call<RegisterOutput>(
      ecs,
      'RegisterContainerInstance',
      {
        cluster: this.#settings.cluster,
        ...(arn && { containerInstanceArn: arn }),
        clientToken: this.#random.uuid(),
        attributes: this.#attributes,
        totalResources: [
          integer('CPU', cpuUnits),
          integer('MEMORY', memoryMiB),
          ports('PORTS', ['22']),
          ports('PORTS_UDP', []),
        ],
        versionInfo: { agentVersion: '1.0.0', agentHash: 'longshore', dockerVersion: this.#settings.runtime },
      },
      this.#settings.credentials,
    );
    const registered = output.containerInstance?.containerInstanceArn;
    if (!registered) throw new Error('RegisterContainerInstance answered no ARN');
    const echoed = new Map(output.containerInstance?.attributes?.map(({ name, value }) => [name, value]));
    const missing = this.#attributes.filter(
      ({ name, value }) => !echoed.has(name) || (value ?? '') !== (echoed.get(name) ?? ''),
    );
    if (missing.length > 0)
      this.#log.warn({ missing: missing.map(({ name }) => name) }, 'the server did not take these attributes');
    return registered;
  }
}
