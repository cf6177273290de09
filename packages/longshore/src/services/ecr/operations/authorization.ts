import type { GetAuthorizationTokenRequest, GetAuthorizationTokenResponse } from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { registryHost } from '../repositories.ts';
import { onRegistry } from './access.ts';

/**
 * A password for 12 hours, or for as long as the session that asks lives, if that is less: policies that narrow a
 * session are asked at every pull and push, and end with it.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
 */
export function getAuthorizationToken(
  ecr: Ecr,
): Operation<GetAuthorizationTokenRequest, GetAuthorizationTokenResponse> {
  return {
    access: onRegistry(ecr),
    async handle(_input, context) {
      const { accessKeyId } = context.caller;
      const credential = accessKeyId === undefined ? undefined : await ecr.gatekeeper.credential(accessKeyId);
      const { password, expiresAt } = ecr.signer.password(context.caller, ecr.clock.now(), credential?.expiresAt);
      return {
        authorizationData: [
          {
            authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'),
            expiresAt: new Date(expiresAt),
            proxyEndpoint: `http://${registryHost(context.endpoint)}`,
          },
        ],
      };
    },
  };
}
