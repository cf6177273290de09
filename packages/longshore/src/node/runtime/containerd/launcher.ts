import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { type ContainerSpec, LaunchError, type PulledImage } from '../runtime.ts';
import type { Cgroups } from './cgroups.ts';
import { Containers } from './gen/containers_pb.ts';
import { OptionsSchema } from './gen/runc-options_pb.ts';
import { Snapshots } from './gen/snapshots_pb.ts';
import { Tasks } from './gen/tasks_pb.ts';
import type { Mount } from './gen/types_pb.ts';
import { type Grpc, isAlreadyThere, tolerate } from './grpc.ts';
import { snapshotter } from './images.ts';
import { nameLabel, taskLabel } from './labels.ts';
import type { Places } from './places.ts';
import { slots } from './slots.ts';
import { ociSpec } from './spec.ts';
import { readFromLayers, resolveUser } from './users.ts';

const createTimeoutMs = 4 * 60_000;
const startTimeoutMs = 3 * 60_000;

export interface LauncherParts {
  readonly grpc: Grpc;
  readonly cgroups: Cgroups;
  readonly places: Places;
  readonly clock: Clock;
  readonly log: Logger;
  readonly openFilesLimit: number;
  /** The control group of a task. */
  groupOf(taskId: string): string;
  /** A container is about to be there. */
  onCreate(spec: ContainerSpec): void;
}

/** From a specification to a process that runs: root file system, OCI document, containerd's container and its process. */
export class Launcher {
  readonly #parts: LauncherParts;
  /** Root file systems that are prepared, by container. */
  readonly #rootfs = new Map<string, readonly Mount[]>();
  /** /etc/passwd and /etc/group of images, by chain id. */
  readonly #accounts = new Map<string, Promise<readonly [passwd: string, group: string]>>();
  /** A launch is some 80 ms of CPU: far more of them at once than processors only get in each other's way. */
  readonly #inTurn = slots(8 * availableParallelism());
  /**
   * CPU quotas not in force yet. What starts a container (runc, in the container's group) needs tens of milliseconds of CPU: under
   * the quota of a quarter vCPU that is a tenth of a second of waiting, so the quota comes when the first launches are done.
   */
  readonly #quotas = new Map<string, { readonly cpuUnits: number; launching: number }>();

  constructor(parts: LauncherParts) {
    this.#parts = parts;
  }

  /** A new task's quota is in force once its first containers are launched. */
  limitCpuAfterLaunch(taskId: string, cpuUnits: number): void {
    this.#quotas.set(taskId, { cpuUnits, launching: 0 });
  }

