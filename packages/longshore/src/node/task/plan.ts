import type { DependsOn } from '../../protocol/payload.ts';
import { type ContainerState, definitionOf, type TaskState } from './state.ts';

/** What to set going next. Everything in one answer can run at the same time. */
export type Action =
  | { readonly do: 'open-sandbox' | 'attach' | 'release' }
  | { readonly do: 'open-log' | 'pull' | 'launch' | 'stop' | 'reap' | 'cancel-pull'; readonly container: string }
  | { readonly do: 'fail'; readonly container: string; readonly reason: string };

type TaskAction = Extract<Action, { readonly do: 'open-sandbox' | 'attach' | 'release' }>;

export const isTaskAction = (action: Action): action is TaskAction => !('container' in action);

/** What a task's state calls for. Pure: asked again after every event, it answers only what is not under way. */
export function plan(task: TaskState): Action[] {
  if (!task.admitted && task.desired === 'RUNNING') return [];
  const actions = task.desired === 'RUNNING' ? forRunning(task) : forStopping(task);
  // The task's shim ends with its last process: it must not while another container is on its way into it.
  const more = task.containers.some(
    ({ status, work }) =>
      work === 'launching' || (task.desired === 'RUNNING' && (status === 'NONE' || status === 'PULLED')),
  );
  for (const container of task.containers)
    if (!more && container.status === 'STOPPED' && !container.reaped && !container.work && container.log !== 'opening')
      actions.push({ do: 'reap', container: container.name });
  const over = task.containers.every(({ status, reaped, work }) => status === 'STOPPED' && reaped && !work);
  const busy =
    task.sandbox === 'opening' || task.network === 'attaching' || task.containers.some(({ log }) => log === 'opening');
  if (over && !busy && task.end === 'none') actions.push({ do: 'release' });
  return actions;
}

function forRunning(task: TaskState): Action[] {
  const actions: Action[] = [];
  if (task.sandbox === 'none') actions.push({ do: 'open-sandbox' });
  if (task.network === 'none') actions.push({ do: 'attach' });
  for (const container of task.containers) {
    if (container.log === 'none') actions.push({ do: 'open-log', container: container.name });
    if (container.work) continue;
    if (container.status === 'NONE') actions.push({ do: 'pull', container: container.name });
    if (container.status !== 'PULLED') continue;
    const verdict = mayStart(task, container);
    if (verdict.may === 'never') actions.push({ do: 'fail', container: container.name, reason: verdict.reason });
    const ready = task.sandbox === 'open' && task.network === 'attached' && container.log === 'open';
    if (verdict.may === 'now' && ready) actions.push({ do: 'launch', container: container.name });
  }
  return actions;
}

function forStopping(task: TaskState): Action[] {
  const actions: Action[] = [];
  for (const container of task.containers) {
    if (container.work === 'pulling') actions.push({ do: 'cancel-pull', container: container.name });
    if (container.status === 'RUNNING' && !container.work && dependantsOf(task, container.name).every(hasStopped))
      actions.push({ do: 'stop', container: container.name });
  }
  return actions;
}

export type Verdict = { readonly may: 'now' | 'later' } | { readonly may: 'never'; readonly reason: string };

/** Whether the containers that this one depends on let it start (AWS, "Container dependency"). */
export function mayStart(task: TaskState, container: ContainerState): Verdict {
  const verdicts = (definitionOf(task, container).dependsOn ?? []).map((dependency) =>
    verdictOn(task, container, dependency),
  );
  return verdicts.find(({ may }) => may === 'never') ?? verdicts.find(({ may }) => may === 'later') ?? { may: 'now' };
}

function verdictOn(task: TaskState, container: ContainerState, dependency: DependsOn): Verdict {
  const other = task.containers.find(({ name }) => name === dependency.containerName);
  const never = (why: string): Verdict => ({
    may: 'never',
    reason: `TaskDependencyError: failed container ordering dependency [${dependency.containerName}] for target [${container.name}]: ${why}`,
  });
  if (!other) return never('the task has no such container');
  const ended = hasStopped(other);
  switch (dependency.condition) {
    case 'START':
      if (other.launched) return { may: 'now' };
      return ended ? never('it did not start') : { may: 'later' };
    case 'COMPLETE':
      if (ended && other.launched) return { may: 'now' };
      return ended ? never('it did not start') : { may: 'later' };
    case 'SUCCESS':
      if (ended)
        return other.exitCode === 0 ? { may: 'now' } : never(`it ended with exit code ${other.exitCode ?? 'unknown'}`);
      return { may: 'later' };
    case 'HEALTHY':
      return never(
        'condition HEALTHY is not supported yet: this version of Longshore does not run container health checks',
      );
  }
}

/** Containers that wait for `name`, and so are stopped before it. */
function dependantsOf(task: TaskState, name: string): ContainerState[] {
  return task.containers.filter((container) =>
    definitionOf(task, container).dependsOn?.some(({ containerName }) => containerName === name),
  );
}

const hasStopped = ({ status }: ContainerState) => status === 'STOPPED';

/** Whether the task as a whole runs: every container does, except those not essential that have ended. */
export function isRunning(task: TaskState): boolean {
  return (
    task.desired === 'RUNNING' &&
    task.containers.some(({ status }) => status === 'RUNNING') &&
    task.containers.every(
      (container) =>
        container.status === 'RUNNING' || (hasStopped(container) && !definitionOf(task, container).essential),
    )
  );
}
