import { faults } from '../../wire/fault.ts';

/** ECS's error codes (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html and each action's page). */
export type EcsErrorCode =
  | 'AccessDeniedException'
  | 'AttributeLimitExceededException'
  | 'ClientException'
  | 'ClusterContainsContainerInstancesException'
  | 'ClusterContainsServicesException'
  | 'ClusterContainsTasksException'
  | 'ClusterNotFoundException'
  | 'ConflictException'
  | 'InvalidParameterException'
  | 'ResourceInUseException'
  | 'ResourceNotFoundException'
  | 'ServerException'
  | 'ServiceNotActiveException'
  | 'ServiceNotFoundException'
  | 'TargetNotFoundException'
  | 'UnsupportedFeatureException';

export const fault = faults<EcsErrorCode>();

/** The fault for a part of ECS's shape that is stored but can't be carried out yet. */
export const notYet = (what: string) =>
  fault('NotImplementedException', `Longshore does not run tasks with ${what} yet.`);
