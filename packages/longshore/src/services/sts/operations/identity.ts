import type {
  GetAccessKeyInfoRequest,
  GetAccessKeyInfoResponse,
  GetCallerIdentityResponse,
  GetSessionTokenRequest,
  GetSessionTokenResponse,
} from '@aws-sdk/client-sts';
import type { StsErrorCode } from '../../../models/errors.ts';
import { faults } from '../../../wire/fault.ts';
import type { Operation } from '../../../wire/service.ts';
import type { Sessions } from '../../iam/contract.ts';

const fault = faults<StsErrorCode>();

/** Nobody needs a permission for these (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html). */
const everyone = () => [];

/** Who asks, and credentials for who asks. */
export function identityOperations(sessions: Sessions) {
  const GetCallerIdentity: Operation<object, GetCallerIdentityResponse> = {
    access: everyone,
    handle: async (_input, { caller }) => ({ UserId: caller.userId, Account: caller.accountId, Arn: caller.arn }),
  };

  const GetSessionToken: Operation<GetSessionTokenRequest, GetSessionTokenResponse> = {
    access: everyone,
    async handle({ DurationSeconds, SerialNumber, TokenCode }, { caller }) {
      if (SerialNumber !== undefined || TokenCode !== undefined) {
        throw fault('AccessDenied', 'MultiFactorAuthentication failed with invalid MFA one time pass code.');
      }
      const made = await sessions.sessionToken(caller, DurationSeconds ?? 43_200);
      return {
        Credentials: {
          AccessKeyId: made.accessKeyId,
          SecretAccessKey: made.secretAccessKey,
          SessionToken: made.sessionToken,
          Expiration: new Date(made.expiresAt),
        },
      };
    },
  };

  const GetAccessKeyInfo: Operation<GetAccessKeyInfoRequest, GetAccessKeyInfoResponse> = {
    access: () => [{ resource: '*' }],
    async handle({ AccessKeyId }) {
      const Account = await sessions.accountOf(AccessKeyId!);
      if (!Account) throw fault('ValidationError', `Invalid Access Key ID: ${AccessKeyId}`);
      return { Account };
    },
  };

  return { GetCallerIdentity, GetSessionToken, GetAccessKeyInfo };
}
