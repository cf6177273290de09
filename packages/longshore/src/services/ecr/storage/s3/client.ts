import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../../../base/clock.ts';
import type { S3Location } from './location.ts';
import { objectPath, queryText, signedHeaders } from './sign.ts';

/** A store that says nothing for so long is tried again. */
const silentMilliseconds = 30_000;
const tries = 4;
const firstPause = 100;

export interface S3Request {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
}

export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class S3Error extends Error {
  override readonly name = 'S3Error';
  readonly status: number;
  readonly code: string;

  constructor(what: string, status: number, text: string) {
    const code = element(text, 'Code') ?? String(status);
    super(`the S3 store answered ${what} with ${status} ${code}: ${element(text, 'Message') ?? text.slice(0, 300)}`);
    this.status = status;
    this.code = code;
  }
}

/** The calls of S3's REST API that a blob store needs. Keys are without the location's prefix. */
export interface S3Client {
  /** Tried again where the store is busy or unreachable. Answers whose status is none of `expected` (2xx always is) throw S3Error. */
  call(method: string, key: string, request?: S3Request, expected?: readonly number[]): Promise<S3Answer>;
  /** The body as it comes; the caller reads it to its end or destroys it. */
  open(key: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage>;
  close(): void;
}

export function s3Client(location: S3Location, clock: Clock): S3Client {
  const { endpoint, prefix } = location;
  const secure = endpoint.protocol === 'https:';
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 64 });

  const send = (method: string, key: string | undefined, { query = {}, headers = {}, body = [] }: S3Request) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const path = objectPath(location, key === undefined ? '' : `${prefix}${key}`);
      const search = queryText(query);
      const length = body.reduce((sum, chunk) => sum + chunk.length, 0);
      const signed = signedHeaders(location, { method, path, query: search, headers }, clock.now());
      const outgoing = (secure ? httpsRequest : httpRequest)(
        {
          agent,
          method,
          host: endpoint.hostname.replace(/^\[|\]$/g, ''),
          port: endpoint.port || (secure ? 443 : 80),
          path: search === '' ? path : `${path}?${search}`,
          headers: { ...signed, ...(method === 'GET' || method === 'HEAD' ? {} : { 'content-length': length }) },
          timeout: silentMilliseconds,
        },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`the S3 store at ${endpoint.host} is silent`)));
      outgoing.on('error', reject);
      for (const chunk of body) outgoing.write(chunk);
      outgoing.end();
    });

  /** The bucket itself is asked with the key `undefined`. */
  async function persistently<T>(what: string, once: () => Promise<T | S3Error>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      let failure: unknown;
      try {
        const outcome = await once();
        if (!(outcome instanceof S3Error)) return outcome;
        if (outcome.status < 500 && outcome.status !== 429) throw outcome;
        failure = outcome;
      } catch (error) {
        if (error instanceof S3Error) throw error;
        failure = error;
      }
      if (attempt === tries) throw new Error(`${what} failed ${tries} times`, { cause: failure });
      await clock.sleep(firstPause * 4 ** (attempt - 1));
    }
  }

  return {
    call(method, key, request = {}, expected = []) {
      const what = `${method} ${key}`;
      return persistently(what, async () => {
        const answer = await send(method, key === '' ? undefined : key, request);
        const status = answer.statusCode ?? 0;
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        const text = Buffer.concat(chunks).toString();
        // Completing and copying may fail after a 200 was sent (S3 API reference, CompleteMultipartUpload, CopyObject).
        const failedLate = status === 200 && method !== 'GET' && /<Error>/.test(text);
        if ((status >= 200 && status < 300 && !failedLate) || expected.includes(status))
          return { status, headers: answer.headers, text };
        return new S3Error(what, failedLate ? 500 : status, text);
      });
    },
    open(key, headers) {
      const what = `GET ${key}`;
      return persistently(what, async () => {
        const answer = await send('GET', key, { headers });
        const status = answer.statusCode ?? 0;
        if (status === 200 || status === 206) return answer;
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        return new S3Error(what, status, Buffer.concat(chunks).toString());
      });
    },
    close: () => agent.destroy(),
  };
}

/** The text of the first element of that name. */
export function element(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml)?.[1];
  return found?.replace(/&(lt|gt|quot|apos|amp|#(\d+));/g, (_, entity: string, code?: string) =>
    code ? String.fromCodePoint(Number(code)) : ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }[entity] ?? ''),
  );
}

/** The inner text of every element of that name; elements of one name do not nest in S3's answers. */
export function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map((match) => match[1] as string);
}
