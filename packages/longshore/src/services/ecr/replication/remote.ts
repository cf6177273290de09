import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Endpoint } from './destinations.ts';
import { signPost } from './sign.ts';

/** What went wrong at the other registry; `code` is what DescribeImageReplicationStatus shows. */
export class ReplicationError extends Error {
  override readonly name = 'ReplicationError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface RemoteReply {
  readonly status: number;
  readonly text: string;
}

/** A registry that images are copied to: its API, signed, and its `/v2/`. */
export interface Remote {
  /** An operation of its API; undefined for a fault whose code is among `excused`. Throws ReplicationError. */
  call(operation: string, input: object, excused?: readonly string[]): Promise<Record<string, unknown> | undefined>;
  /** A request to `/v2/`, as the caller that the API knows us as. */
  send(method: string, path: string, headers?: Record<string, string>, body?: Readable): Promise<RemoteReply>;
}

/** A registry that takes or gives nothing for so long is given up. */
const silentMilliseconds = 60_000;

export async function openRemote(endpoint: Endpoint, region: string, now: () => number): Promise<Remote> {
  const call: Remote['call'] = async (operation, input, excused = []) => {
    const url = new URL(`${endpoint.endpoint}/`);
    const body = JSON.stringify(input);
    const unsigned = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonEC2ContainerRegistry_V20150921.${operation}`,
    };
    const headers = signPost({ host: url.host, headers: unsigned, body }, endpoint, region, now());
    const reply = await exchange(url, 'POST', headers, Readable.from([Buffer.from(body)]), Buffer.byteLength(body));
    const answer = parsed(reply.text);
    if (reply.status === 200) return answer;
    const code = String(answer.__type ?? answer.code ?? reply.status).replace(/^.*#/, '');
    if (excused.includes(code)) return undefined;
    throw new ReplicationError(code, `${operation} at ${url.host}: ${String(answer.message ?? reply.text)}`);
  };
  const { authorizationData } = (await call('GetAuthorizationToken', {})) as {
    authorizationData: { authorizationToken: string }[];
  };
  const authorization = `Basic ${authorizationData[0]?.authorizationToken}`;
  return {
    call,
    send: (method, path, headers = {}, body = Readable.from([])) =>
      exchange(new URL(endpoint.endpoint + path), method, { ...headers, authorization }, body),
  };
}

async function exchange(
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: Readable,
  length?: number,
): Promise<RemoteReply> {
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
  try {
    return await new Promise((resolve, reject) => {
      const sized = length === undefined ? {} : { 'content-length': String(length) };
      const options = { method, headers: { ...headers, ...sized }, agent: false, timeout: silentMilliseconds };
      const request = make(url, options, (reply: IncomingMessage) => {
        readAll(reply).then((text) => resolve({ status: reply.statusCode ?? 0, text }), reject);
      });
      request.on('timeout', () => request.destroy(new Error(`nothing heard for ${silentMilliseconds / 1000} s`)));
      request.on('error', reject);
      pipeline(body, request).catch(reject);
    });
  } catch (error) {
    body.destroy();
    throw new ReplicationError('DestinationUnavailable', `${url.host}: ${(error as Error).message}`);
  }
}

/** Answers are small: what is beyond 1 MiB is dropped. */
async function readAll(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= 1024 * 1024) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text || '{}') as Record<string, unknown>;
  } catch {
    return { message: text.slice(0, 200) };
  }
}
