import type { Clock } from '../base/clock.ts';
import type { Settings } from '../base/settings.ts';
import { Fault } from './fault.ts';
import type { Caller, Gatekeeper } from './service.ts';
import { readSignature, type Signature, type SignedRequest, SigningKeys, verifySignature } from './sigv4.ts';

export interface Authenticator {
  /** What the request says of its signer. With `auth: off`, also a signature that is not whole is none. Throws Fault. */
  signature(request: SignedRequest): Signature | undefined;
  /**
   * Who signed. `signingName` is the service's that the request is for, where it is known. Throws Fault with the codes that AWS's
   * JSON services use; `toWireError` has those of the others.
   */
  caller(request: SignedRequest, signature: Signature | undefined, signingName: string | undefined): Promise<Caller>;
}

/** Services whose clients sign for us-east-1 wherever they are. */
const global: ReadonlySet<string> = new Set(['iam', 'sts']);

/** Checks signatures with the secrets that the gatekeeper knows. */
export function authenticator(
  settings: Pick<Settings, 'auth' | 'accountId' | 'region'>,
  gatekeeper: Gatekeeper,
  clock: Clock,
): Authenticator {
  const keys = new SigningKeys();
  const root = (accessKeyId: string | undefined): Caller => ({
    accountId: settings.accountId,
    arn: `arn:aws:iam::${settings.accountId}:root`,
    userId: settings.accountId,
    type: 'root',
    ...(accessKeyId !== undefined && { accessKeyId }),
  });

  const checkScope = (signature: Signature, signingName: string | undefined) => {
    if (signingName !== undefined && signature.service !== signingName) {
      throw new Fault('InvalidSignatureException', `Credential should be scoped to correct service: '${signingName}'.`);
    }
    if (signature.region !== settings.region && !(global.has(signature.service) && signature.region === 'us-east-1')) {
      throw new Fault(
        'InvalidSignatureException',
        `Credential should be scoped to a valid region, not '${signature.region.slice(0, 64)}'.`,
      );
    }
  };

  return {
    signature(request) {
      if (settings.auth === 'on') return readSignature(request);
      try {
        return readSignature(request);
      } catch {
        return undefined;
      }
    },
    async caller(request, signature, signingName) {
      if (settings.auth === 'off') return root(signature?.accessKeyId);
      if (!signature) throw new Fault('MissingAuthenticationTokenException', 'Missing Authentication Token');
      const credential = await gatekeeper.credential(signature.accessKeyId);
      if (!credential || credential.sessionToken !== signature.sessionToken) {
        throw new Fault('UnrecognizedClientException', 'The security token included in the request is invalid.');
      }
      checkScope(signature, signingName);
      const now = clock.now();
      verifySignature(request, signature, credential.secretAccessKey, keys, now);
      if (credential.expiresAt !== undefined && credential.expiresAt <= now) {
        throw new Fault('ExpiredTokenException', 'The security token included in the request is expired');
      }
      return credential.caller;
    },
  };
}
