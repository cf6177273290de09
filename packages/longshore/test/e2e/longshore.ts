import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const bin = join(import.meta.dirname, '../../bin/longshore.mjs');

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, at most `timeoutMs`. Never throws for an exit code. */
export function run(
  file: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; timeoutMs?: number; input?: string; cwd?: string } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { env: options.env ?? process.env, timeout: options.timeoutMs ?? 60_000, cwd: options.cwd, maxBuffer: 64 << 20 },
      (error, stdout, stderr) =>
        resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr }),
    );
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** Runs a program that must succeed; its standard output. */
export async function must(
  file: string,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${stderr || stdout}`);
  return stdout;
}

/** Waits until `probe` answers something other than undefined or false; throws after `timeoutMs` naming `what`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined | false>,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(50);
  }
}

/** One real Longshore of a test's own: its data directory, port and command line. */
export class Longshore {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'longshore-e2e-'));
  readonly port: number;
  readonly #args: readonly string[];
  #up: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async create(...args: readonly string[]): Promise<Longshore> {
    return new Longshore(await freePort(), args);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get logFile(): string {
    return join(this.dataDir, 'up.log');
  }

  /** Starts `longshore up` and waits for the API and, with it, the machine's node. */
  async up(options: { readonly uid?: number } = {}): Promise<void> {
    const log = openSync(this.logFile, 'a');
    this.#up = spawn(
      process.execPath,
      [bin, 'up', '--data-dir', this.dataDir, '--port', String(this.port), ...this.#args],
      {
        stdio: ['ignore', log, log],
        detached: true,
        ...options,
      },
    );
    closeSync(log);
    const child = this.#up;
    await until(`longshore up on port ${this.port} (${this.tail()})`, 30_000, async () => {
      if (child.exitCode !== null) throw new Error(`longshore up ended with ${child.exitCode}:\n${this.tail()}`);
      return (await this.machines()) > 0;
    });
  }

  /** Machines that have joined; 0 while the API does not answer. */
  async machines(): Promise<number> {
    return fetch(`${this.endpoint}/_longshore/health`).then(
      async (response) => ((await response.json()) as { machines: number }).machines,
      () => 0,
    );
  }

  /** Kills every process of `longshore up` with SIGKILL, as a crash or the OOM killer would. */
  async kill(): Promise<void> {
    const child = this.#up;
    if (!child?.pid) throw new Error('longshore is not up');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    for (const pid of [...(await descendants(child.pid)), child.pid]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
    await ended;
  }

  /** Ctrl-C: everything that runs goes on running. */
  async interrupt(): Promise<void> {
    const child = this.#up;
    if (!child?.pid || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await Promise.race([ended, sleep(15_000, undefined, { ref: false })]);
    if (child.exitCode === null && child.signalCode === null)
      throw new Error(`longshore up did not end within 15 s of SIGINT:\n${this.tail()}`);
  }

  cli(...args: readonly string[]): Promise<string> {
    return must(process.execPath, [bin, ...args, '--data-dir', this.dataDir], { timeoutMs: 120_000 });
  }

  /** `longshore down`, and the data directory away. */
  async destroy(): Promise<void> {
    try {
      await this.destroyKeepingFolder();
    } finally {
      rmSync(this.dataDir, { recursive: true, force: true });
    }
  }

  async destroyKeepingFolder(): Promise<void> {
    try {
      await this.cli('down');
    } finally {
      if (this.#up?.exitCode === null && this.#up.signalCode === null) await this.kill().catch(() => undefined);
    }
  }

  credentials(): { accessKeyId: string; secretAccessKey: string } {
    return JSON.parse(readFileSync(join(this.dataDir, 'credentials.json'), 'utf8')) as {
      accessKeyId: string;
      secretAccessKey: string;
    };
  }

  /** What every genuine client is configured with. */
  environment(): NodeJS.ProcessEnv {
    const { accessKeyId, secretAccessKey } = this.credentials();
    const { AWS_CA_BUNDLE: _, AWS_PROFILE: __, ...rest } = process.env;
    return {
      ...rest,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_PAGER: '',
    };
  }

  /** Options for an `@aws-sdk/client-*`. */
  sdk() {
    return { endpoint: this.endpoint, region: 'us-east-1', credentials: this.credentials(), maxAttempts: 1 };
  }

  /** Debian's `aws`, which is older than AWS_ENDPOINT_URL; its JSON answer. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer of any command
  async aws(...args: readonly string[]): Promise<any> {
    const text = await must('/usr/bin/aws', ['--endpoint-url', this.endpoint, ...args], {
      env: this.environment(),
      timeoutMs: 180_000,
    });
    return text.trim() === '' ? undefined : text.trimStart().startsWith('{') ? JSON.parse(text) : text;
  }

  /** A command of `aws` that must be refused; what it said. */
  async awsRefused(...args: readonly string[]): Promise<string> {
    const { code, stderr, stdout } = await run('/usr/bin/aws', ['--endpoint-url', this.endpoint, ...args], {
      env: this.environment(),
    });
    if (code === 0) throw new Error(`aws ${args.join(' ')} was not refused: ${stdout}`);
    return stderr;
  }

  /** The last lines of what `longshore up` printed, for error messages. */
  tail(): string {
    try {
      return readFileSync(this.logFile, 'utf8').split('\n').slice(-40).join('\n');
    } catch {
      return '(no output)';
    }
  }
}

/** Longshore's own Node processes below `pid`; containerd and HAProxy, which must outlive them, are not among them. */
async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(pid)]);
  const children = stdout.split('\n').flatMap((line) => {
    const [, child = '', command = ''] = /^\s*(\d+)\s+(\S+)/.exec(line) ?? [];
    return command === process.execPath || command.endsWith('/node') ? [Number(child)] : [];
  });
  return [...(await Promise.all(children.map(descendants))).flat(), ...children];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const unique = (): string => randomBytes(3).toString('hex');
