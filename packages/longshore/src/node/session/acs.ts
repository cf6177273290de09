import { WebSocket } from 'ws';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Envelope } from '../../protocol/payload.ts';
import { Backoff } from './backoff.ts';
import { type SigningCredentials, sign } from './sigv4.ts';

/** Timers of Amazon's agent (see the README). */
const silentMs = 60_000;
const lifetimeMs = 30 * 60_000;
const inactiveInstanceMs = 3_600_000;

export interface AcsParts {
  /** Endpoint and parameters of the WebSocket, asked before each connection. */
  readonly target: (first: boolean) => Promise<URL>;
  readonly region: string;
  readonly credentials: SigningCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onConnected: () => void;
  readonly onMessage: (envelope: Envelope) => void;
  /** The server answered that it does not know this instance. */
  readonly onUnknownInstance: () => Promise<void>;
}

/** The Agent Communication Service session: a WebSocket that is opened again whenever it ends. */
export class Acs {
  readonly #parts: AcsParts;
  readonly #ended = new AbortController();
  #socket: WebSocket | undefined;
  #first = true;
  #loop: Promise<void> | undefined;

  constructor(parts: AcsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#socket?.close(1000);
    const cancel = this.#parts.clock.after(1_000, () => this.#socket?.terminate());
    await this.#loop;
    cancel();
  }

  /** Sends a message; false where there is no session (what must not be lost is sent again when there is one). */
  send(type: string, message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ type, message }));
    return true;
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#parts;
    const signal = this.#ended.signal;
    let backoff: Backoff | undefined;
    while (!signal.aborted) {
      let wait: number | undefined;
      try {
        const url = await this.#parts.target(this.#first);
        // A refused connection on this machine costs nothing, so a restarted control plane is found soon.
        const most = /^(127\.|localhost$|\[::1\])/.test(url.hostname) ? 2_000 : 120_000;
        backoff ??= new Backoff(random, { first: 250, most, factor: 1.5, jitter: 0.2 });
        await this.#session(url, () => backoff?.reset());
      } catch (error) {
        if (signal.aborted) return;
        const text = (error as Error).message;
        if (/InvalidInstance|InvalidCluster/.test(text)) await this.#parts.onUnknownInstance().catch(() => undefined);
        if (/InactiveInstance/.test(text)) wait = inactiveInstanceMs;
        log.debug({ error: text }, 'no session with the control plane');
      }
      backoff ??= new Backoff(random, { first: 250, most: 2_000, factor: 1.5, jitter: 0.2 });
      await clock.sleep(wait ?? backoff.next(), signal).catch(() => undefined);
    }
  }

  /** One connection, from the request to its end. Rejects where it does not come about. */
  #session(url: URL, onOpen: () => void): Promise<void> {
    const { region, credentials, clock, random, log } = this.#parts;
    const signed = sign({ method: 'GET', url, headers: {} }, credentials, { service: 'ecs', region, now: clock.now() });
    const address = new URL(url);
    address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address, { headers: signed, handshakeTimeout: 10_000, perMessageDeflate: false });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let cancelSilence = () => {};
      let cancelLifetime = () => {};
      const heard = () => {
        cancelSilence();
        cancelSilence = clock.after(silentMs * (1 + random.fraction()), () => {
          log.warn({}, 'the control plane is silent; connecting again');
          socket.terminate();
        });
      };
      socket.on('open', () => {
        this.#first = false;
        onOpen();
        heard();
        cancelLifetime = clock.after(lifetimeMs + random.fraction() * 300_000, () => socket.close(1000));
        log.info({ endpoint: address.host }, 'connected to the control plane');
        this.#parts.onConnected();
      });
      socket.on('ping', heard);
      socket.on('message', (data) => {
        heard();
        try {
          this.#parts.onMessage(JSON.parse(data.toString()) as Envelope);
        } catch (error) {
          log.warn({ error: String(error) }, 'a message that can not be read');
        }
      });
      socket.on('unexpected-response', (_request, response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          reject(new Error(`${response.statusCode} ${Buffer.concat(parts).toString().slice(0, 500)}`)),
        );
        response.on('error', reject);
      });
      socket.on('error', (error) => reject(error));
      socket.on('close', () => {
        cancelSilence();
        cancelLifetime();
        resolve();
      });
    });
  }
}
