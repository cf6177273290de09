import type { RegistryAccess } from './registry/access.ts';

/** What an image's configuration says about running it (OCI image-spec, config.md). */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  /** e.g. `SIGTERM` or `15`; absent where the image names none. */
  readonly stopSignal?: string;
}

/** An image that is there, ready to be run. */
export interface PulledImage {
  /** What the reference resolved to (the index's digest for a multi-platform image): reported as `imageDigest`. */
  readonly digest: string;
  /** The committed snapshot that the image's layers make. */
  readonly chainId: string;
  readonly config: ImageConfig;
}

export interface TaskSandbox {
  readonly taskId: string;
  /** CPU units (1024 = one vCPU) and MiB that all of the task's containers together may use; 0 for no limit. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** How the container is connected: a namespace that is there, the machine's own, or one of its own with nothing in it. */
export type ContainerNetwork = { readonly namespacePath: string } | 'host' | 'none';

export interface ContainerSpec {
  /** Unique on the machine; also the `runtimeId` that is reported. */
  readonly id: string;
  readonly taskId: string;
  readonly name: string;
  readonly image: PulledImage;
  /** Absent: the image's own. */
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly hostname: string;
  readonly network: ContainerNetwork;
  /** Text of /etc/hosts and /etc/resolv.conf. */
  readonly hosts: string;
  readonly resolvConf: string;
  /** CPU units as a share, and MiB as a hard limit; 0 for none of its own. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  readonly readonlyRootfs: boolean;
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly ulimits: readonly Ulimit[];
  readonly shmMiB: number;
  /** Paths of tmpfs mounts with their options, comma-separated as Docker has them. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Absolute path of the file that standard output and error are appended to; absent: they are dropped. */
  readonly logFile?: string;
}

export interface ContainerExit {
  readonly containerId: string;
  readonly exitCode: number;
  /** Milliseconds since the epoch. */
  readonly exitedAt: number;
  readonly outOfMemory: boolean;
}

/** A container that the runtime knows, for taking up after a restart. */
export interface KnownContainer {
  readonly containerId: string;
  readonly taskId: string;
  /** `created` never started; `stopped` carries its exit. */
  readonly status: 'created' | 'running' | 'stopped';
  readonly exit?: ContainerExit;
}

export interface PullRequest {
  readonly reference: string;
  readonly access: RegistryAccess;
  readonly signal: AbortSignal;
}

/** Thrown by `launch`: which half failed, since ECS reports them under different names. */
export class LaunchError extends Error {
  readonly phase: 'create' | 'start';
  constructor(phase: 'create' | 'start', message: string) {
    super(message);
    this.phase = phase;
  }
}

/** Thrown by `pull`: the image can't be had, and trying again will not help. `message` is ECS's text after the reason's name. */
export class PullError extends Error {}

/** What really runs containers. Ids are the caller's; every call is idempotent where the word makes sense. */
export interface Runtime {
  /** Name and version, e.g. `containerd 1.6.20`, reported as the agent's `dockerVersion`. */
  readonly version: string;
  /** Takes up what is on the machine, or starts it. */
  start(): Promise<void>;
  /** Ends connections; leaves every container running. */
  stop(): Promise<void>;
  /** Ends every container of ours and all that was made for them; images too where `images` is true. */
  destroy(images: boolean): Promise<void>;
  /** Fetches the image, or finds it present with the digest that the registry names. Throws PullError. */
  pull(request: PullRequest): Promise<PulledImage>;
  /** Makes what the task's containers share: the control group with the task's limits. */
  openTask(sandbox: TaskSandbox): Promise<void>;
  /** Makes the container's root file system, so that `launch` need not. */
  prepare(taskId: string, containerId: string, image: PulledImage): Promise<void>;
  /** Creates and starts. Throws LaunchError. */
  launch(spec: ContainerSpec): Promise<{ readonly pid: number }>;
  /** Sends a signal by name (`SIGTERM`) or number to the container's first process; nothing where it has ended. */
  kill(containerId: string, signal: string): Promise<void>;
  /** After its exit: waits for the container's last output to be written and frees its process. */
  reap(containerId: string): Promise<void>;
  /** Removes everything of the task. Its containers must have ended. */
  closeTask(taskId: string, containerIds: readonly string[]): Promise<void>;
  list(): Promise<readonly KnownContainer[]>;
  /** `listener` hears of every exit, also of those that come to light late; an exit may be told twice. */
  onExit(listener: (exit: ContainerExit) => void): void;
}
