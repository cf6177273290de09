import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds without a byte after which the call fails. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Connections kept open to the few hosts that a node speaks to. */
export class HttpClient {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 32 });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: 32 });

  /** Sends the request; resolves with the answer's head, its body unread. Errors name the host and what failed. */
  send(request: HttpRequest): Promise<IncomingMessage> {
    const secure = request.url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(
        request.url,
        {
          method: request.method,
          headers: request.headers,
          agent: secure ? this.#https : this.#http,
          timeout: request.timeoutMs,
          ...(request.signal && { signal: request.signal }),
        },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${request.timeoutMs} ms`)));
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (request.signal?.aborted) reject(request.signal.reason);
        else
          reject(
            new Error(`${request.method} ${request.url.origin}: ${error.message || error.code}`, { cause: error }),
          );
      });
      outgoing.end(request.body);
    });
  }

  /** Like `send`, with the body read as text; at most `limit` bytes. */
  async sendForText(
    request: HttpRequest,
    limit = 8 * 1024 * 1024,
  ): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
    const answer = await this.send(request);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of answer as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > limit) {
        answer.destroy();
        throw new Error(`${request.url.origin}: answer longer than ${limit} bytes`);
      }
      parts.push(part);
    }
    return { status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(parts).toString('utf8') };
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
