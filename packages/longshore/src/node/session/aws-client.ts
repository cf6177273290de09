import type { Clock } from '../../base/clock.ts';
import type { HttpClient } from './http.ts';
import { type SigningCredentials, sign } from './sigv4.ts';

/** An error that an AWS service answered. `code` is its type without namespace, e.g. `ResourceNotFoundException`. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status: number) {
    super(`${code}: ${message}`);
    this.code = code;
    this.status = status;
  }
  /** Whether the same call may succeed later: the service was overloaded or failed, rather than refused. */
  get retryable(): boolean {
    return (
      this.status >= 500 ||
      this.status === 429 ||
      /Throttl|TooManyRequests|ServerException|ServiceUnavailable/.test(this.code)
    );
  }
}

/** A service as the awsJson1.1 protocol names it. */
export interface AwsService {
  /** In the credential scope, e.g. `ecs`. */
  readonly signingName: string;
  /** Before the dot in X-Amz-Target. */
  readonly targetPrefix: string;
}

export const ecs: AwsService = { signingName: 'ecs', targetPrefix: 'AmazonEC2ContainerServiceV20141113' };
export const ecr: AwsService = { signingName: 'ecr', targetPrefix: 'AmazonEC2ContainerRegistry_V20150921' };
export const logs: AwsService = { signingName: 'logs', targetPrefix: 'Logs_20140328' };

/** Calls AWS services by awsJson1.1 at one endpoint. */
export class AwsClient {
  readonly #endpoint: URL;
  readonly #region: string;
  readonly #http: HttpClient;
  readonly #clock: Clock;

  constructor(endpoint: string, region: string, http: HttpClient, clock: Clock) {
    this.#endpoint = new URL('/', endpoint);
    this.#region = region;
    this.#http = http;
    this.#clock = clock;
  }

  /** One call, no retry. Throws AwsError for an answer that is not 200, Error where none came within `timeoutMs`. */
  async call<Output>(
    service: AwsService,
    operation: string,
    input: object,
    credentials: SigningCredentials,
    timeoutMs = 10_000,
  ): Promise<Output> {
    const body = JSON.stringify(input);
    const request = {
      method: 'POST',
      url: this.#endpoint,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `${service.targetPrefix}.${operation}`,
      },
      body,
    };
    const headers = sign(request, credentials, {
      service: service.signingName,
      region: this.#region,
      now: this.#clock.now(),
    });
    headers['content-length'] = String(Buffer.byteLength(body));
    const answer = await this.#http.sendForText({ ...request, headers, timeoutMs });
    if (answer.status !== 200) throw awsError(answer.status, answer.text, answer.headers['x-amzn-errortype']);
    return (answer.text === '' ? {} : JSON.parse(answer.text)) as Output;
  }
}

/** The error that a body of an AWS JSON protocol and the header name. */
function awsError(status: number, text: string, header: string | string[] | undefined): AwsError {
  let body: { __type?: string; code?: string; message?: string; Message?: string } = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 200) };
  }
  const type = (typeof header === 'string' ? header : undefined) ?? body.__type ?? body.code ?? `HTTP${status}`;
  const code = type.split('#').pop()!.split(':')[0]!;
  return new AwsError(code, body.message ?? body.Message ?? '', status);
}
