import type { IncomingMessage } from 'node:http';
import type { HttpClient } from '../../session/http.ts';
import { PullError } from '../runtime.ts';
import type { RegistryEndpoint } from './access.ts';
import type { ImageReference } from './reference.ts';

/** Milliseconds without a byte from a registry. */
const inactivityMs = 60_000;
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest or an index, as its bytes and taken apart. */
export interface FetchedManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** One repository of a registry (OCI distribution-spec, pull). Errors that a retry can't mend are PullErrors. */
export class Registry {
  readonly #http: HttpClient;
  readonly #endpoint: RegistryEndpoint;
  readonly #reference: ImageReference;
  #authorization: string | undefined;

  constructor(http: HttpClient, endpoint: RegistryEndpoint, reference: ImageReference) {
    this.#http = http;
    this.#endpoint = endpoint;
    this.#reference = reference;
    this.#authorization = endpoint.authorization;
  }

  /** The digest that the reference stands for now. */
  async resolve(signal: AbortSignal): Promise<string> {
    const { digest, tag } = this.#reference;
    const answer = await this.#get('HEAD', `manifests/${digest ?? tag}`, { accept: manifestTypes }, signal);
    answer.resume();
    const resolved = answer.headers['docker-content-digest'] ?? digest;
    if (typeof resolved !== 'string') throw this.#failed('the registry names no digest');
    if (digest && resolved !== digest) throw this.#failed(`the registry answered ${resolved} for ${digest}`);
    return resolved;
  }

  async manifest(digest: string, signal: AbortSignal): Promise<FetchedManifest> {
    const answer = await this.#get('GET', `manifests/${digest}`, { accept: manifestTypes }, signal);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of answer as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > 4 * 1024 * 1024) throw this.#failed('the manifest is longer than 4 MiB');
      parts.push(part);
    }
    const mediaType = answer.headers['content-type']?.split(';')[0]?.trim() ?? '';
    return { mediaType, bytes: Buffer.concat(parts) };
  }

  /** The blob's bytes as they come; whoever reads them checks the digest. */
  async blob(digest: string, signal: AbortSignal): Promise<IncomingMessage> {
    return await this.#get('GET', `blobs/${digest}`, {}, signal);
  }

  async #get(
    method: string,
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    let url = new URL(`/v2/${this.#reference.repository}/${path}`, this.#endpoint.url);
    let challenged = false;
    for (let redirects = 0; redirects < 6; ) {
      const sameHost = url.origin === new URL(this.#endpoint.url).origin;
      const answer = await this.#http
        .send({
          method,
          url,
          headers: { ...headers, ...(sameHost && this.#authorization && { authorization: this.#authorization }) },
          timeoutMs: inactivityMs,
          signal,
        })
        .catch((error: Error) => {
          throw new Error(
            `failed to resolve ref ${this.#reference.canonical}: failed to do request: ${error.message}`,
            {
              cause: error,
            },
          );
        });
      const status = answer.statusCode ?? 0;
      if (status === 200) return answer;
      answer.resume();
      if (status >= 301 && status <= 308 && answer.headers.location) {
        url = new URL(answer.headers.location, url);
        redirects++;
        continue;
      }
      const challenge = answer.headers['www-authenticate'];
      if (status === 401 && !challenged && challenge && /^bearer /i.test(challenge)) {
        challenged = true;
        this.#authorization = await this.#token(challenge, signal);
        continue;
      }
      const { canonical } = this.#reference;
      if (status === 404) throw this.#failed(`${canonical}: not found`);
      if (status === 401 || status === 403)
        throw this.#failed(
          status === 401
            ? 'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials'
            : `unexpected status from ${method} request to ${url.href}: 403 Forbidden`,
        );
      throw new Error(
        `failed to resolve ref ${canonical}: unexpected status from ${method} request to ${url.href}: ${status}`,
      );
    }
    throw this.#failed('too many redirects');
  }

  /** The token flow of the distribution specification: the challenge names where to ask and for what. */
  async #token(challenge: string, signal: AbortSignal): Promise<string> {
    const parameters = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2]]),
    );
    if (!parameters.realm) throw this.#failed('the registry asks for a token but does not say where to get it');
    const url = new URL(parameters.realm);
    if (parameters.service) url.searchParams.set('service', parameters.service);
    url.searchParams.set('scope', parameters.scope ?? `repository:${this.#reference.repository}:pull`);
    const answer = await this.#http.sendForText({
      method: 'GET',
      url,
      headers: this.#endpoint.authorization ? { authorization: this.#endpoint.authorization } : {},
      timeoutMs: inactivityMs,
      signal,
    });
    if (answer.status !== 200) throw this.#failed(`${url.origin} gave no token: ${answer.status}`);
    const body = JSON.parse(answer.text) as { token?: string; access_token?: string };
    return `Bearer ${body.token ?? body.access_token}`;
  }

  #failed(what: string): PullError {
    return new PullError(`failed to resolve ref ${this.#reference.canonical}: ${what}`);
  }
}
