import { createHash } from 'node:crypto';
import type { PayloadContainer, PayloadTask } from '../../protocol/payload.ts';
import type { PulledImage } from '../runtime/runtime.ts';

/** How far a container has come. `PULLED`: image and root file system are there. */
export type ContainerStatus = 'NONE' | 'PULLED' | 'RUNNING' | 'STOPPED';
/** What the server has been told. */
export type ReportedStatus = 'PENDING' | 'RUNNING' | 'STOPPED';

export interface ContainerState {
  readonly name: string;
  /** The container's id in the runtime, and the `runtimeId` that is reported. */
  readonly id: string;
  status: ContainerStatus;
  /** Work under way outside the actor; never on disk. */
  work?: 'pulling' | 'launching' | 'stopping' | 'reaping' | undefined;
  /** The log stream: none needed or wanted yet, being opened, open. */
  log: 'none' | 'opening' | 'open';
  image?: PulledImage;
  launched: boolean;
  /** Its process is freed and its last output shipped. */
  reaped: boolean;
  exitCode?: number;
  exitedAt?: number;
  reason?: string;
}

export interface TaskState {
  payload: PayloadTask;
  readonly taskId: string;
  desired: 'RUNNING' | 'STOPPED';
  /** Whether the machine's resources are set aside for it. */
  admitted: boolean;
  sandbox: 'none' | 'opening' | 'open';
  network: 'none' | 'attaching' | 'attached';
  namespacePath?: string;
  /** The end: networks and logs being let go, then let go, then everything removed. */
  end: 'none' | 'releasing' | 'released';
  /** Why the task stops, in ECS's words; absent where the server asked for it. */
  reason?: string;
  pullStartedAt?: number;
  pullStoppedAt?: number;
  executionStoppedAt?: number;
  /** Last status that the server has acknowledged. */
  sent?: ReportedStatus;
  readonly containers: ContainerState[];
}

/** The state of a task that has just been asked for. */
export function newTask(payload: PayloadTask): TaskState {
  const taskId = taskIdOf(payload.arn);
  return {
    payload,
    taskId,
    desired: payload.desiredStatus,
    admitted: false,
    sandbox: 'none',
    network: 'none',
    end: 'none',
    containers: payload.containers.map(({ name }) => ({
      name,
      id: runtimeIdOf(taskId, name),
      status: 'NONE',
      log: 'none',
      launched: false,
      reaped: false,
    })),
  };
}

export const taskIdOf = (arn: string) => arn.slice(arn.lastIndexOf('/') + 1);

/**
 * `TASK-ID-NNNNNNNNNN`, the form that Fargate's runtime ids have. It follows from the names, so that a process that ended between
 * making a container and noting it finds the container again.
 */
export function runtimeIdOf(taskId: string, containerName: string): string {
  const number = createHash('sha256').update(`${taskId}/${containerName}`).digest().readUInt32BE(0);
  return `${taskId}-${String(number).padStart(10, '0')}`;
}

/** What the payload says of a container. */
export function definitionOf(task: TaskState, container: ContainerState): PayloadContainer {
  const found = task.payload.containers.find(({ name }) => name === container.name);
  if (!found) throw new Error(`the task has no container ${container.name}`);
  return found;
}
