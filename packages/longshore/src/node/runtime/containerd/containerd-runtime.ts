import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';
import type { HttpClient } from '../../session/http.ts';
import {
  type ContainerExit,
  type ContainerSpec,
  type KnownContainer,
  LaunchError,
  type PulledImage,
  type PullRequest,
  type Runtime,
  type TaskSandbox,
} from '../runtime.ts';
import { Cgroups } from './cgroups.ts';
import { followExits, type TaskExited } from './events.ts';
import { Containers } from './gen/containers_pb.ts';
import { Leases } from './gen/leases_pb.ts';
import { Namespaces } from './gen/namespaces_pb.ts';
import { OptionsSchema } from './gen/runc-options_pb.ts';
import { Snapshots } from './gen/snapshots_pb.ts';
import { Tasks } from './gen/tasks_pb.ts';
import type { Mount } from './gen/types_pb.ts';
import { Grpc, GrpcError, isAlreadyThere, isNotFound, namespace, tolerate } from './grpc.ts';
import { ImageStore, snapshotter } from './images.ts';
import type { Places } from './places.ts';
import { ociSpec } from './spec.ts';
import { Supervisor } from './supervisor.ts';
import { readFromLayers, resolveUser } from './users.ts';

const taskLabel = 'longshore.io/task';
const createTimeoutMs = 4 * 60_000;
const startTimeoutMs = 3 * 60_000;
/** Processes and threads that a task may have. */
const pidsOfTask = 16_384;
const running = 2;
const stopped = 3;

export interface ContainerdParts {
  readonly places: Places;
  readonly instanceId: string;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Runs containers on Longshore's own containerd: one lease, one control group and one shim a task. */
export class ContainerdRuntime implements Runtime {
  readonly #parts: ContainerdParts;
  readonly #places: Places;
  readonly #log: Logger;
  readonly #supervisor: Supervisor;
  readonly #grpc: Grpc;
  readonly #images: ImageStore;
  readonly #ended = new AbortController();
  readonly #listeners: ((exit: ContainerExit) => void)[] = [];
  /** Root file systems that are prepared, by container. */
  readonly #rootfs = new Map<string, readonly Mount[]>();
  readonly #taskOf = new Map<string, { readonly taskId: string; readonly name: string }>();
  /**
   * CPU quotas not in force yet. What starts a container (runc, in the container's group) needs tens of milliseconds of CPU: under
   * the quota of a quarter vCPU that is a tenth of a second of waiting, so the quota comes when the first launches are done.
   */
  readonly #quotas = new Map<string, { readonly cpuUnits: number; launching: number }>();
  #openFilesLimit = 65_535;
  #cgroups!: Cgroups;
  version = 'containerd';

  constructor(parts: ContainerdParts) {
    this.#parts = parts;
    this.#places = parts.places;
    this.#log = parts.log;
    this.#supervisor = new Supervisor(parts.places, parts.clock, parts.log);
    this.#grpc = new Grpc(parts.places.socket);
    this.#images = new ImageStore(this.#grpc, parts.http, parts.random, process.arch);
  }

  async start(): Promise<void> {
    this.#cgroups = await Cgroups.open();
    this.#openFilesLimit = await openFilesLimit();
    this.version = `containerd ${await this.#supervisor.ensure()}`;
    await tolerate(this.#grpc.unary(Namespaces.method.create, { namespace: { name: namespace } }), isAlreadyThere);
    await this.#images.load();
    void followExits(this.#grpc, this.#parts.clock, this.#ended.signal, {
      onExit: (exit) => void this.#tellExit(exit),
      onSubscribed: () => void this.#tellMissedExits(),
      onLost: (error) => this.#bringBack(error),
    });
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#grpc.close();
  }

