import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';
import type { HttpClient } from '../../session/http.ts';
import type {
  ContainerExit,
  ContainerSpec,
  KnownContainer,
  PulledImage,
  PullRequest,
  Runtime,
  TaskSandbox,
} from '../runtime.ts';
import { Cgroups } from './cgroups.ts';
import { followExits, type TaskExited } from './events.ts';
import { Containers } from './gen/containers_pb.ts';
import { Leases } from './gen/leases_pb.ts';
import { Namespaces } from './gen/namespaces_pb.ts';
import { Snapshots } from './gen/snapshots_pb.ts';
import { Tasks } from './gen/tasks_pb.ts';
import { Grpc, GrpcError, isAlreadyThere, isNotFound, namespace, tolerate } from './grpc.ts';
import { ImageStore, snapshotter } from './images.ts';
import { nameLabel, taskLabel } from './labels.ts';
import { Launcher, openFilesLimit } from './launcher.ts';
import type { Places } from './places.ts';
import { signalNumber } from './signals.ts';
import { Supervisor } from './supervisor.ts';

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
  readonly #taskOf = new Map<string, { readonly taskId: string; readonly name: string }>();
  #cgroups!: Cgroups;
  #launcher!: Launcher;
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
    await this.#open();
    this.version = `containerd ${await this.#supervisor.ensure()}`;
    await tolerate(this.#grpc.unary(Namespaces.method.create, { namespace: { name: namespace } }), isAlreadyThere);
    await this.#images.load();
    void followExits(this.#grpc, this.#parts.clock, this.#ended.signal, {
      onExit: (exit) => void this.#tellExit(exit),
      onSubscribed: () => void this.#tellMissedExits(),
      onLost: (error) => this.#bringBack(error),
    });
  }

  async #open(): Promise<void> {
    this.#cgroups = await Cgroups.open();
    this.#launcher = new Launcher({
      ...this.#parts,
      grpc: this.#grpc,
      cgroups: this.#cgroups,
      openFilesLimit: await openFilesLimit(),
      groupOf: (taskId) => this.#groupOf(taskId),
      onCreate: ({ id, taskId, name }) => this.#taskOf.set(id, { taskId, name }),
    });
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#grpc.close();
  }

  async destroy(images: boolean): Promise<void> {
    await this.#open();
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
    if (await made) this.#launcher.limitCpuAfterLaunch(taskId, cpuUnits);
    else this.#cgroups.limitCpu(this.#groupOf(taskId), cpuUnits);
  }

  prepare(taskId: string, containerId: string, image: PulledImage): Promise<void> {
    return this.#launcher.prepare(taskId, containerId, image);
  }

  launch(spec: ContainerSpec): Promise<{ pid: number }> {
    return this.#launcher.launch(spec);
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
        this.#taskOf.delete(id);
      }),
    );
    await tolerate(this.#grpc.unary(Leases.method.delete, { id: taskId }), isNotFound);
    this.#launcher.forget(taskId, containerIds);
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
          this.#taskOf.set(id, { taskId, name: labels[nameLabel] ?? '' });
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

async function exists(path: string): Promise<boolean> {
  return await readdir(join(path, '..')).then(
    (names) => names.some((name) => path.endsWith(`/${name}`)),
    () => false,
  );
}
