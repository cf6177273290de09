import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { Version } from './gen/version_pb.ts';
import { Grpc } from './grpc.ts';
import type { Places } from './places.ts';

/** How long a containerd may take until it answers. */
const startTimeoutMs = 15_000;

/**
 * containerd's configuration: our own places, and none of the plugins that Longshore does not use (each costs start-up time).
 * A disabled plugin that a build does not have is no error.
 */
export function renderConfig(places: Places): string {
  const disabled = [
    'io.containerd.grpc.v1.cri',
    'io.containerd.internal.v1.opt',
    'io.containerd.internal.v1.restart',
    'io.containerd.internal.v1.tracing',
    'io.containerd.tracing.processor.v1.otlp',
    'io.containerd.snapshotter.v1.aufs',
    'io.containerd.snapshotter.v1.btrfs',
    'io.containerd.snapshotter.v1.devmapper',
    'io.containerd.snapshotter.v1.native',
    'io.containerd.snapshotter.v1.zfs',
    'io.containerd.nri.v1.nri',
  ];
  return `version = 2
root = ${JSON.stringify(places.root)}
state = ${JSON.stringify(join(places.run, 'state'))}
oom_score = -500
disabled_plugins = ${JSON.stringify(disabled)}
[grpc]
address = ${JSON.stringify(places.socket)}
[debug]
level = "warn"
`;
}

/**
 * Starts Longshore's own containerd, or takes up the one that an earlier process started. It runs in its own session, so that
 * neither our end nor Ctrl-C in our terminal touches it.
 */
export class Supervisor {
  readonly #places: Places;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(places: Places, clock: Clock, log: Logger) {
    this.#places = places;
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves with containerd's version when it answers. Throws Error with the end of its log when it does not. */
  async ensure(): Promise<string> {
    const pid = await this.pid();
    if (pid === undefined) await this.#spawn();
    else this.#log.debug({ pid }, 'took up the running containerd');
    return await this.#answer();
  }

  /** The process id of our containerd, if it runs. */
  async pid(): Promise<number | undefined> {
    const pid = Number(await readFile(this.#places.pid, 'utf8').catch(() => ''));
    return pid > 1 && (await this.#isOurs(pid)) ? pid : undefined;
  }

  /** Ends containerd: SIGTERM, and after 10 s SIGKILL. */
  async end(): Promise<void> {
    const pid = await this.pid();
    if (pid === undefined) return;
    process.kill(pid, 'SIGTERM');
    for (let waited = 0; waited < 15_000; waited += 20) {
      if (!(await this.#isOurs(pid))) break;
      if (waited === 10_000) process.kill(pid, 'SIGKILL');
      await this.#clock.sleep(20);
    }
    await rm(this.#places.pid, { force: true });
  }

  /** Whether `pid` is a living containerd with our configuration, and not another process that got the number since. */
  async #isOurs(pid: number): Promise<boolean> {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command.split('\0').includes(this.#places.config);
  }

  async #spawn(): Promise<void> {
    const places = this.#places;
    await mkdir(dirname(places.config), { recursive: true, mode: 0o711 });
    await mkdir(places.run, { recursive: true, mode: 0o711 });
    await writeFile(places.config, renderConfig(places));
    const output = await open(places.log, 'w');
    try {
      const child = spawn('containerd', ['--config', places.config], {
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
        env: { PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', (error) =>
          reject(new Error(`containerd can't be started: ${error.message}. Install Debian's package containerd.`)),
        );
      });
      child.unref();
      await writeFile(places.pid, String(child.pid));
      this.#log.info({ pid: child.pid }, 'started containerd');
    } finally {
      await output.close();
    }
  }

  async #answer(): Promise<string> {
    const begun = this.#clock.now();
    let problem: unknown;
    while (this.#clock.now() - begun < startTimeoutMs) {
      const grpc = new Grpc(this.#places.socket);
      try {
        const { version } = await grpc.unary(Version.method.version, {}, { timeoutMs: 2_000, atOnce: true });
        return version;
      } catch (error) {
        problem = error;
      } finally {
        grpc.close();
      }
      if ((await this.pid()) === undefined) break;
      await this.#clock.sleep(20);
    }
    const tail = (await readFile(this.#places.log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' | ');
    throw new Error(
      `containerd does not answer at ${this.#places.socket}: ${(problem as Error)?.message}. Its log ends: ${tail}`,
    );
  }
}
