import type { Tx } from '../../state/store.ts';
import type { Service, ServiceParts } from '../contract.ts';
import type { IamContract } from '../iam/contract.ts';
import type { LogsContract } from '../logs/contract.ts';
import type { EventsContract } from './contract.ts';
import { createDeliverer } from './deliverer.ts';
import { dispatcher } from './dispatcher.ts';
import { ingest } from './ingest.ts';
import { eventsOperations } from './operations/index.ts';
import { eventsRoute } from './operator-route.ts';
import { scheduler } from './scheduler.ts';
import { createState, defaultBus } from './state.ts';
import { sweeper } from './sweeper.ts';
import type { EventsTables } from './tables.ts';
import type { RunTask } from './targets/ecs.ts';

/** The services that EventBridge leans on. */
export interface EventsOthers {
  readonly logs: LogsContract;
  readonly iam: Pick<IamContract, 'checkPassRole' | 'sessionFor'>;
  /** Runs tasks for targets that are ECS clusters; without it, such targets are refused. */
  readonly runTask?: RunTask;
}

/** Amazon EventBridge: what happened, told to those who asked to hear of it. */
export function eventsService(parts: ServiceParts<EventsTables>, others: EventsOthers): Service<EventsContract> {
  const state = createState(parts);
  const deliverer = createDeliverer(state, others);
  return {
    definition: {
      name: 'events',
      iamPrefix: 'events',
      operations: eventsOperations(state, others.iam, others.runTask !== undefined),
      routes: [eventsRoute(state)],
    },
    async prepare() {
      const now = state.clock.now();
      await state.store.transaction(async (tx) => {
        await tx.db
          .insertInto('events_bus')
          .values({
            arn: state.busArn(defaultBus),
            name: defaultBus,
            description: null,
            created_at: now,
            modified_at: now,
          })
          .onConflict((conflict) => conflict.column('arn').doNothing())
          .execute();
      });
    },
    controllers: [
      deliverer.controller,
      dispatcher(state, deliverer.wake),
      scheduler(state, deliverer.wake),
      sweeper(state),
    ],
    contract: {
      async emit(tx, event) {
        // Every service's tables lie in the one store.
        await ingest(state, tx as unknown as Tx<EventsTables>, {
          ...event,
          detail: JSON.stringify(event.detail) ?? '{}',
        });
      },
    },
  };
}
