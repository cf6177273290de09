import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { Containers } from '../packages/longshore/src/node/runtime/containerd/gen/containers_pb.ts';
import { Leases } from '../packages/longshore/src/node/runtime/containerd/gen/leases_pb.ts';
import { OptionsSchema } from '../packages/longshore/src/node/runtime/containerd/gen/runc-options_pb.ts';
import { Snapshots } from '../packages/longshore/src/node/runtime/containerd/gen/snapshots_pb.ts';
import { Tasks } from '../packages/longshore/src/node/runtime/containerd/gen/tasks_pb.ts';
import { Grpc } from '../packages/longshore/src/node/runtime/containerd/grpc.ts';

const snapshotter = 'overlayfs';
const timeoutMs = 60_000;

interface Document {
  annotations?: object;
  mounts: { type: string }[];
  linux: { namespaces: { type: string }[]; cgroupsPath?: string; sysctl?: object };
}

/**
 * The least that starts a container on containerd, in this process: lease, snapshot, container, its process created, started. The
 * machine's own network; no files, no log, no state kept, nobody told.
 */
export class BareLauncher {
  readonly #grpc: Grpc;
  readonly #parent: string;
  readonly #document: Document;
  readonly #cgroup: string;
  readonly #options;

  private constructor(grpc: Grpc, parent: string, document: Document, cgroup: string, run: string) {
    this.#grpc = grpc;
    this.#parent = parent;
    this.#document = document;
    this.#cgroup = cgroup;
    this.#options = {
      typeUrl: 'containerd.runc.v1.Options',
      value: toBinary(OptionsSchema, create(OptionsSchema, { root: `${run}/runc` })),
    };
  }

  /**
   * Starts what a task of the Longshore `instanceId` runs now: the same image and process, with its capabilities, limits and
   * seccomp profile. Throws Error where no task runs.
   */
  static async like(instanceId: string): Promise<BareLauncher> {
    const run = `/run/longshore-${instanceId}`;
    const grpc = new Grpc(`${run}/containerd.sock`);
    const { containers } = await grpc.unary(Containers.method.list, {});
    const model = containers.find((container) => container.labels['longshore.io/task']);
    if (!model?.spec) throw new Error('containerd runs no task: run one first');
    const { info } = await grpc.unary(Snapshots.method.stat, { snapshotter, key: model.snapshotKey });
    const document = JSON.parse(Buffer.from(model.spec.value).toString()) as Document;
    document.annotations = {};
    document.mounts = document.mounts.filter(({ type }) => type !== 'bind');
    delete document.linux.sysctl;
    document.linux.namespaces = document.linux.namespaces.filter(({ type }) => type !== 'network');
    return new BareLauncher(grpc, info?.parent ?? '', document, `/longshore-${instanceId}/bare`, run);
  }

  /** Resolves when the container's process has been started. */
  async launch(id: string): Promise<void> {
    const lease = { lease: id };
    await this.#grpc.unary(Leases.method.create, { id });
    const snapshot = { snapshotter, key: id, parent: this.#parent };
    const { mounts: rootfs } = await this.#grpc.unary(Snapshots.method.prepare, snapshot, lease);
    const options = this.#options;
    const { linux, ...rest } = this.#document;
    const document = { ...rest, linux: { ...linux, cgroupsPath: `${this.#cgroup}/${id}` } };
    const container = {
      id,
      runtime: { name: 'io.containerd.runc.v2', options },
      spec: {
        typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Spec',
        value: Buffer.from(JSON.stringify(document)),
      },
      snapshotter,
      snapshotKey: id,
    };
    await this.#grpc.unary(Containers.method.create, { container }, lease);
    await this.#grpc.unary(Tasks.method.create, { containerId: id, rootfs, options }, { timeoutMs });
    await this.#grpc.unary(Tasks.method.start, { containerId: id }, { timeoutMs });
  }

  /** Launches them all, `atOnce` at a time; how many a second. */
  async rate(ids: readonly string[], atOnce: number): Promise<number> {
    const queue = [...ids];
    const began = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let id = queue.shift(); id; id = queue.shift()) await this.launch(id);
      }),
    );
    return ids.length / ((performance.now() - began) / 1000);
  }

  async remove(id: string): Promise<void> {
    await this.#grpc.unary(Tasks.method.kill, { containerId: id, signal: 9, all: true }).catch(() => undefined);
    for (let tries = 0; ; tries++) {
      const gone = await this.#grpc.unary(Tasks.method.delete, { containerId: id }).then(
        () => true,
        () => false,
      );
      if (gone) break;
      if (tries > 300) throw new Error(`${id} did not end within 3 s of SIGKILL`);
      await sleep(10);
    }
    await this.#grpc.unary(Containers.method.delete, { id });
    await this.#grpc.unary(Snapshots.method.remove, { snapshotter, key: id }).catch(() => undefined);
    await this.#grpc.unary(Leases.method.delete, { id });
  }

  close(): void {
    this.#grpc.close();
  }
}
