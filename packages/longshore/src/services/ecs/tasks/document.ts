import type {
  Attachment,
  Attribute,
  Container,
  EphemeralStorage,
  LoadBalancer,
  TaskOverride,
} from '@aws-sdk/client-ecs';
import type { TaskRow } from '../tables.ts';

/** What of a task no query asks for. */
export interface TaskDocument {
  readonly overrides: TaskOverride;
  readonly containers: readonly Container[];
  readonly attachments: readonly Attachment[];
  readonly attributes: readonly Attribute[];
  readonly availabilityZone: string;
  readonly capacityProviderName?: string;
  readonly platformVersion: string;
  readonly enableExecuteCommand: boolean;
  readonly ephemeralStorage?: EphemeralStorage;
  /** What the payload says of the interface. */
  readonly network?: {
    readonly attachmentArn: string;
    readonly macAddress: string;
    readonly subnetGateway: string;
    readonly privateDnsName: string;
  };
  /** Target groups that the task is registered with while it runs. */
  readonly loadBalancers: readonly LoadBalancer[];
  readonly serviceName?: string;
  /** ARNs of the roles that apply, after overrides. */
  readonly taskRoleArn?: string;
  readonly executionRoleArn?: string;
  /** What containers ask the agent for credentials by: the same over restarts and refreshes. */
  readonly credentialIds: { readonly task: string; readonly execution: string };
}

export const taskDocument = (row: Pick<TaskRow, 'document'>): TaskDocument => JSON.parse(row.document) as TaskDocument;
