import type {
  DiscoverPollEndpointRequest,
  DiscoverPollEndpointResponse,
  SubmitAttachmentStateChangesRequest,
  SubmitAttachmentStateChangesResponse,
  SubmitContainerStateChangeRequest,
  SubmitContainerStateChangeResponse,
  SubmitTaskStateChangeRequest,
  SubmitTaskStateChangeResponse,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { acsPath, tcsPath } from '../agents/gateway.ts';
import { fault } from '../faults.ts';
import type { EcsParts } from '../parts.ts';
import type { Transitions } from '../tasks/transitions.ts';
import { onCluster, operation, within } from './table.ts';

const acknowledgment = 'OK';

/** What agents say over HTTP. What the server tells them goes over their sessions, see `agents/`. */
export function agentOperations({ store }: EcsParts, moves: Transitions): Record<string, AnyOperation> {
  return {
    DiscoverPollEndpoint: operation<DiscoverPollEndpointRequest, DiscoverPollEndpointResponse>(
      (input, place) =>
        within('container-instance', input, input.containerInstance ? [input.containerInstance] : [], place),
      async (_, context) => ({
        endpoint: `${context.endpoint}${acsPath}`,
        telemetryEndpoint: `${context.endpoint}${tcsPath}`,
        serviceConnectEndpoint: `${context.endpoint}${acsPath}`,
      }),
    ),

    SubmitTaskStateChange: operation<SubmitTaskStateChangeRequest, SubmitTaskStateChangeResponse>(
      onCluster,
      async (input) => {
        if (!input.task) throw fault('InvalidParameterException', 'task is missing.');
        await moves.report(input.task, input);
        return { acknowledgment };
      },
    ),

    SubmitContainerStateChange: operation<SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse>(
      onCluster,
      async (input) => {
        if (!input.task) throw fault('InvalidParameterException', 'task is missing.');
        const { containerName, exitCode, networkBindings, reason, runtimeId, status } = input;
        await moves.report(input.task, {
          containers: [{ containerName, exitCode, networkBindings, reason, runtimeId, status }],
        });
        return { acknowledgment };
      },
    ),

    SubmitAttachmentStateChanges: operation<SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse>(
      onCluster,
      async (input) => {
        for (const change of input.attachments ?? []) {
          const id = change.attachmentArn?.split('/').at(-1) ?? '';
          const rows = await store.db
            .selectFrom('ecs_tasks')
            .select('arn')
            .where('lastStatus', '!=', 'STOPPED')
            .where('document', 'like', `%${id.replaceAll(/[%_]/g, '')}%`)
            .execute();
          for (const row of id ? rows : []) await moves.report(row.arn, { attachments: [change] });
        }
        return { acknowledgment };
      },
    ),
  };
}
