import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/**
 * A few `sh` processes, kept open, that run scripts of `ip` and `nft`. Forking from a small shell costs a fraction of
 * forking from Node, and one script makes a whole interface.
 */
export interface Shell {
  /** Runs a script to its end and answers what it printed. Throws Error naming `what` with the output where it fails or takes too long. */
  run(what: string, script: string): Promise<string>;
  /** Ends the shells once their scripts are done. */
  close(): Promise<void>;
}

interface Job {
  readonly what: string;
  readonly script: string;
  resolve(output: string): void;
  reject(error: Error): void;
}

interface Worker {
  readonly child: ChildProcessWithoutNullStreams;
  readonly mark: string;
  job: Job | undefined;
  output: string;
  timer: NodeJS.Timeout | undefined;
}

/** `size` shells that are kept open, started as they are needed. `timeoutMs`: for one script. */
export function openShell(size: number, timeoutMs = 20_000): Shell {
  const workers: Worker[] = [];
  const waiting: Job[] = [];
  let closed: (() => void) | undefined;

  const end = (worker: Worker, error?: Error): void => {
    clearTimeout(worker.timer);
    const { job } = worker;
    worker.job = undefined;
    if (error) {
      workers.splice(workers.indexOf(worker), 1);
      worker.child.kill('SIGKILL');
      job?.reject(error);
    }
    next();
  };

  const start = (): Worker => {
    const child = spawn('sh', [], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
    });
    const worker: Worker = {
      child,
      mark: `end-${randomBytes(8).toString('hex')}`,
      job: undefined,
      output: '',
      timer: undefined,
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      worker.output += text;
      const at = worker.output.lastIndexOf(`\n${worker.mark} `);
      if (at < 0 || !worker.output.endsWith('\n')) return;
      const status = worker.output.slice(at + worker.mark.length + 2).trim();
      const output = worker.output.slice(0, at);
      const { job } = worker;
      if (status === '0') job?.resolve(output);
      else job?.reject(new Error(`${job.what} failed: ${output.trim() || `status ${status}`}`));
      end(worker);
    });
    const gone = (reason: string) => () => {
      if (workers.includes(worker))
        end(worker, new Error(`${worker.job?.what ?? 'A network helper'} failed: ${reason}`));
    };
    child.on('error', gone('sh can not be started'));
    child.on('exit', gone('its shell ended'));
    child.stdin.on('error', gone('its shell does not take scripts'));
    workers.push(worker);
    return worker;
  };

  const next = (): void => {
    while (waiting.length > 0) {
      const worker = workers.find((one) => !one.job) ?? (workers.length < size ? start() : undefined);
      if (!worker) return;
      const job = waiting.shift();
      if (!job) return;
      worker.job = job;
      worker.output = '';
      worker.timer = setTimeout(
        () => end(worker, new Error(`${job.what} took longer than ${timeoutMs} ms.`)),
        timeoutMs,
      );
      worker.child.stdin.write(`(\nset -e\n${job.script}\n) </dev/null 2>&1\nprintf '\\n%s %s\\n' ${worker.mark} $?\n`);
    }
    if (closed && workers.every((one) => !one.job)) {
      for (const worker of workers.splice(0)) worker.child.stdin.end();
      closed();
    }
  };

  return {
    run: (what, script) =>
      new Promise((resolve, reject) => {
        waiting.push({ what, script, resolve, reject });
        next();
      }),
    close: () =>
      new Promise((resolve) => {
        closed = () => {
          closed = undefined;
          resolve();
        };
        next();
      }),
  };
}

/** A here-document for `command`; the lines come from checked words only. */
export const feed = (command: string, lines: readonly string[]): string => `${command} <<'@@'\n${lines.join('\n')}\n@@`;
