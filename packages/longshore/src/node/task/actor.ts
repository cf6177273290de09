import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { PayloadTask, RoleCredentials } from '../../protocol/payload.ts';
import type { LogPipe } from '../logs/log-pipe.ts';
import type { Networks } from '../network/networks.ts';
import type { RegistryAccess } from '../runtime/registry/access.ts';
import type { ContainerExit, KnownContainer, LaunchError, PulledImage, Runtime } from '../runtime/runtime.ts';
import { containerSpec } from './container-spec.ts';
import { type Action, isRunning, isTaskAction, plan } from './plan.ts';
import { cannotLaunch, cannotLog, cannotPull, essentialExited, networking, outOfMemory } from './reasons.ts';
import { type StateChange, stateChange } from './report.ts';
import { type ContainerState, definitionOf, type ReportedStatus, type TaskState } from './state.ts';
import { stopContainer } from './stopping.ts';
import { goesOnWithout, neverRan, stopTask } from './transitions.ts';

/** How long an interface may take to be in the networks document and made. */
const attachTimeoutMs = 30_000;
/** How long the last output of a container may hold up the task's end. */
const finishLogsMs = 5_000;
/** A task that takes longer than this to run, e.g. because of its pull, is reported PENDING meanwhile. */
const pendingAfterMs = 2_000;

/** What tasks need of the rest of the node. */
export interface ActorParts {
  readonly runtime: Runtime;
  readonly networks: Pick<Networks, 'attach' | 'detach'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly machine: { readonly resolvConf: string; readonly machineName: string };
  /** Keeps the state on disk. Calls for one task are made in order and may be merged: the newest counts. */
  readonly save: (task: TaskState) => void;
  readonly submit: (change: StateChange, onSent: () => void) => void;
  readonly registryAccess: (task: TaskState, container: ContainerState) => RegistryAccess;
  /** The container's log, its stream made; undefined where it has none. Throws what AWS or the options say. */
  readonly openLog: (task: TaskState, container: ContainerState) => Promise<LogPipe | undefined>;
  /** The task is over and reported; nothing of it is left on the machine. */
  readonly onOver: (task: TaskState) => void;
  /** The machine's resources are free again: the task's containers have all ended. */
  readonly onFreed: (task: TaskState) => void;
}

/**
 * One task's life. All changes of its state happen in `#post`, one event after another; slow work runs outside and posts what
 * came of it. After each event `plan` is asked what to set going next.
 */
export class TaskActor {
  readonly state: TaskState;
  readonly #parts: ActorParts;
  readonly #log: Logger;
  readonly #pipes = new Map<string, LogPipe>();
  readonly #pulls = new Map<string, AbortController>();
  readonly #timers = new Set<() => void>();
  #sandbox: Promise<void> | undefined;
  #submitted: ReportedStatus | undefined;
  #queue: (() => void)[] | undefined;
  #stopped = false;

  constructor(state: TaskState, parts: ActorParts) {
    this.state = state;
    this.#parts = parts;
    this.#log = parts.log.child({ task: state.taskId });
    this.#submitted = state.sent;
  }

