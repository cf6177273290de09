import type { Clock } from '../base/clock.ts';
import type { Controller } from '../base/controller.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Settings } from '../base/settings.ts';
import type { Store } from '../state/store.ts';
import type { ServiceDefinition } from '../wire/service.ts';

/** What every service is made from. */
export interface ServiceParts<Tables> {
  readonly store: Store<Tables>;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: Settings;
  readonly log: Logger;
}

/** What `service.ts` of every service makes: its face to the wire, its loops, and what other services may ask of it. */
export interface Service<Contract> {
  readonly definition: ServiceDefinition;
  /** Makes what must be there before the first request (default VPC, root credentials …). Runs at every start, idempotent. */
  prepare?(): Promise<void>;
  readonly controllers: readonly Controller[];
  readonly contract: Contract;
}

/**
 * One kind of desired state that agents are sent (see protocol/documents.ts). The service that owns it makes it; the agent
 * gateway of `services/ecs` sends it, composed anew whenever one of the topics changes.
 */
export interface DocumentSource<Body> {
  readonly kind: 'networks' | 'load-balancers' | 'names';
  /** Topics of the change feed after which the document may differ. */
  readonly topics: readonly string[];
  compose(): Promise<Body>;
}
