import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadResult {
  readonly requests: number;
  /** Every answer that was not a 200, or the error in place of one. */
  readonly failures: readonly string[];
  /** How many answers each body (its first word) had. */
  readonly bodies: ReadonlyMap<string, number>;
}

/**
 * A small steady load on one URL of this machine until `stop` is called: `workers` loops, each a request after the other with a
 * short pause. Bounded to two minutes.
 */
export function startLoad(url: string, workers = 4): { stop(): Promise<LoadResult> } {
  const agent = new Agent({ keepAlive: true, maxSockets: workers });
  const failures: string[] = [];
  const bodies = new Map<string, number>();
  const end = Date.now() + 120_000;
  let requests = 0;
  let stopped = false;
  const worker = async () => {
    while (!stopped && Date.now() < end) {
      requests++;
      try {
        const { status, body } = await get(url, agent);
        const word = body.split(/\s/)[0] ?? '';
        if (status === 200) bodies.set(word, (bodies.get(word) ?? 0) + 1);
        else failures.push(`${new Date().toISOString()} status ${status}`);
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
      await sleep(5);
    }
  };
  const workersDone = Promise.all(Array.from({ length: workers }, worker));
  return {
    async stop() {
      stopped = true;
      await workersDone;
      agent.destroy();
      return { requests, failures, bodies };
    },
  };
}

export function get(url: string, agent?: Agent): Promise<{ status: number; body: string }> {
  const { hostname, port, pathname, host } = new URL(url);
  return new Promise((resolve, reject) => {
    // What curl and browsers do with names under `.localhost` (RFC 6761, section 6.3).
    const address = hostname.endsWith('.localhost') ? '127.0.0.1' : hostname;
    const call = request(
      { host: address, port: port || 80, path: pathname, headers: { host }, agent, timeout: 10_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer within 10 s')));
    call.on('error', reject);
    call.end();
  });
}
