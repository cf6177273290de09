import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ask } from './socket.ts';

/** Bound on `haproxy -c`, which takes some ten milliseconds on an idle machine. */
const checkTimeoutMs = 30_000;

const execute = promisify(execFile);
const readyWithinMs = 5_000;

/** One HAProxy, master and workers, that outlives us. Everything of it is in one folder below /run, as gone after a boot as it is. */
export interface HaproxyProcess {
  readonly folder: string;
  /** Whether the master runs, also one that an earlier process of ours started. */
  running(): Promise<boolean>;
  /** The structure that the present worker serves; undefined where none answers. */
  structure(): Promise<string | undefined>;
  /** Checks the configuration, then starts HAProxy or has it take the new one over without losing a request. Throws what HAProxy says. */
  serve(config: {
    readonly text: string;
    readonly files: ReadonlyMap<string, string>;
    readonly structure: string;
  }): Promise<void>;
  /** Runtime commands for the present worker. */
  command(commands: string): Promise<string>;
  /** Process ids of workers that finish what they have. */
  oldWorkers(): Promise<readonly number[]>;
  /** Runtime commands for one old worker. */
  commandTo(worker: number, commands: string): Promise<string>;
  /** Called when a HAProxy that this process started ends. */
  onExit(listener: () => void): void;
  /** Ends it, whatever it still has to do, and removes its folder. */
  end(): Promise<void>;
}

interface Identity {
  readonly pid: number;
  /** Ticks since boot at which it started: with the pid it names one process for good. */
  readonly startTime: string;
}

async function startTimeOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Fields after the name, which may hold blanks: state is the first, starttime the twentieth (proc(5)).
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && fields[0] !== 'Z' ? fields[19] : undefined;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `namespacePath`: the network namespace that it is put in; absent for the machine's own. */
export function haproxyProcess(folder: string, namespacePath?: () => string): HaproxyProcess {
  const file = (name: string): string => `${folder}/${name}`;
  const listeners: (() => void)[] = [];

  const identity = async (): Promise<Identity | undefined> => {
    try {
      const known = JSON.parse(await readFile(file('process.json'), 'utf8')) as Identity;
      return (await startTimeOf(known.pid)) === known.startTime ? known : undefined;
    } catch {
      return undefined;
    }
  };
  const structure = async (): Promise<string | undefined> => {
    const answer = await ask(file('admin.sock'), 'show info', 1_000).catch(() => '');
    return /^description: (\S+)/im.exec(answer)?.[1];
  };

  const start = async (): Promise<void> => {
    const log = await open(file('haproxy.log'), 'a');
    const haproxy = ['haproxy', '-W', '-S', `${file('master.sock')},mode,600`, '-f', file('haproxy.cfg')];
    const command = namespacePath ? ['nsenter', `--net=${namespacePath()}`, ...haproxy] : haproxy;
    const child = spawn(command[0] ?? '', command.slice(1), {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    });
    child.unref();
    child.on('error', () => undefined);
    child.on('exit', () => {
      for (const listener of listeners) listener();
    });
    await log.close();
    if (child.pid === undefined) throw new Error(`${command[0]} can't be started: is it installed?`);
    const startTime = await startTimeOf(child.pid);
    await writeFile(file('process.json'), JSON.stringify({ pid: child.pid, startTime }));
  };

  const reload = async (): Promise<void> => {
    // The master answers nobody for some milliseconds while it takes up a reload before ours.
    for (let tries = 0; ; tries += 1) {
      try {
        await ask(file('master.sock'), 'reload', 2_000);
        return;
      } catch (error) {
        if (tries >= 20) throw error;
        await pause(25);
      }
    }
  };

  const lastWords = async (): Promise<string> => {
    const text = await readFile(file('haproxy.log'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => /ALERT/.test(line))
      .slice(-3)
      .join(' ');
  };

  return {
    folder,
    running: async () => (await identity()) !== undefined,
    structure,

    async serve(config) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const [name, content] of config.files) await writeFile(file(name), content);
      await writeFile(file('next.cfg'), config.text);
      try {
        await execute('haproxy', ['-c', '-f', file('next.cfg')], { timeout: checkTimeoutMs });
      } catch (error) {
        const { stderr = '', message, killed } = error as { stderr?: string; message: string; killed?: boolean };
        if (killed) throw new Error(`HAProxy took longer than ${checkTimeoutMs} ms to read its configuration`);
        throw new Error(
          `HAProxy refuses the configuration: ${
            stderr
              .split('\n')
              .filter((line) => line.includes('ALERT'))
              .join(' ') || message
          }`,
        );
      }
      await rename(file('next.cfg'), file('haproxy.cfg'));
      if (await identity()) await reload();
      else {
        await writeFile(file('haproxy.log'), '');
        await start();
      }
      const until = performance.now() + readyWithinMs;
      while ((await structure()) !== config.structure) {
        if (!(await identity()) || performance.now() > until) {
          throw new Error(`HAProxy does not serve the new configuration. ${await lastWords()}`);
        }
        await pause(10);
      }
    },

    command: (commands) => ask(file('admin.sock'), commands),

    async oldWorkers() {
      const answer = await ask(file('master.sock'), 'show proc;quit', 1_000).catch(() => '');
      const old = answer.slice(answer.indexOf('# old workers')).split('# programs')[0] ?? '';
      return answer.includes('# old workers')
        ? [...old.matchAll(/^(\d+)\s+worker/gm)].map((match) => Number(match[1]))
        : [];
    },
    commandTo: (worker, commands) => ask(file('master.sock'), `@!${worker} ${commands};quit`, 1_000),
    onExit: (listener) => listeners.push(listener),

    async end() {
      const known = await identity();
      if (known) {
        // The whole process group: it was started as the leader of its own.
        const signal = (name: NodeJS.Signals): void => {
          try {
            process.kill(-known.pid, name);
          } catch {
            // It is gone.
          }
        };
        signal('SIGTERM');
        const until = performance.now() + 3_000;
        while ((await startTimeOf(known.pid)) && performance.now() < until) await pause(10);
        if (await startTimeOf(known.pid)) signal('SIGKILL');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
