import { overcommit } from '../../../protocol/fargate.ts';

/** A machine that runs Fargate tasks, as placement sees it. CPU in units (1024 = one core), memory in MiB. */
export interface Machine {
  readonly arn: string;
  readonly cpu: number;
  readonly memory: number;
  /** Sums over its tasks that are not stopped. */
  readonly committedCpu: number;
  readonly committedMemory: number;
  readonly connected: boolean;
}

export interface Ask {
  readonly cpu: number;
  readonly memory: number;
}

export type Placement = { readonly arn: string } | { readonly reason: string; readonly detail: string };

/** AWS's words where Fargate has no room (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html). */
export const noCapacity =
  'Capacity is unavailable at this time. Please try again later or in a different availability zone';

/** The machine that a task goes to: of those that it fits on, connected ones first, then the one with the smallest share promised. */
export function place(machines: readonly Machine[], ask: Ask): Placement {
  if (machines.length === 0)
    return {
      reason: noCapacity,
      detail: 'No machine has joined: start `longshore node`, or wait until it has registered.',
    };
  const asked = `The task asks for ${vcpu(ask.cpu)} and ${ask.memory} MiB`;
  const largeEnough = machines.filter((machine) => machine.cpu >= ask.cpu && machine.memory >= ask.memory);
  if (largeEnough.length === 0) {
    const largest = machines.reduce((a, b) => (b.cpu * b.memory > a.cpu * a.memory ? b : a));
    return {
      reason: noCapacity,
      detail: `${asked}; the largest machine has ${vcpu(largest.cpu)} and ${largest.memory} MiB.`,
    };
  }
  const withRoom = largeEnough.filter(
    (machine) =>
      machine.committedCpu + ask.cpu <= machine.cpu * overcommit.cpu &&
      machine.committedMemory + ask.memory <= machine.memory * overcommit.memory,
  );
  if (withRoom.length === 0) {
    const best = largeEnough.reduce((a, b) => (share(b) < share(a) ? b : a));
    return {
      reason: noCapacity,
      detail: `${asked}; the machine with the most room has promised ${vcpu(best.committedCpu)} of ${vcpu(best.cpu * overcommit.cpu)} and ${best.committedMemory} of ${best.memory * overcommit.memory} MiB (its size, ${overcommit.cpu} and ${overcommit.memory} times over). Stop tasks, or add a machine.`,
    };
  }
  return withRoom.reduce((a, b) => (better(b, a) ? b : a));
}

const share = (machine: Machine) =>
  Math.max(
    machine.committedCpu / (machine.cpu * overcommit.cpu || 1),
    machine.committedMemory / (machine.memory * overcommit.memory || 1),
  );

const better = (a: Machine, b: Machine) => (a.connected === b.connected ? share(a) < share(b) : a.connected);

const vcpu = (units: number) => `${units / 1024} vCPU`;