  /** Prepares a container's root file system, under its task's lease. */
  async prepare(taskId: string, containerId: string, image: PulledImage): Promise<void> {
    const request = { snapshotter, key: containerId, parent: image.chainId };
    const prepared = await tolerate(
      this.#parts.grpc.unary(Snapshots.method.prepare, request, { lease: taskId }),
      isAlreadyThere,
    );
    const { mounts } =
      prepared ?? (await this.#parts.grpc.unary(Snapshots.method.mounts, { snapshotter, key: containerId }));
    this.#rootfs.set(containerId, mounts);
  }

  /** Throws LaunchError. */
  async launch(spec: ContainerSpec): Promise<{ pid: number }> {
    const quota = this.#quotas.get(spec.taskId);
    if (quota) quota.launching++;
    try {
      return await this.#inTurn(() => this.#launch(spec));
    } finally {
      if (quota && --quota.launching === 0 && this.#quotas.delete(spec.taskId))
        this.#parts.cgroups.limitCpu(this.#parts.groupOf(spec.taskId), quota.cpuUnits);
    }
  }

  async #launch(spec: ContainerSpec): Promise<{ pid: number }> {
    const created = await this.#create(spec).catch((error) => {
      throw new LaunchError('create', (error as Error).message);
    });
    try {
      const { pid } = await this.#parts.grpc.unary(
        Tasks.method.start,
        { containerId: spec.id },
        { timeoutMs: startTimeoutMs },
      );
      return { pid };
    } catch (error) {
      await this.#discard(spec.id, created.taskMade);
      throw new LaunchError('start', (error as Error).message);
    }
  }

  async #create(spec: ContainerSpec): Promise<{ taskMade: boolean }> {
    if (!this.#rootfs.has(spec.id)) await this.prepare(spec.taskId, spec.id, spec.image);
    const rootfs = [...this.#rootfs.get(spec.id)!];
    const folder = join(this.#parts.places.containers, spec.id);
    const place = (name: string) => join(folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    writeFileSync(place('hosts'), spec.hosts);
    writeFileSync(place('resolv.conf'), spec.resolvConf);
    writeFileSync(place('hostname'), `${spec.hostname}\n`);
    const user = await this.#user(spec, rootfs);
    const document = ociSpec(spec, {
      user,
      cgroupPath: `${this.#parts.groupOf(spec.taskId)}/${spec.name}`,
      hostsFile: place('hosts'),
      resolvConfFile: place('resolv.conf'),
      hostnameFile: place('hostname'),
      openFilesLimit: this.#parts.openFilesLimit,
      architecture: process.arch,
    });
    const options = {
      typeUrl: 'containerd.runc.v1.Options',
      value: toBinary(OptionsSchema, create(OptionsSchema, { root: join(this.#parts.places.run, 'runc') })),
    };
    const container = {
      id: spec.id,
      labels: { [taskLabel]: spec.taskId, [nameLabel]: spec.name },
      image: spec.image.digest,
      runtime: { name: 'io.containerd.runc.v2', options },
      spec: {
        typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
        value: Buffer.from(JSON.stringify(document)),
      },
      snapshotter,
      snapshotKey: spec.id,
    };
    this.#parts.onCreate(spec);
    await tolerate(
      this.#parts.grpc.unary(Containers.method.create, { container }, { lease: spec.taskId }),
      isAlreadyThere,
    );
    const output = await logPaths(spec.logFile);
    for (let tries = 1; ; tries++)
      try {
        await this.#parts.grpc.unary(
          Tasks.method.create,
          { containerId: spec.id, rootfs, ...output, options },
          { timeoutMs: createTimeoutMs },
        );
        return { taskMade: true };
      } catch (error) {
        if (isAlreadyThere(error)) return { taskMade: true };
        // The task's shim was about to end with its last container: the next try starts another.
        if (tries < 3 && /failed to start shim|ttrpc: closed/.test((error as Error).message)) {
          await this.#parts.clock.sleep(50 * tries);
          continue;
        }
        await this.#discard(spec.id, false);
        throw error;
      }
  }

  async #user(spec: ContainerSpec, rootfs: readonly Mount[]) {
    const { chainId } = spec.image;
    let accounts = this.#accounts.get(chainId);
    if (!accounts) {
      accounts = Promise.all([readFromLayers(rootfs, 'etc', 'passwd'), readFromLayers(rootfs, 'etc', 'group')]);
      this.#accounts.set(chainId, accounts);
    }
    const [passwd, group] = await accounts;
    return resolveUser(spec.user || spec.image.config.user, passwd, group);
  }

  /** Removes what a failed launch left, so that it can be reported and closed like any ended container. */
  async #discard(containerId: string, taskMade: boolean): Promise<void> {
    if (taskMade)
      await this.#parts.grpc
        .unary(Tasks.method.delete, { containerId })
        .catch((error) =>
          this.#parts.log.warn(
            { containerId, error: String(error) },
            'could not delete the process of a failed launch',
          ),
        );
    await this.#parts.grpc.unary(Containers.method.delete, { id: containerId }).catch(() => undefined);
  }

  /** Forgets a task and its containers. */
  forget(taskId: string, containerIds: readonly string[]): void {
    for (const id of containerIds) this.#rootfs.delete(id);
    this.#quotas.delete(taskId);
  }
}

/** The hard limit on open files: without CAP_SYS_RESOURCE nobody can go above it. */
export async function openFilesLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard && /^\d+$/.test(hard) ? Number(hard) : Number.MAX_SAFE_INTEGER;
}

/**
 * Where the shim writes a container's words: straight into the log file, opened once for each of the two streams. Under one and
 * the same name the shim opens it once, and closes it when the first stream ends: the last words of the other were lost
 * (2 of 100 containers that end at once; containerd 1.6, `copyPipes`).
 */
async function logPaths(logFile: string | undefined): Promise<{ stdout: string; stderr: string }> {
  if (!logFile) return { stdout: '', stderr: '' };
  await mkdir(dirname(logFile), { recursive: true });
  await (await open(logFile, 'a', 0o600)).close();
  return { stdout: logFile, stderr: `${dirname(logFile)}/./${basename(logFile)}` };
}
