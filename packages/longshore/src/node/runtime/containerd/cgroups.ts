import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * How the machine mounts control groups: one unified tree (v2), or a tree for each controller (v1, also in hybrid mode, where
 * the unified tree beside them has no controllers).
 */
export type CgroupLayout =
  | { readonly version: 2; readonly mount: string }
  | { readonly version: 1; readonly controllers: Readonly<Record<string, string>> };

export interface CgroupLimits {
  /** CPU units, 1024 = one vCPU; 0 for no limit. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  readonly pids: number;
}

/** A value to be written into a file of a control group, given by absolute folder and file name. */
export interface CgroupWrite {
  readonly folder: string;
  readonly file: string;
  readonly value: string;
  /** Left out where the kernel has no such file. */
  readonly ifThere?: true;
}

const wanted = ['cpu', 'memory', 'pids'];
const handedDown = '+cpu +memory +pids';
const periodMicroseconds = 100_000;

/** Reads the layout from the text of /proc/self/mounts. Throws Error where control groups are not mounted. */
export function layoutFrom(mounts: string): CgroupLayout {
  const controllers: Record<string, string> = {};
  let unified: string | undefined;
  for (const line of mounts.split('\n')) {
    const [, path = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup2') unified ??= path;
    if (type === 'cgroup')
      for (const option of options.split(',')) if (wanted.includes(option)) controllers[option] ??= path;
  }
  if (controllers.memory) return { version: 1, controllers };
  if (unified) return { version: 2, mount: unified };
  throw new Error('no control groups are mounted at /sys/fs/cgroup: mount cgroup2 there');
}

/** The folders that make the group `path` (absolute within the hierarchy), one for each controller's tree. */
export function foldersOf(layout: CgroupLayout, path: string): string[] {
  if (layout.version === 2) return [join(layout.mount, path)];
  return [...new Set(Object.values(layout.controllers))].map((mount) => join(mount, path));
}

/**
 * What to write to give the group `path` these limits (kernel: admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, sched-bwc.rst).
 * A task on Fargate has no swap: without its limit a machine with swap would swap out what should end for want of memory. Kernels
 * without swap accounting have no such file.
 */
export function limitWrites(layout: CgroupLayout, path: string, limits: CgroupLimits): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const quota = Math.max(1000, Math.round((limits.cpuUnits / 1024) * periodMicroseconds));
  const bytes = String(limits.memoryMiB * 1024 * 1024);
  if (layout.version === 2) {
    const folder = join(layout.mount, path);
    if (limits.cpuUnits > 0) {
      writes.push({ folder, file: 'cpu.max', value: `${quota} ${periodMicroseconds}` });
      writes.push({ folder, file: 'cpu.weight', value: String(weightOf(limits.cpuUnits)) });
    }
    if (limits.memoryMiB > 0) {
      writes.push({ folder, file: 'memory.max', value: bytes });
      writes.push({ folder, file: 'memory.swap.max', value: '0', ifThere: true });
    }
    if (limits.pids > 0) writes.push({ folder, file: 'pids.max', value: String(limits.pids) });
    return writes;
  }
  const at = (controller: string) => {
    const mount = layout.controllers[controller];
    return mount && join(mount, path);
  };
  const cpu = at('cpu');
  const memory = at('memory');
  const pids = at('pids');
  if (cpu && limits.cpuUnits > 0) {
    writes.push({ folder: cpu, file: 'cpu.cfs_period_us', value: String(periodMicroseconds) });
    writes.push({ folder: cpu, file: 'cpu.cfs_quota_us', value: String(quota) });
    writes.push({ folder: cpu, file: 'cpu.shares', value: String(limits.cpuUnits) });
  }
  if (memory && limits.memoryMiB > 0) {
    writes.push({ folder: memory, file: 'memory.limit_in_bytes', value: bytes });
    // v1 limits memory and swap together, and takes this only when the other is set.
    writes.push({ folder: memory, file: 'memory.memsw.limit_in_bytes', value: bytes, ifThere: true });
  }
  if (pids && limits.pids > 0) writes.push({ folder: pids, file: 'pids.max', value: String(limits.pids) });
  return writes;
}

/** CPU shares (2–262144) as a weight (1–10000), as runc and Kubernetes convert them. */
export function weightOf(shares: number): number {
  const clamped = Math.min(262_144, Math.max(2, shares));
  return 1 + Math.floor(((clamped - 2) * 9999) / 262_142);
}

const isQuota = (file: string) => file === 'cpu.max' || file === 'cpu.cfs_quota_us';

/** The machine's control groups: makes, limits, reads and removes groups. */
export class Cgroups {
  readonly #layout: CgroupLayout;

