import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { AttachedInterface, Networks } from '../node/network/networks.ts';
import type {
  LoadBalancerDocument,
  LoadBalancerObservation,
  TargetDocument,
  TargetGroupDocument,
  TargetObservation,
} from '../protocol/documents.ts';
import { runCheck } from './health/check.ts';
import { admitted, firstHealth } from './health/health.ts';
import { type Watch, watchTarget } from './health/watch.ts';
import { haproxyProcess } from './process.ts';
import { deregistrationDelaySeconds, renderConfig, type Server, serverWords, unserved } from './render/config.ts';
import { backendName, serverId, serverName } from './render/names.ts';

const attachTimeoutMs = 10_000;
const reloadEveryMs = 1_000;
const drainPollMs = 250;
const superviseMs = 1_000;
const retryMs = 2_000;

interface Target {
  readonly key: string;
  readonly group: TargetGroupDocument;
  readonly document: TargetDocument;
  readonly name: string;
  readonly watch: Watch | undefined;
  /** When draining is over at the latest; absent unless draining. */
  readonly drainUntil?: number;
  readonly drained: boolean;
}

/** The data plane of one load balancer: its HAProxy, its servers, its checks. */
export interface LoadBalancer {
  /** Resolves when traffic follows the document, or with what hinders it told by `observation`. */
  apply(document: LoadBalancerDocument): Promise<void>;
  observation(): LoadBalancerObservation;
  /** The address of the pool that leads to it, and the ports that it serves, for the front door. */
  reached(): { readonly name: string; readonly address: string; readonly ports: readonly number[] } | undefined;
  /** Ends checks and supervision, leaves HAProxy. */
  stop(): Promise<void>;
  /** Ends HAProxy and gives the interface back. */
  end(): Promise<void>;
}

export interface LoadBalancerParts {
  readonly folder: string;
  readonly user?: string;
  readonly networks: Networks;
  readonly log: Logger;
  readonly clock: Clock;
  onChange(): void;
}

