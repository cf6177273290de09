import type {
  AvailabilityZoneRebalancing,
  CapacityProviderStrategyItem,
  DeploymentConfiguration,
  LaunchType,
  LoadBalancer,
  NetworkConfiguration,
  PropagateTags,
} from '@aws-sdk/client-ecs';
import type { DeploymentRow, ServiceRow } from '../tables.ts';

/** What of a service no query asks for. */
export interface ServiceDocument {
  readonly taskDefinition: string;
  readonly loadBalancers: readonly LoadBalancer[];
  readonly networkConfiguration?: NetworkConfiguration;
  readonly deploymentConfiguration: DeploymentConfiguration;
  readonly launchType?: LaunchType;
  readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[];
  readonly platformVersion: string;
  readonly propagateTags: PropagateTags;
  readonly enableECSManagedTags: boolean;
  readonly enableExecuteCommand: boolean;
  readonly healthCheckGracePeriodSeconds: number;
  readonly availabilityZoneRebalancing: AvailabilityZoneRebalancing;
}

/** What a deployment was made with: its service revision. It does not change. */
export type RevisionDocument = Pick<
  ServiceDocument,
  'loadBalancers' | 'networkConfiguration' | 'launchType' | 'capacityProviderStrategy' | 'platformVersion'
> & {
  readonly containerImages: readonly { readonly containerName: string; readonly image: string }[];
  readonly desiredCount: number;
};

export const serviceDocument = (row: Pick<ServiceRow, 'document'>): ServiceDocument =>
  JSON.parse(row.document) as ServiceDocument;
export const revisionDocument = (row: Pick<DeploymentRow, 'document'>): RevisionDocument =>
  JSON.parse(row.document) as RevisionDocument;

/** Percentages of a service where the caller gave none (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html). */
export const defaultDeployment = { maximumPercent: 200, minimumHealthyPercent: 100 } as const;

/** The part of a service that a revision decides. */
export function revisedBy({
  containerImages: _,
  desiredCount: __,
  ...revision
}: RevisionDocument): Partial<ServiceDocument> {
  return revision;
}
