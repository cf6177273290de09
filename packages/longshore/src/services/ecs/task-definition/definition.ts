import type { ContainerDefinition, RegisterTaskDefinitionRequest, TaskDefinition } from '@aws-sdk/client-ecs';

/** A task definition as it is kept: everything that a caller sees but the numbers and times that the row holds. */
export type Definition = Omit<
  TaskDefinition,
  'taskDefinitionArn' | 'revision' | 'status' | 'registeredAt' | 'deregisteredAt' | 'registeredBy' | 'deleteRequestedAt'
>;

export type DefinitionRequest = Omit<RegisterTaskDefinitionRequest, 'tags' | 'family' | 'containerDefinitions'> & {
  readonly family: string;
  readonly containerDefinitions: ContainerDefinition[];
};

/** Images of ECR: pulled with the execution role. The second form is how this Longshore's own registry names repositories. */
export const isEcrImage = (image: string): boolean => /^\d{12}\.dkr\.ecr\.[^./]+\./.test(image);