  async destroy(images: boolean): Promise<void> {
    this.#cgroups = await Cgroups.open();
    const base = `/longshore-${this.#parts.instanceId}`;
    if ((await this.#supervisor.pid()) === undefined && !(await exists(this.#places.config))) {
      await this.#removePlaces(base, images);
      return;
    }
    await this.#supervisor.ensure();
    const containers = await this.list();
    const tasks = new Map<string, string[]>();
    for (const { containerId, taskId, status } of containers) {
      tasks.set(taskId, [...(tasks.get(taskId) ?? []), containerId]);
      if (status !== 'stopped') await this.kill(containerId, 'SIGKILL');
    }
    await Promise.all([...tasks].map(([taskId, ids]) => this.#endTask(taskId, ids)));
    const { leases } = await this.#grpc.unary(Leases.method.list, {});
    for (const { id } of leases) await tolerate(this.#grpc.unary(Leases.method.delete, { id }), isNotFound);
    if (images) await this.#images.removeAll();
    await this.stop();
    await this.#supervisor.end();
    await this.#removePlaces(base, images);
  }

  /** Reaps each container as soon as it has ended after SIGKILL (bounded), then removes the task. */
  async #endTask(taskId: string, containerIds: readonly string[]): Promise<void> {
    for (const id of containerIds)
      for (let tries = 0; tries < 200; tries++) {
        const done = await this.reap(id).then(
          () => true,
          () => false,
        );
        if (done) break;
        await this.#parts.clock.sleep(25);
      }
    await this.closeTask(taskId, containerIds);
  }

  async #removePlaces(base: string, images: boolean): Promise<void> {
    for (const pid of await this.#cgroups.processes(base)) process.kill(pid, 'SIGKILL');
    await this.#cgroups.remove(base);
    await rm(this.#places.run, { recursive: true, force: true });
    await rm(this.#places.containers, { recursive: true, force: true });
    if (images) await rm(join(this.#places.root, '..'), { recursive: true, force: true });
    // containerd's shims keep their sockets here for every containerd of the machine; gone only when none is left.
    await rmdir('/run/containerd/s').catch(() => undefined);
    await rmdir('/run/containerd').catch(() => undefined);
  }

  async pull(request: PullRequest): Promise<PulledImage> {
    return await this.#images.pull(request);
  }

  async openTask(sandbox: TaskSandbox): Promise<void> {
    const { taskId, cpuUnits, memoryMiB } = sandbox;
    const lease = { id: taskId, labels: { [taskLabel]: taskId } };
    const made = tolerate(this.#grpc.unary(Leases.method.create, lease), isAlreadyThere);
    this.#cgroups.make(this.#groupOf(taskId), { cpuUnits, memoryMiB, pids: pidsOfTask });
    // A task that an earlier process began has containers in it already.
    if (await made) this.#quotas.set(taskId, { cpuUnits, launching: 0 });
    else this.#cgroups.limitCpu(this.#groupOf(taskId), cpuUnits);
  }

  async prepare(taskId: string, containerId: string, image: PulledImage): Promise<void> {
    const request = { snapshotter, key: containerId, parent: image.chainId };
    const prepared = await tolerate(
      this.#grpc.unary(Snapshots.method.prepare, request, { lease: taskId }),
      isAlreadyThere,
    );
    const { mounts } = prepared ?? (await this.#grpc.unary(Snapshots.method.mounts, { snapshotter, key: containerId }));
    this.#rootfs.set(containerId, mounts);
  }

  async launch(spec: ContainerSpec): Promise<{ pid: number }> {
    const quota = this.#quotas.get(spec.taskId);
    if (quota) quota.launching++;
    try {
      return await this.#launch(spec);
    } finally {
      if (quota && --quota.launching === 0 && this.#quotas.delete(spec.taskId))
        this.#cgroups.limitCpu(this.#groupOf(spec.taskId), quota.cpuUnits);
    }
  }

  async #launch(spec: ContainerSpec): Promise<{ pid: number }> {
    const created = await this.#create(spec).catch((error) => {
      throw new LaunchError('create', (error as Error).message);
    });
    try {
      const { pid } = await this.#grpc.unary(
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
    const folder = join(this.#places.containers, spec.id);
    const place = (name: string) => join(folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    writeFileSync(place('hosts'), spec.hosts);
    writeFileSync(place('resolv.conf'), spec.resolvConf);
    writeFileSync(place('hostname'), `${spec.hostname}\n`);
    const user = await this.#user(spec, rootfs);
    const document = ociSpec(spec, {
      user,
      cgroupPath: `${this.#groupOf(spec.taskId)}/${spec.name}`,
      hostsFile: place('hosts'),
      resolvConfFile: place('resolv.conf'),
      hostnameFile: place('hostname'),
      openFilesLimit: this.#openFilesLimit,
      architecture: process.arch,
    });
    const options = {
      typeUrl: 'containerd.runc.v1.Options',
      value: toBinary(OptionsSchema, create(OptionsSchema, { root: join(this.#places.run, 'runc') })),
    };
    const container = {
      id: spec.id,
      labels: { [taskLabel]: spec.taskId, 'longshore.io/name': spec.name },
      image: spec.image.digest,
      runtime: { name: 'io.containerd.runc.v2', options },
      spec: {
        typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
        value: Buffer.from(JSON.stringify(document)),
      },
      snapshotter,
      snapshotKey: spec.id,
    };
    this.#taskOf.set(spec.id, { taskId: spec.taskId, name: spec.name });
    await tolerate(this.#grpc.unary(Containers.method.create, { container }, { lease: spec.taskId }), isAlreadyThere);
    const output = spec.logFile ? `file://${encodeURI(spec.logFile)}` : '';
    for (let tries = 1; ; tries++)
      try {
        await this.#grpc.unary(
          Tasks.method.create,
          { containerId: spec.id, rootfs, stdout: output, stderr: output, options },
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
    const [passwd, group] = await Promise.all([
      readFromLayers(rootfs, 'etc', 'passwd'),
      readFromLayers(rootfs, 'etc', 'group'),
    ]);
    return resolveUser(spec.user || spec.image.config.user, passwd, group);
  }

  /** Removes what a failed launch left, so that it can be reported and closed like any ended container. */
  async #discard(containerId: string, taskMade: boolean): Promise<void> {
    if (taskMade)
      await this.#grpc
        .unary(Tasks.method.delete, { containerId })
        .catch((error) =>
          this.#log.warn({ containerId, error: String(error) }, 'could not delete the process of a failed launch'),
        );
    await this.#grpc.unary(Containers.method.delete, { id: containerId }).catch(() => undefined);
  }

  async kill(containerId: string, signal: string): Promise<void> {
    const number = signalNumber(signal);
    const gone = (error: unknown) =>
      isNotFound(error) ||
      (error instanceof GrpcError && /process already finished|not running|no such process/.test(error.message));
    await tolerate(this.#grpc.unary(Tasks.method.kill, { containerId, signal: number, all: number === 9 }), gone);
  }

  async reap(containerId: string): Promise<void> {
    await tolerate(this.#grpc.unary(Tasks.method.delete, { containerId }), isNotFound);
  }

  async closeTask(taskId: string, containerIds: readonly string[]): Promise<void> {
    await Promise.all(
      containerIds.map(async (id) => {
        await tolerate(this.#grpc.unary(Tasks.method.delete, { containerId: id }), isNotFound);
        await tolerate(this.#grpc.unary(Containers.method.delete, { id }), isNotFound);
        await tolerate(this.#grpc.unary(Snapshots.method.remove, { snapshotter, key: id }), isNotFound);
        await rm(join(this.#places.containers, id), { recursive: true, force: true });
        this.#rootfs.delete(id);
        this.#taskOf.delete(id);
      }),
    );
    await tolerate(this.#grpc.unary(Leases.method.delete, { id: taskId }), isNotFound);
    this.#quotas.delete(taskId);
    await this.#cgroups.remove(this.#groupOf(taskId));
  }

  async list(): Promise<readonly KnownContainer[]> {
    const [{ containers }, { tasks }] = await Promise.all([
      this.#grpc.unary(Containers.method.list, {}),
      this.#grpc.unary(Tasks.method.list, {}),
    ]);
    const processes = new Map(tasks.map((task) => [task.containerId || task.id, task]));
    return await Promise.all(
      containers
        .filter((container) => container.labels[taskLabel])
        .map(async ({ id, labels }): Promise<KnownContainer> => {
          const taskId = labels[taskLabel]!;
          this.#taskOf.set(id, { taskId, name: labels['longshore.io/name'] ?? '' });
          const process = processes.get(id);
          if (process?.status === running) return { containerId: id, taskId, status: 'running' };
          if (process?.status !== stopped) return { containerId: id, taskId, status: 'created' };
          const exitedAt = process.exitedAt ? timestampMs(process.exitedAt) : this.#parts.clock.now();
          const exit = await this.#exitOf({ containerId: id, exitCode: process.exitStatus, exitedAt });
          return { containerId: id, taskId, status: 'stopped', exit };
        }),
    );
  }

  onExit(listener: (exit: ContainerExit) => void): void {
    this.#listeners.push(listener);
  }

  async #tellExit(exited: TaskExited): Promise<void> {
    const exit = await this.#exitOf(exited);
    for (const listener of this.#listeners) listener(exit);
  }

  /** 137 is what a process killed by the kernel leaves, but also our own SIGKILL: the control group knows which it was. */
  async #exitOf(exited: TaskExited): Promise<ContainerExit> {
    const owner = this.#taskOf.get(exited.containerId);
    const outOfMemory =
      exited.exitCode === 137 &&
      !!owner &&
      (await this.#cgroups.outOfMemoryKills(`${this.#groupOf(owner.taskId)}/${owner.name}`)) > 0;
    return { ...exited, outOfMemory };
  }

  /** After a gap in the events: tells of every container that is found ended. */
  async #tellMissedExits(): Promise<void> {
    try {
      for (const container of await this.list())
        if (container.exit) for (const listener of this.#listeners) listener(container.exit);
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#log.debug({ error: String(error) }, 'could not list containers');
    }
  }

  async #bringBack(error: unknown): Promise<void> {
    if ((await this.#supervisor.pid()) !== undefined) return;
    this.#log.warn({ error: String(error) }, 'containerd has ended; starting it again');
    await this.#supervisor
      .ensure()
      .catch((problem) => this.#log.error({ error: String(problem) }, 'containerd does not start'));
  }

  #groupOf(taskId: string): string {
    return `/longshore-${this.#parts.instanceId}/${taskId}`;
  }
}

function signalNumber(signal: string): number {
  if (/^\d+$/.test(signal)) return Number(signal);
  const name = signal.toUpperCase().startsWith('SIG') ? signal.toUpperCase() : `SIG${signal.toUpperCase()}`;
  const realtime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realtime) return 34 + Number(realtime[1] ?? 0);
  return (constants.signals as Record<string, number>)[name] ?? 15;
}

/** The hard limit on open files: without CAP_SYS_RESOURCE nobody can go above it. */
async function openFilesLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard && /^\d+$/.test(hard) ? Number(hard) : Number.MAX_SAFE_INTEGER;
}

async function exists(path: string): Promise<boolean> {
  return await readdir(join(path, '..')).then(
    (names) => names.some((name) => path.endsWith(`/${name}`)),
    () => false,
  );
}
