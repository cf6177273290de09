import type { AssumeRoleRequest, AssumeRoleResponse } from '@aws-sdk/client-sts';
import type { StsErrorCode } from '../../../models/errors.ts';
import { faults } from '../../../wire/fault.ts';
import type { Operation } from '../../../wire/service.ts';
import type { Sessions } from '../../iam/contract.ts';

const fault = faults<StsErrorCode>();

/** Characters of a session policy that make PackedPolicySize 100 percent. */
const mostPolicyCharacters = 2048;
const mostPolicyArns = 10;

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export function assumeRole(sessions: Sessions): Operation<AssumeRoleRequest, AssumeRoleResponse> {
  return {
    // Whether the caller may is for the role's trust policy to say first, and then for the caller's own policies.
    access: () => [],
    async handle(input, context) {
      const policyArns = (input.PolicyArns ?? []).map(({ arn }) => arn ?? '');
      if (policyArns.length > mostPolicyArns) {
        throw fault('ValidationError', `The number of policy ARNs exceeds the limit of ${mostPolicyArns}.`);
      }
      const keys = (input.Tags ?? []).map((tag) => tag.Key ?? '');
      if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length) {
        throw fault(
          'InvalidParameterValue',
          'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
        );
      }
      const made = await sessions.assumeRole(
        {
          roleArn: input.RoleArn!,
          sessionName: input.RoleSessionName!,
          durationSeconds: input.DurationSeconds ?? 3600,
          externalId: input.ExternalId,
          policy: input.Policy,
          policyArns,
          tags: Object.fromEntries((input.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
          transitiveTagKeys: input.TransitiveTagKeys ?? [],
          sourceIdentity: input.SourceIdentity,
        },
        context,
      );
      return {
        Credentials: {
          AccessKeyId: made.accessKeyId,
          SecretAccessKey: made.secretAccessKey,
          SessionToken: made.sessionToken,
          Expiration: new Date(made.expiresAt),
        },
        AssumedRoleUser: { AssumedRoleId: made.caller.userId, Arn: made.caller.arn },
        ...(input.Policy === undefined
          ? {}
          : { PackedPolicySize: Math.ceil((100 * input.Policy.replace(/\s/g, '').length) / mostPolicyCharacters) }),
        ...(input.SourceIdentity === undefined ? {} : { SourceIdentity: input.SourceIdentity }),
      };
    },
  };
}
