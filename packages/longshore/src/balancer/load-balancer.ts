import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { AttachedInterface, Networks } from '../node/network/networks.ts';
import type { LoadBalancerDocument, LoadBalancerObservation } from '../protocol/documents.ts';
import { haproxyProcess } from './process.ts';
import { renderConfig, unserved } from './render/config.ts';
import { backendName } from './render/names.ts';
import { endSessionsOf, sessionsOf } from './sessions.ts';
import { openTargets } from './targets.ts';
import { workerServers } from './worker-servers.ts';

const attachTimeoutMs = 10_000;
const reloadEveryMs = 1_000;
const drainPollMs = 250;
const superviseMs = 1_000;
const retryMs = 2_000;

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

/** Makes nothing until `apply`; takes up a HAProxy that runs. */
export function openLoadBalancer(first: LoadBalancerDocument, parts: LoadBalancerParts): LoadBalancer {
  const { networks, clock, folder } = parts;
  const log = parts.log.child({ loadBalancer: first.name });
  let document = first;
  let attached: AttachedInterface | undefined;
  const haproxy = haproxyProcess(folder, () => attached?.namespacePath ?? '');
  const servers = workerServers(haproxy);
  const targets = openTargets(`${folder}/check.sock`, {
    log,
    clock,
    // Told once traffic follows it.
    onChange: () => void reconcile().finally(() => parts.onChange()),
  });
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
  const takenUp = (groupArn: string, server: string): 'healthy' | undefined =>
    document === first && servers.ready(groupArn, server) ? 'healthy' : undefined;

  const render = () =>
    renderConfig(document, new Map(document.targetGroups.map((group) => [group.arn, targets.servers(group)])), {
      folder,
      ...(parts.user ? { user: parts.user } : {}),
    });

  /** Starts or reloads HAProxy where what it serves is of another structure. Returns what of the document is not served. */
  const serve = async (): Promise<readonly string[]> => {
    const { structure, problems } = render();
    const alive = await haproxy.running();
    if (alive && (await haproxy.structure()) === structure) return problems;
    if (alive && clock.now() - lastReload < reloadEveryMs) await clock.sleep(lastReload + reloadEveryMs - clock.now());
    lastReload = clock.now();
    // What changed while it waited goes along.
    const latest = render();
    servers.forget();
    await haproxy.serve(latest);
    log.info({ structure: latest.structure }, alive ? 'HAProxy reloaded' : 'HAProxy started');
    return latest.problems;
  };

  const followServers = async (): Promise<void> => {
    const wanted = document.targetGroups.map((group) => ({ group, servers: targets.servers(group) }));
    for (const one of wanted) {
      const draining = targets.draining().filter(({ group }) => group.arn === one.group.arn);
      const kept = new Set(draining.map(({ name }) => name));
      if (await servers.follow(one.group, one.servers, kept)) after(drainPollMs, () => void reconcile());
    }
  };

  /** Draining targets: done when no worker has a session of theirs, or when the delay is over. */
  const drain = async (): Promise<void> => {
    const draining = targets.draining();
    if (draining.length === 0) return;
    const workers = await haproxy.oldWorkers();
    for (const target of draining) {
      const backend = backendName(target.group.arn);
      const here = servers.ready(target.group.arn, target.name) !== undefined;
      if (clock.now() >= (target.drainUntil ?? 0)) await endSessionsOf(haproxy, workers, backend, target.name, here);
      else if ((await sessionsOf(haproxy, workers, backend, target.name, here)) > 0) continue;
      targets.setDrained(target);
      again = true;
      parts.onChange();
    }
    if (targets.draining().length > 0) after(drainPollMs, () => void reconcile());
  };

  const pass = async (): Promise<void> => {
    const refusal = unserved(document);
    if (refusal) {
      error = refusal;
      return;
    }
    const [interfaceId] = document.interfaceIds;
    if (interfaceId === undefined) throw new Error('The load balancer has no network interface.');
    attached = await networks.attach(interfaceId, attachTimeoutMs);
    const problems = await serve();
    await followServers();
    await drain();
    serving = true;
    error = problems.length > 0 ? problems.join(' ') : undefined;
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
          servers.forget();
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

  const observation = (): LoadBalancerObservation => ({
    arn: document.arn,
    state: serving && error === undefined ? 'active' : 'failed',
    ...(error === undefined ? {} : { error }),
    targets: targets.observations(),
  });

  const stop = async (): Promise<void> => {
    stopped = true;
    for (const cancel of timers) cancel();
    targets.end();
    await running?.catch(() => undefined);
  };

  return {
    async apply(next) {
      if (targets.all().length === 0 && next === first && (await haproxy.running()))
        await servers.read().catch(() => undefined);
      document = next;
      if (!unserved(document)) targets.follow(document, takenUp);
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