  // ── what others tell ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The machine's resources are set aside for the task: it may begin. */
  admit(): void {
    this.#post(() => {
      this.state.admitted = true;
      if (this.state.desired === 'RUNNING') this.#after(pendingAfterMs, () => this.#reportPending());
    });
  }

  /** The task is to stop; `reason` in ECS's words where it is the node's own. */
  stop(reason?: string): void {
    this.#post(() => this.#stop(reason));
  }

  /** The server sent the task again: it has not taken in what it was told. */
  repeat(payload: PayloadTask): void {
    this.#post(() => {
      if (payload.desiredStatus === 'STOPPED') {
        this.#stop(undefined);
        return;
      }
      this.state.payload = { ...payload, ...credentialsOf(this.state.payload, payload) };
      const status = this.#submitted;
      if (status && status === this.state.sent) this.#submit(status);
    });
  }

  renewCredentials(role: 'TaskApplication' | 'TaskExecution', credentials: RoleCredentials): void {
    this.#post(() => {
      const member = role === 'TaskExecution' ? 'executionRoleCredentials' : 'roleCredentials';
      this.state.payload = { ...this.state.payload, [member]: credentials };
    });
  }

  /** A container's first process has ended. May be told twice. */
  exited(exit: ContainerExit): void {
    this.#post(() => {
      const container = this.state.containers.find(({ id }) => id === exit.containerId);
      if (!container || container.status === 'STOPPED') return;
      // The exit overtook the answer to the launch. That the task ran must be told before that it ended.
      if (container.work === 'launching') {
        this.#launched(container);
        this.#submitIfRunning();
      }
      container.exitCode = exit.exitCode;
      container.exitedAt = exit.exitedAt;
      this.#ended(container, exit.outOfMemory ? outOfMemory : undefined);
    });
  }

  /** Takes up what an earlier process of the node left. Called once, before anything else. */
  adopt(known: readonly KnownContainer[]): void {
    this.#post(() => {
      if (this.state.sent === 'STOPPED') return void this.#close();
      const exits: ContainerExit[] = [];
      for (const container of this.state.containers) {
        const found = known.find(({ containerId }) => containerId === container.id);
        this.#adoptContainer(container, found);
        if (found?.exit) exits.push(found.exit);
      }
      // Again, also where it is open: the other process may have ended before all limits were set.
      if (this.state.containers.some(({ launched, reaped }) => launched && !reaped)) this.#openSandbox();
      // And the end of a container may not have been told yet.
      if (this.#submitted === 'RUNNING' && this.state.containers.some(({ status }) => status === 'STOPPED')) {
        this.#submit('RUNNING');
      }
      this.#submitIfRunning();
      for (const exit of exits) this.exited(exit);
    });
  }

  /** Ends our part: timers and log shipping. The containers run on, and a later process takes them up. */
  async leave(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    for (const pull of this.#pulls.values()) pull.abort(new Error('the node ends'));
    await Promise.all([...this.#pipes.values()].map((pipe) => pipe.stop()));
  }

  #adoptContainer(container: ContainerState, known: KnownContainer | undefined): void {
    if (known?.status === 'running' || known?.exit) {
      container.launched = true;
      container.log = 'opening';
      void this.#openLog(container);
      if (container.status !== 'STOPPED') container.status = 'RUNNING';
    } else if (container.status === 'STOPPED') {
      container.reaped = true;
    } else if (container.launched) {
      // No process and no exit: it went down with the machine, or with its shim.
      container.exitCode = 137;
      this.#ended(
        container,
        'The container was lost: the machine was restarted, or its processes were ended from outside',
      );
    } else {
      container.status = 'NONE';
      container.log = 'none';
      if (this.state.desired === 'STOPPED') neverRan(container);
    }
  }

  // ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Applies an event, then does what the state calls for. Events that come up meanwhile wait their turn. */
  #post(event: () => void): void {
    if (this.#stopped) return;
    if (this.#queue) {
      this.#queue.push(event);
      return;
    }
    this.#queue = [event];
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        next();
        for (const action of plan(this.state)) this.#perform(action);
        this.#submitIfRunning();
        this.#parts.save(this.state);
      }
    } finally {
      this.#queue = undefined;
    }
  }

  #perform(action: Action): void {
    if (isTaskAction(action)) {
      if (action.do === 'open-sandbox') this.#openSandbox();
      else if (action.do === 'attach') this.#attach();
      else this.#release();
      return;
    }
    const container = this.state.containers.find(({ name }) => name === action.container)!;
    switch (action.do) {
      case 'open-log':
        container.log = 'opening';
        void this.#openLog(container);
        break;
      case 'pull':
        this.#pull(container);
        break;
      case 'cancel-pull':
        this.#pulls.get(container.name)?.abort(new Error('the task was stopped'));
        break;
      case 'launch':
        this.#launch(container);
        break;
      case 'stop':
        container.work = 'stopping';
        stopContainer(this.state, container, {
          ...this.#parts,
          log: this.#log,
          after: (ms, run) => this.#after(ms, run),
          onExit: (exit) => this.exited(exit),
        });
        break;
      case 'reap':
        this.#reap(container);
        break;
      case 'fail':
        this.#post(() => this.#failed(container, action.reason));
    }
  }

  // ── changes of state ──────────────────────────────────────────────────────────────────────────────────────────────────

  #stop(reason: string | undefined): void {
    stopTask(this.state, reason, this.#parts.clock.now());
  }

  /** The container can't be: it counts as ended, and the task with it if it is essential. */
  #failed(container: ContainerState, reason: string): void {
    if (container.status === 'STOPPED') return;
    container.reason = reason;
    this.#log.warn({ container: container.name, reason }, 'a container could not be started');
    neverRan(container);
    this.#goOnWithout(container, reason);
  }

  #ended(container: ContainerState, reason: string | undefined): void {
    container.status = 'STOPPED';
    container.work = undefined;
    if (reason) container.reason = reason;
    this.#log.info({ container: container.name, exitCode: container.exitCode, reason }, 'a container ended');
    if (this.state.desired === 'STOPPED') return;
    this.#goOnWithout(container, essentialExited);
  }

  #goOnWithout(container: ContainerState, reason: string): void {
    const goesOn = goesOnWithout(this.state, container, reason, this.#parts.clock.now());
    // The server must hear of the container's end all the same.
    if (goesOn && this.#submitted === 'RUNNING') this.#submit('RUNNING');
  }

  #reportPending(): void {
    if (this.#submitted === undefined && this.state.desired === 'RUNNING') this.#submit('PENDING');
  }

  #submitIfRunning(): void {
    if (isRunning(this.state) && this.#submitted !== 'RUNNING') this.#submit('RUNNING');
  }

  #submit(status: ReportedStatus): void {
    this.#submitted = status;
    this.#parts.submit(stateChange(this.state, status), () =>
      this.#post(() => {
        this.state.sent = status;
        if (status === 'STOPPED') void this.#close();
      }),
    );
  }

  // ── slow work ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #openSandbox(): void {
    const { cpu, memory } = this.state.payload;
    this.state.sandbox = 'opening';
    const sandbox = { taskId: this.state.taskId, cpuUnits: Math.round((cpu ?? 0) * 1024), memoryMiB: memory ?? 0 };
    this.#sandbox = this.#parts.runtime.openTask(sandbox);
    this.#sandbox.then(
      () =>
        this.#post(() => {
          this.state.sandbox = 'open';
        }),
      (error) =>
        this.#post(() => {
          this.state.sandbox = 'open';
          this.#stop(
            `ResourceInitializationError: unable to create the task's control group: ${(error as Error).message}`,
          );
        }),
    );
  }

  #attach(): void {
    const { networkMode, elasticNetworkInterfaces = [] } = this.state.payload;
    const interfaceId = elasticNetworkInterfaces[0]?.ec2Id;
    if (networkMode === 'host' || networkMode === 'none') {
      this.state.network = 'attached';
      this.#post(() => undefined);
      return;
    }
    this.state.network = 'attaching';
    const attached =
      networkMode !== 'awsvpc'
        ? Promise.reject(
            new Error(`network mode "${networkMode}" is not available on this node: use "awsvpc" or "host"`),
          )
        : interfaceId
          ? this.#parts.networks.attach(interfaceId, attachTimeoutMs)
          : Promise.reject(new Error('the task has no network interface'));
    attached.then(
      ({ namespacePath }) =>
        this.#post(() => {
          this.state.network = 'attached';
          this.state.namespacePath = namespacePath;
        }),
      (error) =>
        this.#post(() => {
          this.state.network = 'attached';
          this.#stop(networking(error));
        }),
    );
  }

  async #openLog(container: ContainerState): Promise<void> {
    try {
      const pipe = await this.#parts.openLog(this.state, container);
      if (pipe) {
        await pipe.start();
        this.#pipes.set(container.name, pipe);
      }
      this.#post(() => {
        container.log = 'open';
      });
    } catch (error) {
      this.#post(() => {
        container.log = 'open';
        if (container.launched)
          this.#log.warn({ container: container.name, error: String(error) }, 'logs can not be shipped');
        else this.#stop(cannotLog(error));
      });
    }
  }

  #pull(container: ContainerState): void {
    const { clock, runtime } = this.#parts;
    const abort = new AbortController();
    this.#pulls.set(container.name, abort);
    container.work = 'pulling';
    this.state.pullStartedAt ??= clock.now();
    const reference = definitionOf(this.state, container).image;
    const access = this.#parts.registryAccess(this.state, container);
    const work = async (): Promise<PulledImage> => {
      const image = await runtime.pull({ reference, access, signal: abort.signal });
      await this.#sandbox;
      await runtime.prepare(this.state.taskId, container.id, image);
      return image;
    };
    work().then(
      (image) => this.#post(() => this.#pulled(container, image)),
      (error) => this.#post(() => this.#pulled(container, undefined, error)),
    );
  }

  #pulled(container: ContainerState, image: PulledImage | undefined, error?: unknown): void {
    this.#pulls.delete(container.name);
    container.work = undefined;
    if (container.status !== 'NONE') return;
    if (image) container.image = image;
    if (this.state.desired === 'STOPPED') neverRan(container);
    else if (!image) this.#failed(container, cannotPull(error));
    else container.status = 'PULLED';
    if (this.state.containers.every(({ work }) => work !== 'pulling'))
      this.state.pullStoppedAt = this.#parts.clock.now();
  }

  #launch(container: ContainerState): void {
    container.work = 'launching';
    const logFile = this.#pipes.get(container.name)?.file;
    const launch = async () => {
      const spec = containerSpec(this.state, container, { ...this.#parts.machine, ...(logFile && { logFile }) });
      await this.#parts.runtime.launch(spec);
    };
    launch().then(
      () => this.#post(() => this.#launched(container)),
      (error) =>
        this.#post(() => {
          if (container.status === 'STOPPED') return;
          container.work = undefined;
          if (this.state.desired === 'STOPPED') neverRan(container);
          else this.#failed(container, cannotLaunch(error as LaunchError));
        }),
    );
  }

  #launched(container: ContainerState): void {
    if (container.status === 'STOPPED') return;
    container.work = undefined;
    container.launched = true;
    container.status = 'RUNNING';
    const { startTimeout } = definitionOf(this.state, container);
    const waiting = this.state.payload.containers.find(({ dependsOn }) =>
      dependsOn?.some(
        ({ containerName, condition }) => containerName === container.name && /COMPLETE|SUCCESS/.test(condition),
      ),
    );
    if (!startTimeout || !waiting) return;
    this.#after(startTimeout * 1000, () => {
      if (container.status === 'RUNNING' && this.state.desired === 'RUNNING')
        this.#stop(
          `TaskDependencyError: failed container ordering dependency [${container.name}] for target [${waiting.name}]: it did not end within its startTimeout of ${startTimeout} seconds`,
        );
    });
  }

  #reap(container: ContainerState): void {
    container.work = 'reaping';
    const work = async () => {
      await this.#parts.runtime.reap(container.id);
      await this.#pipes.get(container.name)?.finish(finishLogsMs);
    };
    work()
      .catch((error) =>
        this.#log.warn({ container: container.name, error: String(error) }, 'could not reap a container'),
      )
      .finally(() =>
        this.#post(() => {
          container.work = undefined;
          container.reaped = true;
        }),
      );
  }

  /** Every container has ended: lets go of the network, so that the server may give its address to others, and reports. */
  #release(): void {
    this.state.end = 'releasing';
    this.#parts.onFreed(this.state);
    const interfaces = this.state.payload.elasticNetworkInterfaces ?? [];
    Promise.all(interfaces.map(({ ec2Id }) => this.#parts.networks.detach(ec2Id)))
      .catch((error) => this.#log.error({ error: String(error) }, 'could not detach the network interface'))
      .finally(() =>
        this.#post(() => {
          this.state.end = 'released';
          this.#submit('STOPPED');
        }),
      );
  }

  async #close(): Promise<void> {
    try {
      await this.#parts.runtime.closeTask(
        this.state.taskId,
        this.state.containers.map(({ id }) => id),
      );
    } catch (error) {
      this.#log.error(
        { error: String(error) },
        'could not remove everything of a task; the next start of the node does',
      );
    }
    await Promise.all([...this.#pipes.values()].map((pipe) => pipe.remove()));
    for (const cancel of this.#timers) cancel();
    this.#stopped = true;
    this.#parts.onOver(this.state);
  }

  #after(ms: number, run: () => void): void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel);
      this.#post(run);
    });
    this.#timers.add(cancel);
  }
}

/** A payload that comes again may lack credentials that came with the first. */
function credentialsOf(old: PayloadTask, next: PayloadTask): Partial<PayloadTask> {
  const execution = next.executionRoleCredentials ?? old.executionRoleCredentials;
  const task = next.roleCredentials ?? old.roleCredentials;
  return { ...(execution && { executionRoleCredentials: execution }), ...(task && { roleCredentials: task }) };
}
