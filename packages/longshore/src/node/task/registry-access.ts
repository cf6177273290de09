import type { Clock } from '../../base/clock.ts';
import type { PayloadContainer } from '../../protocol/payload.ts';
import type { RegistryAccess, RegistryEndpoint } from '../runtime/registry/access.ts';
import { type AwsClient, ecr } from '../session/aws-client.ts';
import type { SigningCredentials } from '../session/sigv4.ts';

const ecrHost = /^\d{12}\.dkr\.ecr\.[^.]+\./;
/** Tokens last 12 hours; one is no longer used this long before its end. */
const earlyMs = 45 * 60_000;

/** Who asks: a role's session, or the node itself. */
type Holder = SigningCredentials & { readonly roleArn?: string };

interface TokenOutput {
  readonly authorizationData?: readonly { readonly authorizationToken?: string; readonly expiresAt?: number }[];
}

/**
 * Finds how a registry is reached, and gets ECR's tokens: one for each role, whose tasks all share it, as in Amazon's agent
 * (amazon-ecs-agent, ecr-accessor cache by role, registry and endpoint).
 */
export class RegistryAccessor {
  readonly #endpoint: URL;
  readonly #aws: AwsClient;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, { readonly token: Promise<string>; until: number }>();

  constructor(endpoint: string, aws: AwsClient, clock: Clock) {
    this.#endpoint = new URL(endpoint);
    this.#aws = aws;
    this.#clock = clock;
  }

  /** Access for one container, with the credentials of its task's execution role, or the node's own where it has none. */
  for(container: PayloadContainer, credentials: Holder): RegistryAccess {
    const isEcr = container.registryAuthentication?.type === 'ecr';
    return async (host) => {
      if (isEcr || ecrHost.test(host) || this.#isOurs(host)) return await this.#ours(host, credentials);
      return { host, url: publicUrl(host) };
    };
  }

  /** `localhost:PORT/…` is what clients outside push to: the same registry by its loopback name. */
  #isOurs(host: string): boolean {
    return (
      host === this.#endpoint.host ||
      new RegExp(`^(localhost|127\\.0\\.0\\.1|\\[::1\\]):${this.#endpoint.port}$`).test(host)
    );
  }

  async #ours(host: string, credentials: Holder): Promise<RegistryEndpoint> {
    const key = credentials.roleArn ?? credentials.accessKeyId;
    let entry = this.#tokens.get(key);
    if (!entry || entry.until <= this.#clock.now()) {
      for (const [old, { until }] of this.#tokens) if (until <= this.#clock.now()) this.#tokens.delete(old);
      const fresh: { token: Promise<string>; until: number } = {
        token: Promise.resolve(''),
        until: this.#clock.now() + 60_000,
      };
      const asked = this.#ask(credentials);
      const token = asked.then(({ token, expiresAt }) => {
        fresh.until = expiresAt - earlyMs;
        return token;
      });
      entry = Object.assign(fresh, { token });
      this.#tokens.set(key, entry);
      token.catch(() => this.#tokens.delete(key));
    }
    return { host, url: this.#endpoint.origin, authorization: `Basic ${await entry.token}` };
  }

  async #ask(credentials: SigningCredentials): Promise<{ token: string; expiresAt: number }> {
    try {
      const output = await this.#aws.call<TokenOutput>(ecr, 'GetAuthorizationToken', {}, credentials);
      const data = output.authorizationData?.[0];
      if (!data?.authorizationToken) throw new Error('no authorization data was answered');
      return { token: data.authorizationToken, expiresAt: (data.expiresAt ?? 0) * 1000 };
    } catch (error) {
      throw new Error(
        `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): ${(error as Error).message}`,
      );
    }
  }
}

function publicUrl(host: string): string {
  if (host === 'docker.io') return 'https://registry-1.docker.io';
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/.test(host) ? `http://${host}` : `https://${host}`;
}
