import type { ReportedStatus, TaskState } from './state.ts';

/** SubmitTaskStateChange's input, without the cluster. Times are epoch seconds, as awsJson has them. */
export interface StateChange {
  readonly task: string;
  readonly status: ReportedStatus;
  readonly reason?: string;
  readonly containers: readonly {
    readonly containerName: string;
    readonly status: string;
    readonly runtimeId?: string;
    readonly imageDigest?: string;
    readonly exitCode?: number;
    readonly reason?: string;
  }[];
  readonly attachments?: readonly { readonly attachmentArn: string; readonly status: 'ATTACHED' }[];
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly executionStoppedAt?: number;
}

/** What the server is told when the task has come to `status`: the task and all its containers in one. */
export function stateChange(task: TaskState, status: ReportedStatus): StateChange {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  const attachments =
    status === 'RUNNING'
      ? (task.payload.elasticNetworkInterfaces ?? []).map(({ attachmentArn }) => ({
          attachmentArn,
          status: 'ATTACHED' as const,
        }))
      : [];
  return defined({
    task: task.payload.arn,
    status,
    reason: status === 'STOPPED' ? task.reason?.slice(0, 1024) : undefined,
    containers: task.containers.map((container) =>
      defined({
        containerName: container.name,
        status: container.status === 'RUNNING' || container.status === 'STOPPED' ? container.status : 'PENDING',
        runtimeId: container.launched ? container.id : undefined,
        imageDigest: container.image?.digest,
        exitCode: container.exitCode,
        reason: container.reason?.slice(0, 1024),
      }),
    ),
    attachments: attachments.length > 0 ? attachments : undefined,
    pullStartedAt: seconds(task.pullStartedAt),
    pullStoppedAt: seconds(task.pullStoppedAt),
    executionStoppedAt: status === 'STOPPED' ? seconds(task.executionStoppedAt) : undefined,
  }) as StateChange;
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