  private constructor(layout: CgroupLayout) {
    this.#layout = layout;
  }

  static async open(): Promise<Cgroups> {
    return new Cgroups(layoutFrom(await readFile('/proc/self/mounts', 'utf8')));
  }

  /**
   * Makes the group with its parents, or finds it there, and sets its limits. Synchronous: control groups are in memory, and a dozen
   * trips through the thread pool would cost a task's start more than all of them. The CPU quota is left to `limitCpu`.
   */
  make(path: string, limits: CgroupLimits): void {
    if (this.#layout.version === 2) this.#delegate(this.#layout.mount, path);
    for (const folder of foldersOf(this.#layout, path)) mkdirSync(folder, { recursive: true });
    this.#write(limitWrites(this.#layout, path, limits).filter(({ file }) => !isQuota(file)));
    if (this.#layout.version === 2) writeFileSync(join(this.#layout.mount, path, 'cgroup.subtree_control'), handedDown);
  }

  /** Sets the CPU quota of a group that `make` made. */
  limitCpu(path: string, cpuUnits: number): void {
    this.#write(
      limitWrites(this.#layout, path, { cpuUnits, memoryMiB: 0, pids: 0 }).filter(({ file }) => isQuota(file)),
    );
  }

  #write(writes: readonly CgroupWrite[]): void {
    for (const { folder, file, value, ifThere } of writes) {
      const path = join(folder, file);
      if (!ifThere || existsSync(path)) writeFileSync(path, value);
    }
  }

  /** v2: a controller is there in a group only when every parent hands it down. */
  #delegate(mount: string, path: string): void {
    let folder = mount;
    for (const part of path.split('/').filter(Boolean)) {
      writeFileSync(join(folder, 'cgroup.subtree_control'), handedDown);
      folder = join(folder, part);
      mkdirSync(folder, { recursive: true });
    }
  }

  /** How many processes of the group the kernel has killed for want of memory. */
  async outOfMemoryKills(path: string): Promise<number> {
    const file =
      this.#layout.version === 2
        ? join(this.#layout.mount, path, 'memory.events')
        : join(this.#layout.controllers.memory!, path, 'memory.oom_control');
    const text = await readFile(file, 'utf8').catch(() => '');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** The process ids in the group and in those below it. */
  async processes(path: string): Promise<number[]> {
    const found = new Set<number>();
    for (const folder of foldersOf(this.#layout, path))
      for (const group of await treeOf(folder))
        for (const pid of (await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n'))
          if (pid) found.add(Number(pid));
    return [...found];
  }

  /** Removes the group and those below it, in every tree; nothing where it is gone. Groups with processes in them stay. */
  async remove(path: string): Promise<void> {
    const mounts = this.#layout.version === 2 ? [this.#layout.mount] : await allMounts();
    await Promise.all(
      mounts.map(async (mount) => {
        for (const group of (await treeOf(join(mount, path))).reverse()) await rmdir(group).catch(() => undefined);
      }),
    );
  }
}

/** runc makes a container's group in every tree of v1, so they are removed from every tree. */
async function allMounts(): Promise<string[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path]) => path!);
}

/** A group and all below it, parents first. */
async function treeOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (!entries) return [];
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => treeOf(join(folder, entry.name))),
  );
  return [folder, ...below.flat()];
}