export function openLoadBalancer(first: LoadBalancerDocument, parts: LoadBalancerParts): LoadBalancer {
  const { networks, clock, folder } = parts;
  const log = parts.log.child({ loadBalancer: first.name });
  let document = first;
  let attached: AttachedInterface | undefined;
  const haproxy = haproxyProcess(folder, () => attached?.namespacePath ?? '');
  let targets = new Map<string, Target>();
  /** Servers of the present worker by back end; unknown until read or written by this process. */
  let actual: Map<string, Map<string, boolean>> | undefined;
  let error: string | undefined;
  let serving = false;
  let lastReload = Number.NEGATIVE_INFINITY;
  let stopped = false;
  const timers = new Set<() => void>();
  let running: Promise<void> | undefined;
  let again = false;

  const after = (ms: number, run: () => void): void => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };

  /** A HAProxy that was taken up knows who gets requests; who does goes on, until a check says otherwise. */
  const takenUp = (groupArn: string, name: string): 'healthy' | undefined =>
    document === first && actual?.get(backendName(groupArn))?.get(name) ? 'healthy' : undefined;

  const keep = (): void => {
    if (unserved(document)) return;
    const next = new Map<string, Target>();
    for (const group of document.targetGroups) {
      for (const one of group.targets) {
        const key = `${group.arn} ${one.id}:${one.port}`;
        const old = targets.get(key);
        let name: string;
        try {
          name = serverName(one.id, one.port);
        } catch (problem) {
          log.warn({ target: key }, (problem as Error).message);
          continue;
        }
        if (one.draining) {
          old?.watch?.end();
          const drainUntil = old?.drainUntil ?? clock.now() + deregistrationDelaySeconds(group) * 1000;
          next.set(key, {
            key,
            group,
            document: one,
            name,
            watch: undefined,
            drainUntil,
            drained: old?.drained ?? false,
          });
          continue;
        }
        let watch = old?.watch;
        if (watch && (watch.health().state === 'unavailable') === group.healthCheck.enabled) {
          watch.end();
          watch = undefined;
        }
        watch?.change(group.healthCheck);
        watch ??= watchTarget(
          firstHealth(group.healthCheck, old ? undefined : (one.knownState ?? takenUp(group.arn, name))),
          group.healthCheck,
          (how) => runCheck(`${folder}/check.sock`, one, how),
          clock,
          () => {
            // Told once traffic follows it.
            void reconcile().finally(() => parts.onChange());
          },
        );
        next.set(key, { key, group, document: one, name, watch, drained: false });
      }
    }
    for (const [key, { watch }] of targets) if (next.get(key)?.watch !== watch) watch?.end();
    targets = next;
  };

  const wantedServers = (): Map<string, Server[]> => {
    const wanted = new Map<string, Server[]>();
    for (const group of document.targetGroups) {
      const live = [...targets.values()]
        .filter((one) => one.group.arn === group.arn && one.watch)
        .map((one) => ({ ...one, health: one.watch?.health() ?? firstHealth(group.healthCheck, undefined) }));
      const served = admitted(live);
      wanted.set(
        group.arn,
        live.map((one) => ({
          name: one.name,
          address: one.document.id,
          port: one.document.port,
          ready: served.has(one),
        })),
      );
    }
    return wanted;
  };

  const readActual = async (): Promise<Map<string, Map<string, boolean>>> => {
    const found = new Map<string, Map<string, boolean>>();
    for (const line of (await haproxy.command('show servers state')).split('\n')) {
      const [, backend = '', , server = '', , , admin = '0'] = line.split(' ');
      if (!backend.startsWith('tg-')) continue;
      const servers = found.get(backend) ?? new Map<string, boolean>();
      servers.set(server, (Number(admin) & 1) === 0);
      found.set(backend, servers);
    }
    return found;
  };

  /** Commands that lead from the servers that the worker has to those that are wanted. Each is answered with a line or nothing. */
  const followServers = async (wanted: ReadonlyMap<string, readonly Server[]>): Promise<void> => {
    actual ??= await readActual();
    for (const group of document.targetGroups) {
      const backend = backendName(group.arn);
      const have = actual.get(backend) ?? new Map<string, boolean>();
      actual.set(backend, have);
      const want = new Map((wanted.get(group.arn) ?? []).map((one) => [one.name, one]));
      const draining = new Set(
        [...targets.values()]
          .filter((one) => one.group.arn === group.arn && one.drainUntil !== undefined && !one.drained)
          .map(({ name }) => name),
      );
      // First who comes, then who goes, so that there is always somebody.
      for (const { name, address, port, ready } of want.values()) {
        if (!have.has(name)) {
          await say(
            `add server ${backend}/${name} ${address}:${port} id ${serverId(name)}${serverWords(group)}`,
            /registered/,
          );
          have.set(name, false);
        }
        if (ready && have.get(name) !== true) {
          await say(`set server ${backend}/${name} state ready`);
          have.set(name, true);
        }
      }
      for (const [name, ready] of [...have]) {
        if (ready && !want.get(name)?.ready) {
          await say(`set server ${backend}/${name} state maint`);
          have.set(name, false);
        }
        if (want.has(name) || draining.has(name)) continue;
        const answer = await haproxy.command(
          `shutdown sessions server ${backend}/${name}; del server ${backend}/${name}`,
        );
        // What is left of its connections ends in a moment; the next round tries again.
        if (/deleted|No such server/i.test(answer)) have.delete(name);
        else after(drainPollMs, () => void reconcile());
      }
    }
  };

  const say = async (command: string, expected = /^\s*$/): Promise<void> => {
    const answer = (await haproxy.command(command)).trim();
    if (expected.test(answer)) return;
    // The picture of the worker was wrong: read it anew next time.
    actual = undefined;
    throw new Error(`HAProxy answers ${JSON.stringify(answer)} to ${JSON.stringify(command)}.`);
  };

  const sessions = (statistics: string): number =>
    statistics
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .reduce((sum, line) => sum + Number(line.split(',')[4] ?? 0) + Number(line.split(',')[2] || 0), 0);

  /** Ends a server's sessions in a worker that finishes, where only single sessions can be ended. */
  const cut = async (worker: number, backend: string, server: string): Promise<void> => {
    const list = await haproxy.commandTo(worker, 'show sess').catch(() => '');
    for (const line of list.split('\n')) {
      const session = /^(0x[0-9a-f]+):/.exec(line)?.[1];
      if (!session || !line.includes(` be=${backend} `) || !line.includes(` srv=${server} `)) continue;
      await haproxy.commandTo(worker, `shutdown session ${session}`).catch(() => '');
    }
  };

  /** Draining targets: done when no worker has a session of theirs, or when the delay is over. */
  const drain = async (): Promise<void> => {
    const draining = [...targets.values()].filter(({ drainUntil, drained }) => drainUntil !== undefined && !drained);
    if (draining.length === 0) return;
    const workers = await haproxy.oldWorkers();
    for (const target of draining) {
      const server = `${backendName(target.group.arn)}/${target.name}`;
      const question = `show stat ${backendName(target.group.arn)} 4 ${serverId(target.name)}`;
      const here = actual?.get(backendName(target.group.arn))?.has(target.name);
      const over = clock.now() >= (target.drainUntil ?? 0);
      if (over) {
        if (here) await haproxy.command(`shutdown sessions server ${server}`);
        for (const worker of workers) await cut(worker, backendName(target.group.arn), target.name);
      } else {
        let left = here ? sessions(await haproxy.command(question)) : 0;
        for (const worker of workers) left += sessions(await haproxy.commandTo(worker, question).catch(() => ''));
        if (left > 0) continue;
      }
      targets.set(target.key, { ...target, drained: true });
      again = true;
      parts.onChange();
    }
    if ([...targets.values()].some(({ drainUntil, drained }) => drainUntil !== undefined && !drained)) {
      after(drainPollMs, () => void reconcile());
    }
  };

  const pass = async (): Promise<void> => {
    const reason = unserved(document);
    if (reason) {
      error = reason;
      return;
    }
    const [interfaceId] = document.interfaceIds;
    if (interfaceId === undefined) throw new Error('The load balancer has no network interface.');
    attached = await networks.attach(interfaceId, attachTimeoutMs);
    const wanted = wantedServers();
    const options = { folder, ...(parts.user ? { user: parts.user } : {}) };
    const rendered = renderConfig(document, wanted, options);
    const alive = await haproxy.running();
    if (!alive || (await haproxy.structure()) !== rendered.structure) {
      if (alive && clock.now() - lastReload < reloadEveryMs)
        await clock.sleep(lastReload + reloadEveryMs - clock.now());
      lastReload = clock.now();
      // What changed while it waited goes along.
      const now = wantedServers();
      const latest = renderConfig(document, now, options);
      actual = undefined;
      await haproxy.serve(latest);
      log.info({ structure: latest.structure }, alive ? 'HAProxy reloaded' : 'HAProxy started');
    }
    await followServers(wantedServers());
    await drain();
    serving = true;
    error = rendered.problems.length > 0 ? rendered.problems.join(' ') : undefined;
  };

  const reconcile = (): Promise<void> => {
    if (stopped) return Promise.resolve();
    again = true;
    running ??= (async () => {
      const before = JSON.stringify(observation());
      while (again && !stopped) {
        again = false;
        try {
          await pass();
        } catch (problem) {
          actual = undefined;
          serving = await haproxy.running();
          error = (problem as Error).message;
          log.warn({}, error);
          if (!stopped) after(retryMs, () => void reconcile());
        }
      }
      running = undefined;
      if (JSON.stringify(observation()) !== before) parts.onChange();
    })();
    return running;
  };

  const supervise = async (): Promise<void> => {
    if (stopped) return;
    if (serving && !running && !(await haproxy.running())) {
      log.warn({}, 'HAProxy is gone; it is started again');
      await reconcile();
    }
    if (!stopped) after(superviseMs, () => void supervise());
  };
  haproxy.onExit(() => void reconcile());
  after(superviseMs, () => void supervise());

  const observe = ({ group, document: one, watch, drained }: Target): TargetObservation => {
    const base = { targetGroupArn: group.arn, id: one.id, port: one.port };
    if (drained) return { ...base, state: 'drained' };
    if (!watch) {
      return {
        ...base,
        state: 'draining',
        reason: 'Target.DeregistrationInProgress',
        description: 'Target deregistration is in progress',
      };
    }
    const { state, reason, description } = watch.health();
    return { ...base, state, ...(reason ? { reason } : {}), ...(description ? { description } : {}) };
  };

  const observation = (): LoadBalancerObservation => ({
    arn: document.arn,
    state: serving && error === undefined ? 'active' : 'failed',
    ...(error === undefined ? {} : { error }),
    targets: [...targets.values()].map(observe),
  });

  const stop = async (): Promise<void> => {
    stopped = true;
    for (const cancel of timers) cancel();
    for (const { watch } of targets.values()) watch?.end();
    await running?.catch(() => undefined);
  };

  return {
    async apply(next) {
      if (targets.size === 0 && next === first && (await haproxy.running()))
        actual = await readActual().catch(() => undefined);
      document = next;
      keep();
      await reconcile();
    },
    observation,
    reached() {
      if (document.scheme !== 'internet-facing' || !attached?.publicAddress) return undefined;
      const ports = document.listeners.filter(({ protocol }) => protocol === 'HTTP').map(({ port }) => port);
      return { name: document.dnsName.toLowerCase(), address: attached.publicAddress, ports };
    },
    stop,
    async end() {
      await stop();
      await haproxy.end();
      if (document.interfaceIds[0]) await networks.detach(document.interfaceIds[0]);
    },
  };
}
