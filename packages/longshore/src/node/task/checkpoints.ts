import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { readJson, remove, writeJson } from '../files.ts';
import type { TaskState } from './state.ts';

/**
 * How long after a write of a task the next one waits: a start is half a dozen events. What the last moment before a crash lacks
 * on disk, the runtime and the server still know.
 */
const gatherMs = 100;

/** The tasks' states on disk, a small file each, from which a new process takes up what runs. They hold credentials: mode 0600. */
export class Checkpoints {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #flushing = new AbortController();
  /** Texts that wait to be written, and tasks whose file is being written. */
  readonly #waiting = new Map<string, TaskState | null>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(folder: string, clock: Clock, log: Logger) {
    this.#folder = folder;
    this.#clock = clock;
    this.#log = log;
  }

  async load(): Promise<TaskState[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'));
    const states = await Promise.all(names.map((name) => readJson<TaskState>(join(this.#folder, name))));
    return states.filter((state) => state !== undefined).map(settled);
  }

  /** Writes the state at once, or where the task was written a moment ago, soon: then the newest that came meanwhile. */
  save(state: TaskState): void {
    this.#put(state.taskId, state);
  }

  remove(taskId: string): void {
    this.#put(taskId, null);
  }

  /** Resolves when everything that was saved is on disk. From now on nothing waits. */
  async flush(): Promise<void> {
    this.#flushing.abort();
    while (this.#writing.size > 0) await Promise.all(this.#writing.values());
  }

  #put(taskId: string, state: TaskState | null): void {
    this.#waiting.set(taskId, state);
    if (this.#writing.has(taskId)) return;
    // One turn later: several events of one moment make one write.
    const writing = Promise.resolve().then(() => this.#write(taskId));
    this.#writing.set(taskId, writing);
  }

  async #write(taskId: string): Promise<void> {
    const path = join(this.#folder, `${taskId}.json`);
    for (let state = this.#waiting.get(taskId); state !== undefined; state = this.#waiting.get(taskId)) {
      this.#waiting.delete(taskId);
      try {
        if (state === null) await remove(path);
        else await writeJson(path, state);
      } catch (error) {
        this.#log.error({ task: taskId, error: String(error) }, 'could not write the state of a task');
      }
      await this.#clock.sleep(gatherMs, this.#flushing.signal).catch(() => undefined);
    }
    this.#writing.delete(taskId);
  }
}

/** What was under way when the other process ended is to be begun anew. */
function settled(state: TaskState): TaskState {
  return {
    ...state,
    sandbox: state.sandbox === 'opening' ? 'none' : state.sandbox,
    network: 'none',
    end: 'none',
    containers: state.containers.map(({ work: _, ...container }) => ({
      ...container,
      status: container.status === 'PULLED' ? 'NONE' : container.status,
      log: 'none',
    })),
  };
}
