import { type LaunchError, PullError } from '../runtime/runtime.ts';

/**
 * Why something did not come about, in the words of ECS
 * (AWS, "Stopped tasks error messages": developerguide/stopped-task-error-codes.html).
 */
export const outOfMemory = 'OutOfMemoryError: Container killed due to memory usage';
export const essentialExited = 'Essential container in task exited';

/** Fargate names a missing manifest as a pull that it has tried again; what is not a plain refusal keeps its own text. */
export function cannotPull(error: unknown): string {
  const text = (error as Error).message;
  if (text.startsWith('ResourceInitializationError')) return text;
  if (error instanceof PullError && text.startsWith('failed to resolve ref'))
    return `CannotPullContainerError: pull image manifest has been retried 1 time(s): ${text}`;
  return `CannotPullContainerError: ${text}`;
}

/**
 * containerd and runc wrap a cause in what they were doing; the cause is what the user can mend. runc tries the command when
 * it creates, Docker calls that starting, and so does ECS.
 */
export function cannotLaunch(error: LaunchError): string {
  const starting = error.phase === 'start' || error.message.includes('unable to start container process');
  const name = starting ? 'CannotStartContainerError' : 'CannotCreateContainerError';
  const text = error.message
    .replace(/^failed to create shim task: /, '')
    .replace(/^OCI runtime (create|start) failed: /, '')
    .replace(/^runc (create|run|start) failed: /, '')
    .replace(/: unknown$/, '');
  return `${name}: ${text}`;
}

export const networking = (error: unknown) => `ContainerNetworkingError: ${(error as Error).message}`;

/** Fargate's text where the log driver can't be set up. */
export function cannotLog(error: unknown): string {
  return `ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ${(error as Error).message}`;
}
