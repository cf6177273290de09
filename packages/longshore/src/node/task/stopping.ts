import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { ContainerExit, Runtime } from '../runtime/runtime.ts';
import { type ContainerState, definitionOf, type TaskState } from './state.ts';

const defaultStopTimeoutSeconds = 30;
/** How long a container may go on after SIGKILL before it is looked for. */
const killedMs = 10_000;
const killAgainMs = 1_000;

export interface StoppingParts {
  readonly runtime: Pick<Runtime, 'kill' | 'list'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Runs something later, unless the task is over by then. */
  after(ms: number, run: () => void): void;
  /** An exit that the runtime did not tell of. */
  onExit(exit: ContainerExit): void;
}

/** The image's stop signal or SIGTERM, and SIGKILL when the time is over. The exit comes as an event of the runtime. */
export function stopContainer(state: TaskState, container: ContainerState, parts: StoppingParts): void {
  const { runtime, clock, log, after } = parts;
  const seconds = definitionOf(state, container).stopTimeout ?? defaultStopTimeoutSeconds;
  const whileRunning = (ms: number, run: () => void) =>
    after(ms, () => {
      if (container.status === 'RUNNING') run();
    });

  const kill = (signal: string): void => {
    runtime.kill(container.id, signal).catch((error) => {
      log.warn(
        { container: container.name, signal, error: String(error) },
        'could not signal a container; trying again',
      );
      whileRunning(killAgainMs, () => kill(signal));
    });
  };

  /** After SIGKILL no exit was told: asks the runtime what is true. */
  const lookFor = (): void => {
    runtime.list().then(
      (known) => {
        const found = known.find(({ containerId }) => containerId === container.id);
        if (found?.status === 'running') whileRunning(0, () => kill('SIGKILL'));
        else
          parts.onExit(
            found?.exit ?? { containerId: container.id, exitCode: 137, exitedAt: clock.now(), outOfMemory: false },
          );
      },
      () => undefined,
    );
    whileRunning(killedMs, lookFor);
  };

  kill(container.image?.config.stopSignal ?? 'SIGTERM');
  whileRunning(seconds * 1000, () => {
    log.info({ container: container.name, seconds }, 'not stopped by its signal in time; killing it');
    kill('SIGKILL');
    whileRunning(killedMs, lookFor);
  });
}
