import { mediaTypes } from '../rules/manifest.ts';
import type { UpstreamCredentials } from './secrets.ts';

/** Why an upstream registry did not give what it was asked for. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly reason: 'missing' | 'denied' | 'throttled' | 'unavailable';

  constructor(reason: UpstreamError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** An OCI registry that images are taken from. */
export interface Upstream {
  /** Throws UpstreamError unless the registry lets us in. */
  check(): Promise<void>;
  manifest(
    repository: string,
    reference: string,
  ): Promise<{ readonly mediaType: string; readonly content: Uint8Array }>;
  /** The size of a blob in bytes, where the registry tells it. */
  blobSize(repository: string, digest: string): Promise<number | undefined>;
  blob(
    repository: string,
    digest: string,
  ): Promise<{ readonly size: number | undefined; readonly body: AsyncIterable<Uint8Array> }>;
}

/** A registry that says nothing for so long is given up. */
const answerMilliseconds = 30_000;
const silentMilliseconds = 60_000;
const mostManifestBytes = 4 * 1024 * 1024;
/** How long a bearer token is used that does not say how long it lives (Docker's token specification). */
const tokenMilliseconds = 60_000;

/** `https` for every host but loopback, which Docker trusts without TLS too. */
export function upstreamBase(host: string): string {
  const isLoopback = /^(localhost|[\w-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
  return `${isLoopback ? 'http' : 'https'}://${host}`;
}

/** Speaks OCI distribution 1.1 with Basic or Bearer authentication, whichever the registry asks for. */
export function openUpstream(
  host: string,
  credentials: () => Promise<UpstreamCredentials | undefined>,
  now: () => number,
): Upstream {
  const base = upstreamBase(host);
  const held = new Map<string, { readonly authorization: string; readonly until: number }>();

  async function signIn(challenge: string, scope: string): Promise<string | undefined> {
    const basic = await credentials();
    const encoded = basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
    if (/^basic/i.test(challenge)) {
      if (encoded) held.set(scope, { authorization: encoded, until: now() + tokenMilliseconds });
      return encoded;
    }
    const parameter = (name: string) => new RegExp(`${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
    const realm = parameter('realm');
    if (!/^bearer/i.test(challenge) || realm === undefined) return undefined;
    const url = new URL(realm);
    // A password goes nowhere in the clear but to this machine.
    const safe = url.protocol === 'https:' || upstreamBase(url.host).startsWith('http:');
    if (!safe && encoded)
      throw new UpstreamError('denied', `${host} wants the password sent in the clear to ${url.host}`);
    const service = parameter('service');
    if (service !== undefined) url.searchParams.set('service', service);
    if (scope !== '') url.searchParams.set('scope', parameter('scope') ?? scope);
    const answer = await request(url.href, encoded ? { authorization: encoded } : {});
    if (!answer.ok) throw await failure(answer, `signing in at ${url.host}`);
    const { token, access_token, expires_in } = (await answer.json()) as Record<string, unknown>;
    const bearer = token ?? access_token;
    if (typeof bearer !== 'string') throw new UpstreamError('denied', `${url.host} gave no token`);
    const lives = typeof expires_in === 'number' ? expires_in * 1000 : tokenMilliseconds;
    if (held.size > 1000) held.clear();
    held.set(scope, { authorization: `Bearer ${bearer}`, until: now() + lives * 0.9 });
    return `Bearer ${bearer}`;
  }

  async function ask(path: string, scope: string, method = 'GET', accept?: string): Promise<Response> {
    const headers = (authorization: string | undefined): Record<string, string> => ({
      ...(accept === undefined ? {} : { accept }),
      ...(authorization === undefined ? {} : { authorization }),
    });
    const known = held.get(scope);
    const first = await request(
      base + path,
      headers(known && known.until > now() ? known.authorization : undefined),
      method,
    );
    if (first.status !== 401) return first;
    held.delete(scope);
    await first.body?.cancel();
    const authorization = await signIn(first.headers.get('www-authenticate') ?? '', scope);
    if (authorization === undefined)
      throw new UpstreamError('denied', `${host} asks for credentials: give the rule a credentialArn`);
    return request(base + path, headers(authorization), method);
  }

  async function request(url: string, headers: Record<string, string>, method = 'GET'): Promise<Response> {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(new Error('no answer in time')), answerMilliseconds);
    try {
      return await fetch(url, { method, headers, signal: giveUp.signal });
    } catch (error) {
      const { cause, message } = error as Error;
      const why = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
      throw new UpstreamError('unavailable', `${new URL(url).host} could not be reached: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async function failure(answer: Response, what: string): Promise<UpstreamError> {
    await answer.body?.cancel();
    const said = `${host} answered ${answer.status} to ${what}`;
    if (answer.status === 404) return new UpstreamError('missing', said);
    if (answer.status === 401 || answer.status === 403) return new UpstreamError('denied', said);
    return new UpstreamError(answer.status === 429 ? 'throttled' : 'unavailable', said);
  }

  const scopeOf = (repository: string) => `repository:${repository}:pull`;
  const length = (answer: Response) => {
    const text = answer.headers.get('content-length');
    return text === null || answer.headers.has('content-encoding') ? undefined : Number(text);
  };

  return {
    async check() {
      const answer = await ask('/v2/', '');
      if (!answer.ok) throw await failure(answer, 'signing in');
      await answer.body?.cancel();
    },
    async manifest(repository, reference) {
      const accept = Object.values(mediaTypes).join(', ');
      const answer = await ask(`/v2/${repository}/manifests/${reference}`, scopeOf(repository), 'GET', accept);
      if (!answer.ok) throw await failure(answer, `the manifest ${repository}:${reference}`);
      const content = await readAll(answer, host);
      return { mediaType: answer.headers.get('content-type')?.split(';')[0] ?? '', content };
    },
    async blobSize(repository, digest) {
      const answer = await ask(`/v2/${repository}/blobs/${digest}`, scopeOf(repository), 'HEAD');
      if (!answer.ok) throw await failure(answer, `the blob ${digest}`);
      return length(answer);
    },
    async blob(repository, digest) {
      const answer = await ask(`/v2/${repository}/blobs/${digest}`, scopeOf(repository));
      if (!answer.ok || !answer.body) throw await failure(answer, `the blob ${digest}`);
      return { size: length(answer), body: heard(answer.body) };
    },
  };
}

async function readAll(answer: Response, host: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of heard(answer.body as ReadableStream<Uint8Array>)) {
    size += chunk.length;
    if (size > mostManifestBytes) throw new UpstreamError('unavailable', `${host} sent a manifest of more than 4 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A body that is given up where nothing comes for a minute, or that breaks off with an error in words. */
async function* heard(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new UpstreamError('unavailable', 'the upstream fell silent')),
          silentMilliseconds,
        );
      });
      const { done, value } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
