import type { Connection } from './data-dir.ts';
import { CommandError } from './output.ts';
import { signedHeaders } from './sigv4.ts';
import { parseXml, type XmlValue } from './xml.ts';

/** An error that the API answered, by AWS's code. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(operation: string, code: string, status: number, message: string) {
    super(`${operation}: ${message} (${code})`);
    this.name = 'AwsError';
    this.code = code;
    this.status = status;
  }
}

type Input = Readonly<Record<string, unknown>>;

/** The services that the command line speaks to, with what their protocols need. */
const services = {
  ecs: { signAs: 'ecs', target: 'AmazonEC2ContainerServiceV20141113' },
  ecr: { signAs: 'ecr', target: 'AmazonEC2ContainerRegistry_V20150921' },
  logs: { signAs: 'logs', target: 'Logs_20140328' },
  elbv2: { signAs: 'elasticloadbalancing', version: '2015-12-01', lists: 'member' },
  iam: { signAs: 'iam', version: '2010-05-08', lists: 'member' },
  sts: { signAs: 'sts', version: '2011-06-15', lists: 'member' },
  ec2: { signAs: 'ec2', version: '2016-11-15', lists: 'flat' },
} as const;

export type AwsService = keyof typeof services;

/**
 * A small client of our own API, as any AWS client is one: signed, over HTTP, no door of its own. Answers of the query protocols
 * (elbv2, iam, sts, ec2) hold text where the model has numbers and booleans, and lists are empty text where they are empty:
 * read these with `listOf`.
 */
export interface AwsClient {
  /** Throws AwsError with AWS's code, or CommandError where nothing answers at the endpoint. */
  call<Output>(service: AwsService, operation: string, input?: Input): Promise<Output>;
}

/** `timeoutMs`: for one call. */
export function awsClient(connection: Connection, timeoutMs = 30_000): AwsClient {
  const { endpoint, region } = connection;
  const host = new URL(endpoint).host;

  async function send(
    service: AwsService,
    operation: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<Response> {
    const signed = signedHeaders({
      host,
      service: services[service].signAs,
      region,
      headers,
      body,
      key: connection,
      now: Date.now(),
    });
    try {
      return await fetch(endpoint, { method: 'POST', headers: signed, body, signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      const cause = (error as Error & { cause?: { code?: string } }).cause?.code;
      if (cause === 'ECONNREFUSED') {
        throw new CommandError(`Nothing answers at ${endpoint}.`, { hint: 'Start Longshore with `longshore up`.' });
      }
      throw new Error(`${operation} at ${endpoint} failed: ${cause ?? (error as Error).message}`);
    }
  }

  return {
    async call<Output>(service: AwsService, operation: string, input: Input = {}): Promise<Output> {
      const protocol = services[service];
      if ('target' in protocol) {
        const headers = {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `${protocol.target}.${operation}`,
        };
        const response = await send(service, operation, headers, JSON.stringify(input));
        const text = await response.text();
        if (!response.ok) throw jsonError(operation, response, text);
        return (text === '' ? {} : JSON.parse(text)) as Output;
      }
      const form = new URLSearchParams({ Action: operation, Version: protocol.version });
      for (const [name, value] of flatten(input, protocol.lists)) form.append(name, value);
      const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
      const response = await send(service, operation, headers, form.toString());
      const text = await response.text();
      if (!response.ok) throw xmlError(operation, response, text);
      const answer = parseXml(text) as Record<string, XmlValue>;
      return (answer[`${operation}Result`] ?? answer) as Output;
    },
  };
}

/** A list of a query protocol's answer: empty where it is absent or empty. */
export function listOf<T>(value: readonly T[] | string | undefined): readonly T[] {
  return Array.isArray(value) ? value : [];
}

/** Parameters of the query protocols: `A.B`, and lists as `A.member.N` (query) or `A.N` (ec2). */
export function flatten(value: unknown, lists: 'member' | 'flat', prefix = ''): [string, string][] {
  if (value === undefined || value === null) return [];
  const inner = (name: string | number) => (prefix === '' ? String(name) : `${prefix}.${name}`);
  if (Array.isArray(value)) {
    return value.flatMap((each, index) =>
      flatten(each, lists, inner(lists === 'member' ? `member.${index + 1}` : index + 1)),
    );
  }
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([name, each]) => flatten(each, lists, inner(name)));
  }
  return [[prefix, String(value)]];
}

function jsonError(operation: string, response: Response, text: string): AwsError {
  let body: { __type?: string; message?: string; Message?: string } = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 300) };
  }
  const code = (body.__type ?? response.headers.get('x-amzn-errortype') ?? 'UnknownError')
    .split('#')
    .at(-1)
    ?.split(':')[0] as string;
  return new AwsError(operation, code, response.status, body.message ?? body.Message ?? response.statusText);
}

function xmlError(operation: string, response: Response, text: string): AwsError {
  const read = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return new AwsError(
    operation,
    read('Code') ?? 'UnknownError',
    response.status,
    read('Message') ?? text.slice(0, 300),
  );
}
