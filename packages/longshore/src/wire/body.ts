import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DecodeProblem } from './codec/problem.ts';
import { Fault } from './fault.ts';

/** The client went away, or was too slow, before its request was whole: there is nobody to answer. */
export class ClientGone extends Error {}

/** Reads a request's body whole. Throws Fault RequestEntityTooLargeException above `limit` bytes, ClientGone after `timeout` ms. */
export function readBody(request: IncomingMessage, limit: number, timeout: number): Promise<Buffer> {
  const stated = Number(request.headers['content-length'] ?? 0);
  if (stated > limit) return Promise.reject(tooLarge(limit));
  if (stated === 0 && request.headers['transfer-encoding'] === undefined) {
    request.resume();
    return Promise.resolve(Buffer.alloc(0));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => finish(new ClientGone('The request body did not arrive in time')), timeout);
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) finish(tooLarge(limit));
      else chunks.push(chunk);
    };
    const onEnd = () => finish();
    const onGone = () => finish(new ClientGone('The client closed the connection'));
    const finish = (error?: Error) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      if (error) {
        request.on('error', () => {});
        reject(error);
      } else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    };
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

function tooLarge(limit: number): Fault {
  return new Fault('RequestEntityTooLargeException', `Request size exceeds the limit of ${limit} bytes`);
}

const unzip = promisify(gunzip);

/** Undoes `Content-Encoding`: gzip, and the aws-chunked of streamed uploads. Throws DecodeProblem. */
export async function decodeContent(body: Buffer, encoding: string | undefined, limit: number): Promise<Buffer> {
  let content = body;
  for (const name of (encoding ?? '')
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .reverse()) {
    if (name === 'gzip') {
      try {
        content = await unzip(content, { maxOutputLength: limit });
      } catch {
        throw new DecodeProblem(`The request body is not valid gzip of at most ${limit} bytes`);
      }
    } else if (name === 'aws-chunked') content = dechunk(content);
  }
  return content;
}

/** The data of `SIZE;chunk-signature=…` chunks (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html). */
function dechunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const end = body.indexOf('\r\n', offset);
    const size =
      end < 0
        ? undefined
        : /^([0-9a-f]{1,8})(;|$)/i.exec(body.toString('latin1', offset, Math.min(end, offset + 256)))?.[1];
    if (size === undefined) throw new DecodeProblem('Malformed aws-chunked body');
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(parts);
    const start = end + 2;
    if (start + length > body.length) throw new DecodeProblem('Malformed aws-chunked body');
    parts.push(body.subarray(start, start + length));
    offset = start + length + 2;
  }
}
