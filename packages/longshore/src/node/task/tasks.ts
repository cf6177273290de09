import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { PayloadTask, RoleCredentials } from '../../protocol/payload.ts';
import { LogPipe } from '../logs/log-pipe.ts';
import { logTargetOf } from '../logs/log-target.ts';
import type { Networks } from '../network/networks.ts';
import type { KnownContainer, Runtime } from '../runtime/runtime.ts';
import type { AwsClient } from '../session/aws-client.ts';
import type { SigningCredentials } from '../session/sigv4.ts';
import type { Submitter } from '../session/submitter.ts';
import { type ActorParts, TaskActor } from './actor.ts';
import { Admission, type Capacity, type Demand } from './admission.ts';
import { Checkpoints } from './checkpoints.ts';
import { RegistryAccessor } from './registry-access.ts';
import { stateChange } from './report.ts';
import { type ContainerState, definitionOf, newTask, type TaskState } from './state.ts';

/** Tasks that are over, remembered so that an order which was under way does not start them again. */
const rememberedOver = 2_000;

/** Amazon's agent looks every 5 minutes too. */
const checkEveryMs = 5 * 60_000;

export interface TasksParts {
  readonly stateDir: string;
  readonly endpoint: string;
  /** The node's own, for tasks without an execution role. */
  readonly credentials: SigningCredentials;
  /** What tasks may be promised together, and what the machine has: the most that one task may ask for. */
  readonly capacity: Capacity;
  readonly machineCapacity: Capacity;
  readonly machine: ActorParts['machine'];
  readonly runtime: Runtime;
  readonly networks: Pick<Networks, 'attach' | 'detach'>;
  readonly submitter: Submitter;
  readonly aws: AwsClient;
  readonly clock: Clock;
  readonly log: Logger;
}

/** All tasks of the node: one actor each, from the order to run to the last trace on the machine. */
export class Tasks {
  readonly #parts: TasksParts;
  readonly #actors = new Map<string, TaskActor>();
  readonly #over = new Map<string, TaskState>();
  readonly #admission: Admission;
  readonly #checkpoints: Checkpoints;
  readonly #registries: RegistryAccessor;
  #cancelCheck: () => void = () => undefined;
  #left = false;

  constructor(parts: TasksParts) {
    this.#parts = parts;
    this.#admission = new Admission(parts.capacity, parts.machineCapacity);
    this.#checkpoints = new Checkpoints(join(parts.stateDir, 'tasks'), parts.clock, parts.log);
    this.#registries = new RegistryAccessor(parts.endpoint, parts.aws, parts.clock);
  }

