import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { haproxyProcess } from '../process.ts';
import { frontDoorAddress } from '../render/config.ts';
import { locked } from './lock.ts';
import { type Fragment, renderFrontDoor } from './render.ts';

const execute = promisify(execFile);
const root = '/run/longshore/front-door';
const lock = '/run/longshore/front-door.lock';
const members = `${root}/members`;
const engine = `${root}/haproxy`;
const superviseMs = 3_000;

/** One for the machine: every Longshore adds what it leads to, and the last to leave ends it. */
export interface FrontDoor {
  /** Leads these names, and no others of this Longshore, to their public addresses. Never throws; see `problem`. */
  lead(
    reached: readonly { readonly name: string; readonly address: string; readonly ports: readonly number[] }[],
  ): Promise<void>;
  /** In plain words why names don't work on some of these ports. */
  problem(ports: readonly number[]): string | undefined;
  stop(): void;
  leave(): Promise<void>;
}

const canListen = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });

/** Who listens on a port, e.g. `nginx (process 812)`. */
async function holder(port: number): Promise<string> {
  const { stdout } = await execute('ss', ['-Hltnp', `sport = :${port}`], { timeout: 2_000 }).catch(() => ({
    stdout: '',
  }));
  const match = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout);
  return match ? `${match[1]} (process ${match[2]})` : 'another program';
}

/** This Longshore's share in the machine's front door. `onChange`: what can't be served differs. */
export function openFrontDoor(instanceId: string, log: Logger, clock: Clock, onChange: () => void): FrontDoor {
  const haproxy = haproxyProcess(engine);
  const own = `${members}/${instanceId}.json`;
  const problems = new Map<number, string>();
  let general: string | undefined;
  let fragment: Fragment = { names: {}, ports: [] };
  let cancel: (() => void) | undefined;
  let stopped = false;

  const fragments = async (): Promise<Fragment[]> => {
    const files = await readdir(members).catch(() => [] as string[]);
    return Promise.all(files.map(async (file) => JSON.parse(await readFile(`${members}/${file}`, 'utf8')) as Fragment));
  };

  /** Ports that the front door has already, from the configuration that it serves. */
  const heldPorts = async (): Promise<Set<number>> => {
    if (!(await haproxy.running())) return new Set();
    const text = await readFile(`${engine}/haproxy.cfg`, 'utf8').catch(() => '');
    return new Set([...text.matchAll(/bind 127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1])));
  };

  /** Makes the front door what all fragments ask for. Called with the lock held. */
  const follow = async (): Promise<void> => {
    const all = await fragments();
    const held = await heldPorts();
    const busy = new Set<number>();
    for (const port of new Set(all.flatMap(({ ports }) => ports))) {
      problems.delete(port);
      if (held.has(port) || ((await canListen('127.0.0.1', port)) && (await canListen('::1', port)))) continue;
      busy.add(port);
      problems.set(
        port,
        `Names do not work on port ${port} of this machine, which ${await holder(port)} holds; the load balancer answers at its public address.`,
      );
    }
    const config = renderFrontDoor(all, busy, engine);
    if (!all.some(({ ports }) => ports.some((port) => !busy.has(port)))) {
      if (await haproxy.running()) await haproxy.end();
      return;
    }
    await execute('ip', ['addr', 'replace', `${frontDoorAddress}/32`, 'dev', 'lo', 'scope', 'host'], {
      timeout: 5_000,
    });
    if (!(await haproxy.running()) || (await haproxy.structure()) !== config.structure) return haproxy.serve(config);
    const present = new Map<string, string>();
    const map = `${engine}/names.map`;
    for (const line of (await haproxy.command(`show map ${map}`)).split('\n')) {
      const [, name, address] = line.split(' ');
      if (name && address) present.set(name, address);
    }
    const commands: string[] = [];
    for (const [name, address] of config.names) {
      if (!present.has(name)) commands.push(`add map ${map} ${name} ${address}`);
      else if (present.get(name) !== address) commands.push(`set map ${map} ${name} ${address}`);
    }
    for (const name of present.keys()) if (!config.names.has(name)) commands.push(`del map ${map} ${name}`);
    for (const command of commands) await haproxy.command(command);
    await writeFile(map, config.files.get('names.map') ?? '');
  };

  const attempt = async (): Promise<void> => {
    const before = JSON.stringify([general, ...problems.values()]);
    try {
      await locked(lock, async () => {
        await mkdir(members, { recursive: true });
        if (fragment.ports.length > 0) await writeFile(own, JSON.stringify(fragment));
        else await rm(own, { force: true });
        await follow();
      });
      general = undefined;
    } catch (error) {
      general = `Names do not work on this machine: ${(error as Error).message}`;
    }
    const now = JSON.stringify([general, ...problems.values()]);
    if (now === before) return;
    for (const text of [general, ...problems.values()]) if (text) log.warn({}, text);
    onChange();
  };

  /** Starts it again where it fell, and tries ports again that were held. */
  const supervise = (): void => {
    cancel?.();
    if (stopped) return;
    cancel = clock.after(superviseMs, async () => {
      if (fragment.ports.length > 0 && (general || problems.size > 0 || !(await haproxy.running()))) await attempt();
      supervise();
    });
  };

  return {
    async lead(reached) {
      const names = Object.fromEntries(reached.map(({ name, address }) => [name, address]));
      const ports = [...new Set(reached.flatMap((one) => one.ports))].sort((one, other) => one - other);
      const next = { names, ports };
      if (JSON.stringify(next) === JSON.stringify(fragment) && (ports.length > 0 || cancel)) return;
      fragment = next;
      await attempt();
      supervise();
    },
    problem: (ports) => general ?? ports.flatMap((port) => problems.get(port) ?? [])[0],
    stop() {
      stopped = true;
      cancel?.();
    },
    async leave() {
      stopped = true;
      cancel?.();
      fragment = { names: {}, ports: [] };
      await locked(lock, async () => {
        await rm(own, { force: true });
        await follow();
        if ((await readdir(members).catch(() => [])).length > 0) return;
        await rm(root, { recursive: true, force: true });
        await execute('ip', ['addr', 'del', `${frontDoorAddress}/32`, 'dev', 'lo'], { timeout: 5_000 }).catch(
          () => undefined,
        );
        await rm(lock, { force: true });
      });
    },
  };
}
