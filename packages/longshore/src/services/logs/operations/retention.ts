import type { DeleteRetentionPolicyRequest, PutRetentionPolicyRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '../../../wire/service.ts';
import { fault, groupTopic, type LogsState, requireGroup } from '../state.ts';

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
const allowedDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** How long a group's events are kept. */
export function retentionOperations(state: LogsState) {
  const set = (name: string, days: number | null) =>
    state.store.transaction(async (tx) => {
      const group = await requireGroup(tx.db, name);
      await tx.db.updateTable('logs_group').set({ retention_days: days }).where('id', '=', group.id).execute();
      tx.changed(groupTopic, name);
      return {};
    });

  const PutRetentionPolicy: Operation<PutRetentionPolicyRequest, object> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    async handle({ logGroupName, retentionInDays }) {
      if (!allowedDays.includes(retentionInDays!)) {
        throw fault(
          'InvalidParameterException',
          `1 validation error detected: Value '${retentionInDays}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [${allowedDays.join(', ')}]`,
        );
      }
      return set(logGroupName!, retentionInDays!);
    },
  };

  const DeleteRetentionPolicy: Operation<DeleteRetentionPolicyRequest, object> = {
    access: ({ logGroupName }) => state.access(logGroupName!),
    handle: ({ logGroupName }) => set(logGroupName!, null),
  };

  return { PutRetentionPolicy, DeleteRetentionPolicy };
}
