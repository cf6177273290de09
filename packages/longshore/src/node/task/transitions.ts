import { essentialExited } from './reasons.ts';
import { type ContainerState, definitionOf, type TaskState } from './state.ts';

/** The task is to stop at `now`; `reason` in ECS's words where the node knows one. What has not begun never will. */
export function stopTask(state: TaskState, reason: string | undefined, now: number): void {
  if (state.desired === 'STOPPED' && state.executionStoppedAt !== undefined) return;
  state.desired = 'STOPPED';
  if (reason) state.reason ??= reason;
  state.executionStoppedAt ??= now;
  for (const container of state.containers)
    if ((container.status === 'NONE' || container.status === 'PULLED') && !container.work) neverRan(container);
}

/** The container counts as ended without having run. */
export function neverRan(container: ContainerState): void {
  container.status = 'STOPPED';
  container.work = undefined;
  container.reaped = !container.launched;
}

/**
 * The task has lost a container: it stops where that was essential (for `reason`) or the last one. True where it goes on without it.
 */
export function goesOnWithout(state: TaskState, container: ContainerState, reason: string, now: number): boolean {
  if (definitionOf(state, container).essential) stopTask(state, reason, now);
  else if (state.containers.every(({ status }) => status === 'STOPPED')) stopTask(state, essentialExited, now);
  else return true;
  return false;
}
