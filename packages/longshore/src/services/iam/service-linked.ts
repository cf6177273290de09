/** A role that a service of AWS makes for itself. */
export interface ServiceLinkedRole {
  /** e.g. `ecs.amazonaws.com`. */
  readonly service: string;
  readonly name: string;
  readonly description: string;
  readonly policyArns: readonly string[];
}

const policy = (name: string) => `arn:aws:iam::aws:policy/aws-service-role/${name}`;

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html, of the services here. */
const known: readonly ServiceLinkedRole[] = [
  {
    service: 'ecs.amazonaws.com',
    name: 'AWSServiceRoleForECS',
    description: 'Role to enable Amazon ECS to manage your cluster.',
    policyArns: [policy('AmazonECSServiceRolePolicy')],
  },
  {
    service: 'elasticloadbalancing.amazonaws.com',
    name: 'AWSServiceRoleForElasticLoadBalancing',
    description: 'Allows ELB to call AWS services on your behalf.',
    policyArns: [policy('AWSElasticLoadBalancingServiceRolePolicy')],
  },
  {
    service: 'autoscaling.amazonaws.com',
    name: 'AWSServiceRoleForAutoScaling',
    description:
      'Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling',
    policyArns: [policy('AutoScalingServiceRolePolicy')],
  },
  {
    service: 'ecs.application-autoscaling.amazonaws.com',
    name: 'AWSServiceRoleForApplicationAutoScaling_ECSService',
    description: '',
    policyArns: [policy('AWSApplicationAutoscalingECSServicePolicy')],
  },
];

/** The role of a service that has one; undefined for others. */
export function serviceLinkedRole(service: string): ServiceLinkedRole | undefined {
  return known.find((role) => role.service === service);
}
