import type { Caller } from '../../wire/service.ts';
import { compile } from './identities.ts';
import type { PolicySet } from './policy/decision.ts';

/** Whom the keys of no user belong to. */
export type SystemPrincipal = 'root' | 'node';

/** The account's root, or the node agents of this Longshore, which no IAM operation shows or changes. */
export function systemCaller(name: SystemPrincipal, accountId: string, accessKeyId: string): Caller {
  if (name === 'root') {
    return { accountId, arn: `arn:aws:iam::${accountId}:root`, userId: accountId, type: 'root', accessKeyId };
  }
  return {
    accountId,
    arn: `arn:aws:sts::${accountId}:assumed-role/AWSServiceRoleForLongshoreNode/node`,
    userId: 'AROALONGSHORENODEAAAA:node',
    type: 'assumed-role',
    roleArn: `arn:aws:iam::${accountId}:role/aws-service-role/node.longshore.internal/AWSServiceRoleForLongshoreNode`,
    accessKeyId,
  };
}

/**
 * What an agent must do, and no more: AmazonEC2ContainerServiceforEC2Role without what only Amazon's instances need, and
 * the log groups that it may be asked to make.
 */
export const nodePolicies: PolicySet = {
  identity: [
    compile(
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: [
              'ecs:DeregisterContainerInstance',
              'ecs:DescribeContainerInstances',
              'ecs:DiscoverPollEndpoint',
              'ecs:ListTagsForResource',
              'ecs:Poll',
              'ecs:RegisterContainerInstance',
              'ecs:StartTelemetrySession',
              'ecs:Submit*',
              'ecs:TagResource',
              'ecs:UpdateContainerInstancesState',
              'ecs:CreateCluster',
              'ecr:BatchCheckLayerAvailability',
              'ecr:BatchGetImage',
              'ecr:GetAuthorizationToken',
              'ecr:GetDownloadUrlForLayer',
              'logs:CreateLogGroup',
              'logs:CreateLogStream',
              'logs:DescribeLogStreams',
              'logs:PutLogEvents',
            ],
            Resource: '*',
          },
        ],
      }),
    ),
  ],
};
