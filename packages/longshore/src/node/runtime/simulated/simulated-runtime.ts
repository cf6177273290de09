import { createHash } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import { parseReference } from '../registry/reference.ts';
import type { ContainerExit, ContainerSpec, KnownContainer, PulledImage, PullRequest, Runtime } from '../runtime.ts';
import { PullError } from '../runtime.ts';

interface Simulated {
  readonly spec: ContainerSpec;
  exit?: ContainerExit;
  cancel: () => void;
}

/**
 * Containers that only pretend, by the clock that is passed in: for API tests without privileges and for thousands of nodes.
 * A command of `true`, `false`, `exit N` or `sleep SECONDS` ends as it says; every other runs until it is stopped. An image whose
 * tag is `missing` is not there.
 */
export class SimulatedRuntime implements Runtime {
  readonly version = 'simulated';
  readonly #clock: Clock;
  readonly #containers = new Map<string, Simulated>();
  readonly #listeners: ((exit: ContainerExit) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {
    for (const { cancel } of this.#containers.values()) cancel();
  }
  async destroy(): Promise<void> {
    await this.stop();
    this.#containers.clear();
  }

  async pull({ reference }: PullRequest): Promise<PulledImage> {
    const { canonical, digest, tag } = parseReference(reference);
    if (tag === 'missing') throw new PullError(`failed to resolve ref ${canonical}: ${canonical}: not found`);
    return {
      digest: digest ?? `sha256:${createHash('sha256').update(canonical).digest('hex')}`,
      chainId: '',
      config: { entrypoint: [], command: [], environment: [], user: '', workingDirectory: '' },
    };
  }

  async openTask(): Promise<void> {}
  async prepare(): Promise<void> {}

  async launch(spec: ContainerSpec): Promise<{ pid: number }> {
    const container: Simulated = { spec, cancel: () => undefined };
    this.#containers.set(spec.id, container);
    const [name = '', argument = ''] = (spec.command ?? []).join(' ').split(' ');
    const ends = { true: [0, 0], false: [0, 1], exit: [0, Number(argument)], sleep: [Number(argument) * 1000, 0] }[
      name
    ];
    if (ends) container.cancel = this.#clock.after(ends[0]!, () => this.#end(container, ends[1]!));
    return { pid: 0 };
  }

  async kill(containerId: string, signal: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container) this.#clock.after(0, () => this.#end(container, signal === 'SIGKILL' ? 137 : 143));
  }

  async reap(): Promise<void> {}

  async closeTask(_taskId: string, containerIds: readonly string[]): Promise<void> {
    for (const id of containerIds) {
      this.#containers.get(id)?.cancel();
      this.#containers.delete(id);
    }
  }

  async list(): Promise<readonly KnownContainer[]> {
    return [...this.#containers.values()].map(({ spec, exit }) => ({
      containerId: spec.id,
      taskId: spec.taskId,
      ...(exit ? { status: 'stopped' as const, exit } : { status: 'running' as const }),
    }));
  }

  onExit(listener: (exit: ContainerExit) => void): void {
    this.#listeners.push(listener);
  }

  #end(container: Simulated, exitCode: number): void {
    if (container.exit) return;
    container.cancel();
    container.exit = { containerId: container.spec.id, exitCode, exitedAt: this.#clock.now(), outOfMemory: false };
    for (const listener of this.#listeners) listener(container.exit);
  }
}