  /** Takes up the tasks of an earlier process, and removes containers that belong to none. */
  async recover(): Promise<void> {
    const [states, known] = await Promise.all([this.#checkpoints.load(), this.#parts.runtime.list()]);
    for (const state of states) {
      const actor = this.#add(state);
      const mine = known.filter(({ taskId }) => taskId === state.taskId);
      if (state.admitted) this.#admission.hold(demandOf(state));
      actor.adopt(mine);
      if (!state.admitted) this.#admit(actor);
    }
    const orphans = Map.groupBy(
      known.filter(({ taskId }) => !states.some((state) => state.taskId === taskId)),
      ({ taskId }) => taskId,
    );
    await Promise.all([...orphans].map(([taskId, containers]) => this.#removeOrphan(taskId, containers)));
    this.#parts.runtime.onExit((exit) => {
      for (const actor of this.#actors.values())
        if (actor.state.containers.some(({ id }) => id === exit.containerId)) actor.exited(exit);
    });
    this.#scheduleCheck();
    if (states.length > 0) this.#parts.log.info({ tasks: states.length }, 'took up the tasks of the node');
  }

  /** Now and then the runtime is asked what is true, should an event have been lost. */
  #scheduleCheck(): void {
    if (this.#left) return;
    this.#cancelCheck = this.#parts.clock.after(checkEveryMs, () => {
      this.#check()
        .catch((error) => this.#parts.log.warn({ error: String(error) }, 'could not ask the runtime what runs'))
        .finally(() => this.#scheduleCheck());
    });
  }

  async #check(): Promise<void> {
    const known = await this.#parts.runtime.list();
    for (const { exit } of known) if (exit) for (const actor of this.#actors.values()) actor.exited(exit);
  }

  /** Does what a payload says of a task. The same order may come any number of times. */
  order(payload: PayloadTask): void {
    const actor = this.#actors.get(payload.arn);
    if (actor) {
      actor.repeat(payload);
      return;
    }
    const over = this.#over.get(payload.arn);
    // The server has not taken in that it ended: it is told again.
    if (over) this.#parts.submitter.submit(stateChange(over, 'STOPPED'), () => undefined);
    else this.#admit(this.#add(newTask(payload)));
  }

  stop(arn: string): void {
    this.#actors.get(arn)?.stop();
  }

  renewCredentials(arn: string, role: 'TaskApplication' | 'TaskExecution', credentials: RoleCredentials): void {
    this.#actors.get(arn)?.renewCredentials(role, credentials);
  }

  /** ARNs of the tasks that are to run. */
  running(): { readonly arn: string; readonly clusterArn: string }[] {
    return [...this.#actors.values()]
      .filter(({ state }) => state.desired === 'RUNNING')
      .map(({ state }) => ({ arn: state.payload.arn, clusterArn: state.payload.taskClusterArn }));
  }

  /** Tells the server that those of the tasks that this node knows nothing of do not run here. */
  reportLost(arns: readonly string[]): void {
    for (const arn of arns) {
      if (this.#actors.has(arn)) continue;
      const over = this.#over.get(arn);
      const reason = 'The task was lost: its node has no record of it';
      const change = over
        ? stateChange(over, 'STOPPED')
        : { task: arn, status: 'STOPPED' as const, reason, containers: [] };
      this.#parts.submitter.submit(change, () => undefined);
    }
  }

  /** Ends our part; the containers run on. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#cancelCheck();
    await Promise.all([...this.#actors.values()].map((actor) => actor.leave()));
    await this.#checkpoints.flush();
  }

  #admit(actor: TaskActor): void {
    if (actor.state.desired === 'STOPPED') {
      actor.stop();
      return;
    }
    const demand = demandOf(actor.state);
    const possible = this.#admission.request(demand, () => actor.admit());
    if (!possible)
      actor.stop(
        `ResourceInitializationError: the task needs ${demand.cpuUnits} CPU units and ${demand.memoryMiB} MiB, more than this machine has`,
      );
  }

  #add(state: TaskState): TaskActor {
    const { runtime, networks, clock, log, machine, submitter } = this.#parts;
    const actor = new TaskActor(state, {
      runtime,
      networks,
      clock,
      log,
      machine,
      save: (task) => this.#checkpoints.save(task),
      submit: (change, onSent) => submitter.submit(change, onSent),
      registryAccess: (task, container) =>
        this.#registries.for(definitionOf(task, container), this.#credentialsFor(task, container)),
      openLog: (task, container) => this.#openLog(task, container),
      onFreed: (task) => this.#admission.release(task.taskId),
      onOver: (task) => this.#forget(task),
    });
    this.#actors.set(state.payload.arn, actor);
    return actor;
  }

  #forget(task: TaskState): void {
    this.#actors.delete(task.payload.arn);
    this.#checkpoints.remove(task.taskId);
    this.#over.set(task.payload.arn, task);
    const oldest = this.#over.keys().next().value;
    if (this.#over.size > rememberedOver && oldest) this.#over.delete(oldest);
  }

  #credentialsFor(task: TaskState, container: ContainerState): SigningCredentials & { readonly roleArn?: string } {
    const ecr = definitionOf(task, container).registryAuthentication?.ecrAuthData;
    return (ecr?.useExecutionRole !== false && task.payload.executionRoleCredentials) || this.#parts.credentials;
  }

  async #openLog(task: TaskState, container: ContainerState): Promise<LogPipe | undefined> {
    const target = logTargetOf(definitionOf(task, container), task.taskId);
    if (!target) return undefined;
    const { aws, clock, log, stateDir } = this.#parts;
    const pipe = new LogPipe(join(stateDir, 'logs', `${container.id}.log`), target, {
      aws,
      clock,
      log: log.child({ task: task.taskId, container: container.name }),
      credentials: () =>
        this.#actors.get(task.payload.arn)?.state.payload.executionRoleCredentials ??
        task.payload.executionRoleCredentials ??
        this.#parts.credentials,
    });
    // A container that runs has its stream: an absent control plane must not keep its lines from being read.
    if (!container.launched) await pipe.createStream();
    return pipe;
  }

  async #removeOrphan(taskId: string, containers: readonly KnownContainer[]): Promise<void> {
    const { runtime, log, clock } = this.#parts;
    log.warn({ task: taskId }, 'removing containers of a task that nobody knows');
    try {
      for (const { containerId, status } of containers) {
        if (status === 'running') await runtime.kill(containerId, 'SIGKILL');
        for (let tries = 0; tries < 100; tries++)
          if (
            await runtime.reap(containerId).then(
              () => true,
              () => false,
            )
          )
            break;
          else await clock.sleep(50);
      }
      await runtime.closeTask(
        taskId,
        containers.map(({ containerId }) => containerId),
      );
    } catch (error) {
      log.error({ task: taskId, error: String(error) }, 'could not remove them');
    }
  }
}

function demandOf({ taskId, payload }: TaskState): Demand {
  const sum = (of: (container: PayloadTask['containers'][number]) => number) =>
    payload.containers.reduce((total, one) => total + of(one), 0);
  return {
    taskId,
    cpuUnits: payload.cpu ? Math.round(payload.cpu * 1024) : sum(({ cpu }) => cpu),
    memoryMiB: payload.memory ?? sum(({ memory }) => memory),
  };
}
