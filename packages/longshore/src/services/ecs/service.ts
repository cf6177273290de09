import { fargateCluster } from '../../protocol/fargate.ts';
import type { Service, ServiceParts } from '../contract.ts';
import { credentialsKeeper } from './agents/credentials.ts';
import { agentGateway } from './agents/gateway.ts';
import type { EcsContract } from './contract.ts';
import { clusterArn, type Place } from './names.ts';
import { agentOperations } from './operations/agent.ts';
import { clusterOperations, newCluster } from './operations/clusters.ts';
import { instanceOperations } from './operations/instances.ts';
import { serviceDeploymentOperations } from './operations/service-deployments.ts';
import { serviceOperations } from './operations/services.ts';
import { settingOperations } from './operations/settings.ts';
import { tagOperations } from './operations/tags.ts';
import { taskDefinitionOperations } from './operations/task-definitions.ts';
import { taskOperations } from './operations/tasks.ts';
import type { EcsOthers, EcsParts } from './parts.ts';
import { serviceController } from './services/controller.ts';
import type { EcsTables } from './tables.ts';
import { taskDocument } from './tasks/document.ts';
import { launcher } from './tasks/launch.ts';
import { taskLifecycle } from './tasks/lifecycle.ts';
import { transitions } from './tasks/transitions.ts';

/** Amazon ECS: its operations, the agents' sessions, and the loops that keep tasks and services as they are desired. */
export function ecsService(serviceParts: ServiceParts<EcsTables>, others: EcsOthers): Service<EcsContract> {
  const parts: EcsParts = { ...serviceParts, ...others, log: serviceParts.log.child({ service: 'ecs' }) };
  const { store, clock, settings } = parts;
  const credentials = credentialsKeeper(parts);
  const moves = transitions(parts, credentials.forget);
  const gateway = agentGateway(parts, credentials, moves.health);
  const launches = launcher(parts, credentials);

  return {
    definition: {
      name: 'ecs',
      iamPrefix: 'ecs',
      operations: {
        ...clusterOperations(parts),
        ...taskDefinitionOperations(parts),
        ...taskOperations(parts, launches, moves, gateway),
        ...serviceOperations(parts),
        ...serviceDeploymentOperations(parts),
        ...instanceOperations(parts, moves),
        ...agentOperations(parts, moves),
        ...tagOperations(parts),
        ...settingOperations(parts),
      },
      upgrades: gateway.upgrades,
    },

    /** The clusters that are there from the start: `default`, and the hidden one of the machines that run Fargate tasks. */
    async prepare() {
      const place: Place = { region: settings.region, accountId: settings.accountId };
      await store.transaction(async (tx) => {
        for (const [name, hidden] of [
          ['default', false],
          [fargateCluster, true],
        ] as const) {
          const row = newCluster(clusterArn(place, name), settings.accountId, clock.now(), {}, hidden);
          await tx.db
            .insertInto('ecs_clusters')
            .values(row)
            .onConflict((conflict) => conflict.column('arn').doNothing())
            .execute();
        }
      });
    },

    controllers: [
      gateway.controller,
      taskLifecycle(parts, gateway, moves),
      serviceController(parts, gateway, launches, moves),
    ],

    contract: {
      async connectedMachines() {
        const row = await store.db
          .selectFrom('ecs_instances')
          .select((eb) => eb.fn.countAll<number>().as('machines'))
          .where('agentConnected', '=', 1)
          .where('status', '=', 'ACTIVE')
          .executeTakeFirstOrThrow();
        return Number(row.machines);
      },
      async imagesInUse() {
        const rows = await store.db
          .selectFrom('ecs_tasks')
          .select('document')
          .where('lastStatus', '!=', 'STOPPED')
          .execute();
        const images = rows.flatMap((row) =>
          taskDocument(row).containers.flatMap(({ image, imageDigest }) => [
            ...(image ? [image] : []),
            ...(image && imageDigest ? [`${image.replace(/(@sha256:.*|:[^:/]*)$/, '')}@${imageDigest}`] : []),
          ]),
        );
        return [...new Set(images)];
      },
    },
  };
}
