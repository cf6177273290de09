import type { Target } from '@aws-sdk/client-eventbridge';
import type { Tx } from '../../state/store.ts';
import { renderInput } from './input/input.ts';
import type { EventsState } from './state.ts';
import type { DeliveryRow, EventRow, EventsTables, RuleRow } from './tables.ts';
import { destinationOf } from './targets/kinds.ts';

/** What waits for one target at most: what comes beyond is dropped, so that a target that is away for long does not fill the disk. */
export const mostWaiting = 10_000;

/** What a target gets for an event. Tasks get nothing of it unless its settings say so. */
function payloadFor(rule: RuleRow, target: Target, event: Pick<EventRow, 'body' | 'ingested_at'>): string {
  const plain = target.Input === undefined && target.InputPath === undefined && target.InputTransformer === undefined;
  if (plain) return destinationOf(target)?.kind === 'ecs' ? '' : event.body;
  return renderInput(target, JSON.parse(event.body) as object, event.body, {
    ruleArn: rule.arn,
    ruleName: rule.name,
    ingestedAt: new Date(Number(event.ingested_at)).toISOString(),
  });
}

/** The deliveries that a rule makes of an event. */
export function deliveriesFor(
  state: EventsState,
  rule: RuleRow,
  targets: readonly Target[],
  event: Pick<EventRow, 'id' | 'time' | 'body' | 'ingested_at'>,
): DeliveryRow[] {
  const now = state.clock.now();
  return targets.map((target) => ({
    id: state.random.uuid(),
    rule_arn: rule.arn,
    target_id: target.Id ?? '',
    event_id: event.id,
    event_time: Number(event.time),
    payload: payloadFor(rule, target, event),
    attempts: 0,
    created_at: now,
    next_at: now,
  }));
}

/** Adds deliveries, except to targets that have too much waiting. */
export async function enqueue(
  state: EventsState,
  tx: Tx<EventsTables>,
  deliveries: readonly DeliveryRow[],
): Promise<void> {
  for (const mine of Map.groupBy(deliveries, laneOf).values()) {
    const { rule_arn, target_id } = mine[0] as DeliveryRow;
    const waiting = await tx.db
      .selectFrom('events_delivery')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('rule_arn', '=', rule_arn)
      .where('target_id', '=', target_id)
      .executeTakeFirstOrThrow();
    const room = Math.max(0, mostWaiting - Number(waiting.count));
    if (room < mine.length) {
      state.log.warn(
        { rule: rule_arn, target: target_id, dropped: mine.length - room, waiting: mostWaiting },
        'events for a target were dropped: too many wait for it already',
      );
    }
    for (let at = 0; at < Math.min(room, mine.length); at += 50) {
      await tx.db
        .insertInto('events_delivery')
        .values(mine.slice(at, Math.min(at + 50, room)))
        .execute();
    }
  }
}

/** What is delivered one after the other belongs to one lane: a target of a rule. */
export const laneOf = ({ rule_arn, target_id }: Pick<DeliveryRow, 'rule_arn' | 'target_id'>): string =>
  `${rule_arn}\n${target_id}`;
