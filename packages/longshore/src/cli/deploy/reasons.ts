import type { Service, Task } from '@aws-sdk/client-ecs';

/** What DescribeTargetHealth says of one target. */
export interface Target {
  readonly Target: { readonly Id: string; readonly Port?: number };
  readonly TargetHealth: { readonly State: string; readonly Description?: string };
}

/** Why a task stopped: its own reason, then that of each container that failed. */
export function reasonOfStop(task: Task): string {
  const containers = (task.containers ?? [])
    .filter((container) => container.reason || container.exitCode)
    .map(({ name, reason, exitCode }) => {
      const parts = [reason, exitCode === undefined ? undefined : `exit code ${exitCode}`];
      return `${name}: ${parts.filter((part) => part).join(', ')}`;
    });
  return [task.stoppedReason ?? 'stopped', ...containers].join('; ');
}

/** What a service that is not steady yet waits for; undefined where nothing tells. */
export function whyUnsteady(service: Service | undefined, targets: readonly Target[]): string | undefined {
  const unwell = targets.find(({ TargetHealth }) => TargetHealth.State === 'unhealthy');
  if (unwell) {
    const { Id, Port } = unwell.Target;
    return `The task at ${Id}:${Port} runs but is not healthy: ${unwell.TargetHealth.Description ?? 'no reason given'}`;
  }
  const event = service?.events?.[0]?.message;
  return event && `Its last event: ${event}`;
}
