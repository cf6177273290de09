import type { GetAuthorizationTokenRequest, GetAuthorizationTokenResponse } from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { registryHost } from '../repositories.ts';

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html */
export function getAuthorizationToken(
  ecr: Ecr,
): Operation<GetAuthorizationTokenRequest, GetAuthorizationTokenResponse> {
  return {
    access: () => [{ resource: '*' }],
    async handle(_input, context) {
      const { password, expiresAt } = ecr.signer.password(context.caller, ecr.clock.now());
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
