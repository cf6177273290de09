/**
 * The node's own process, so that neither its load nor its fall touches the API. It is told its settings over IPC by
 * `longshore up` (node-supervisor.ts), and ends itself, leaving containers and load balancers running, when that is gone.
 */
import { systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { startNode } from '../node/agent.ts';
import type { NodeSettings } from '../node/settings.ts';
import { openLogFile } from './log-files.ts';

export interface StartMessage {
  readonly type: 'start';
  readonly settings: NodeSettings;
  readonly dataDir: string;
  readonly logLevel: string;
}

export type ToNode = StartMessage | { readonly type: 'stop' };
export type FromNode =
  | { readonly type: 'started'; readonly rssBytes: number }
  | { readonly type: 'failed'; readonly message: string };

const stopBoundMs = 8_000;
let stop: (() => Promise<void>) | undefined;
let ending = false;

function tell(message: FromNode): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, undefined, {}, () => resolve());
    else resolve();
  });
}

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(code || 1), stopBoundMs).unref();
  try {
    await stop?.();
  } finally {
    process.exit(code);
  }
}

async function start(message: StartMessage): Promise<void> {
  const log: Logger = openLogFile(message.dataDir, 'node', message.logLevel);
  process.on('uncaughtException', (err) => {
    log.error({ err }, 'the node process fell over an error that nothing caught');
    process.exit(70);
  });
  try {
    const node = await startNode(message.settings, log, systemClock, systemRandom);
    stop = () => node.stop();
    await tell({ type: 'started', rssBytes: process.memoryUsage.rss() });
  } catch (error) {
    log.error({ err: error }, 'the node could not start');
    await tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    await end(1);
  }
}

process.on('message', (message: ToNode) => {
  if (message.type === 'start') void start(message);
  else void end(0);
});
process.on('disconnect', () => void end(0));
process.on('SIGTERM', () => void end(0));
// Ctrl-C is for `longshore up`, which ends this process in its turn.
process.on('SIGINT', () => {});
