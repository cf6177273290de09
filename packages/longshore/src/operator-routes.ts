import type { ServerResponse } from 'node:http';
import type { Settings } from './base/settings.ts';
import type { Store } from './state/store.ts';
import type { HttpRoute } from './wire/service.ts';

/**
 * `GET /_longshore/health`: 200 as soon as the API answers, with the number of machines that tasks can be sent to. For start-up
 * scripts and balancers in front of the API.
 */
export function healthRoute(connectedMachines: () => Promise<number>): HttpRoute {
  return {
    prefix: '/_longshore/health',
    async handle(_request, response) {
      answer(response, 200, { status: 'ok', machines: await connectedMachines() });
    },
  };
}

interface ResetParts {
  readonly settings: Settings;
  readonly store: Pick<Store<unknown>, 'empty'>;
  stopControllers(): Promise<void>;
  prepare(): Promise<void>;
  startControllers(): Promise<void>;
}

/**
 * `POST /_longshore/reset`: empties all state and makes the first-start state again, for test rigs. Refused unless nothing real
 * can be behind it: only with `--auth off` and the simulated runtime.
 */
export function resetRoute(parts: ResetParts): HttpRoute {
  let running: Promise<void> | undefined;
  const reset = async () => {
    await parts.stopControllers();
    await parts.store.empty();
    await parts.prepare();
    await parts.startControllers();
  };
  return {
    prefix: '/_longshore/reset',
    async handle(request, response) {
      if (request.method !== 'POST') return answer(response, 405, { message: 'POST only' });
      const { auth, runtime } = parts.settings;
      if (auth !== 'off' || runtime !== 'simulated') {
        return answer(response, 403, {
          message: 'Reset wipes all state: it needs --auth off and --runtime simulated.',
        });
      }
      running ??= reset().finally(() => {
        running = undefined;
      });
      await running;
      answer(response, 200, { status: 'reset' });
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}
