import type { TargetGroupDocument } from '../protocol/documents.ts';
import type { HaproxyProcess } from './process.ts';
import { type Server, serverWords } from './render/config.ts';
import { backendName, serverId } from './render/names.ts';

/** The servers of the present worker, changed by runtime commands without a reload. */
export interface WorkerServers {
  /** Asks the worker which it has, unless that is known. */
  read(): Promise<void>;
  /** What is known is no more: another worker serves, or a command went wrong. */
  forget(): void;
  /** Whether a server gets requests; undefined where the worker lacks it or nothing is known. */
  ready(groupArn: string, server: string): boolean | undefined;
  /**
   * Makes a group's servers those of `wanted`; of others only those of `kept` stay. Resolves with whether another go is needed,
   * since one that goes still has connections. Throws what HAProxy says.
   */
  follow(group: TargetGroupDocument, wanted: readonly Server[], kept: ReadonlySet<string>): Promise<boolean>;
}

/** Asks nothing until it must. */
export function workerServers(haproxy: HaproxyProcess): WorkerServers {
  /** Whether each gets requests, by back end and name. */
  let known: Map<string, Map<string, boolean>> | undefined;

  const ask = async (): Promise<Map<string, Map<string, boolean>>> => {
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

  /** Each command is answered with a line or nothing. */
  const say = async (command: string, expected = /^\s*$/): Promise<void> => {
    const answer = (await haproxy.command(command)).trim();
    if (expected.test(answer)) return;
    known = undefined;
    throw new Error(`HAProxy answers ${JSON.stringify(answer)} to ${JSON.stringify(command)}.`);
  };

  return {
    async read() {
      known ??= await ask();
    },

    forget() {
      known = undefined;
    },

    ready: (groupArn, server) => known?.get(backendName(groupArn))?.get(server),

    async follow(group, wanted, kept) {
      known ??= await ask();
      const backend = backendName(group.arn);
      const have = known.get(backend) ?? new Map<string, boolean>();
      known.set(backend, have);
      const want = new Map(wanted.map((one) => [one.name, one]));
      let unfinished = false;
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
        if (want.has(name) || kept.has(name)) continue;
        const answer = await haproxy.command(
          `shutdown sessions server ${backend}/${name}; del server ${backend}/${name}`,
        );
        // What is left of its connections ends in a moment.
        if (/deleted|No such server/i.test(answer)) have.delete(name);
        else unfinished = true;
      }
      return unfinished;
    },
  };
}
