import type { Tx } from '../../state/store.ts';

/** One thing that happened, as the service that it happened in tells it. */
export interface EmittedEvent {
  /** Who says so, e.g. `aws.ecs`. */
  readonly source: string;
  /** What happened, e.g. `ECS Task State Change`. */
  readonly detailType: string;
  /** ARNs of what it happened to. */
  readonly resources: readonly string[];
  /** What there is to say of it: a JSON value. Dates become ISO 8601 text. */
  readonly detail: unknown;
  /** When, in milliseconds since the epoch; now where absent. */
  readonly time?: number;
}

/**
 * What other services ask of EventBridge. Announces `events.event` when events came in, `events.rule` (key: rule ARN) and
 * `events.bus` (key: bus ARN) when those change.
 */
export interface EventsContract {
  /**
   * Puts an event on the default bus, within the caller's transaction, so that it stands or falls with what it tells of. Costs one
   * insert: rules are asked, and targets served, later and elsewhere.
   */
  emit(tx: Tx<unknown>, event: EmittedEvent): Promise<void>;
}
