import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../base/log.ts';
import type { NodeSettings } from '../node/settings.ts';
import type { FromNode, ToNode } from './node-process.ts';
import { commandLine, endProcess, gone, readRecord, recordOf, writeRecord } from './processes.ts';

/** The node's process, kept running. */
export interface NodeSupervisor {
  /** Hands over the settings once the control plane answers. Resolves when the node has started or first failed to, with why. */
  configure(settings: NodeSettings): Promise<string | undefined>;
  /** Ends the process; containers and load balancers stay. Bounded. */
  stop(): Promise<void>;
}

const script = fileURLToPath(import.meta.resolve('./node-process.ts'));
/** Small young generations: a node makes little garbage, and a process is 30 MB smaller. */
const flags = ['--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'];
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A process that lived this long starts the pauses anew. */
const healthyMs = 60_000;
const endBoundMs = 10_000;

/** Where the node's process is written down, so that a later start finds one that outlived its parent. */
export function nodePidFile(dataDir: string): string {
  return join(dataDir, 'node.pid');
}

/** Ends a node process that an earlier Longshore of this data directory left behind. Whether there was one. */
export async function endOrphan(dataDir: string): Promise<boolean> {
  const record = readRecord(nodePidFile(dataDir));
  const ours = record !== undefined && commandLine(record.pid).includes('node-process');
  if (ours) await endProcess(record, endBoundMs);
  rmSync(nodePidFile(dataDir), { force: true });
  return ours;
}

/**
 * Starts the node's process at once, so that it loads while the control plane starts, and starts it again with growing pauses
 * whenever it ends.
 */
export function superviseNode(options: {
  readonly dataDir: string;
  readonly logLevel: string;
  readonly log: Logger;
}): NodeSupervisor {
  const { dataDir, logLevel, log } = options;
  let settings: NodeSettings | undefined;
  let child: ChildProcess;
  let pauseMs = firstPauseMs;
  let pause: NodeJS.Timeout | undefined;
  let stopping = false;
  let firstOutcome: (why: string | undefined) => void = () => {};

  const send = (message: ToNode) => {
    if (child.connected) child.send(message, () => {});
  };
  const start = () => {
    const startedAt = Date.now();
    // With what bin/longshore.mjs switched on: types need not be stripped, nor code compiled, anew at every start.
    // Node answers the folder of its own version inside the one that it was given.
    const cache = getCompileCacheDir();
    child = spawn(process.execPath, [...new Set([...process.execArgv, ...flags]), script, dataDir], {
      // A session of its own: the terminal's Ctrl-C reaches `up` alone, which ends the node in good order.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...(cache ? { NODE_COMPILE_CACHE: dirname(cache) } : {}) },
    });
    if (child.pid) writeRecord(nodePidFile(dataDir), child.pid);
    child.on('message', (message: FromNode) => {
      if (message.type === 'started') log.info({ rssBytes: message.rssBytes }, 'the node has started');
      firstOutcome(message.type === 'failed' ? message.message : undefined);
    });
    child.once('error', (err) => log.error({ err }, 'the node process can’t be spoken to'));
    child.once('exit', (code, signal) => {
      if (stopping) return;
      if (Date.now() - startedAt > healthyMs) pauseMs = firstPauseMs;
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      log.warn({}, `the node process ended (${how}); it starts again in ${pauseMs / 1000} s. Tasks keep running`);
      firstOutcome(`the node process ended (${how})`);
      pause = setTimeout(start, pauseMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    });
    if (settings) send({ type: 'start', settings, dataDir, logLevel });
  };
  start();

  return {
    configure(given) {
      settings = given;
      send({ type: 'start', settings, dataDir, logLevel });
      return new Promise((resolve) => {
        firstOutcome = resolve;
      });
    },
    async stop() {
      stopping = true;
      clearTimeout(pause);
      const record =
        child.pid && child.exitCode === null && child.signalCode === null ? recordOf(child.pid) : undefined;
      if (record) {
        send({ type: 'stop' });
        if (!(await gone(record, endBoundMs))) await endProcess(record, 0);
      }
      rmSync(nodePidFile(dataDir), { force: true });
    },
  };
}
