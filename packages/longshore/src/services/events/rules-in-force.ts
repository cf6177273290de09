import type { Target } from '@aws-sdk/client-eventbridge';
import { compilePattern, type EventMatcher } from './pattern/pattern.ts';
import type { EventsState } from './state.ts';
import type { EventRow, RuleRow } from './tables.ts';

/** An enabled rule with its targets, compiled. */
export interface RuleInForce {
  readonly row: RuleRow;
  /** Undefined for a rule that only runs by its schedule. */
  readonly matches: EventMatcher | undefined;
  readonly targets: readonly Target[];
}

/** Every enabled rule that has targets. */
export async function rulesInForce(state: EventsState): Promise<readonly RuleInForce[]> {
  const [rules, targets] = await Promise.all([
    state.db.selectFrom('events_rule').selectAll().where('state', '!=', 'DISABLED').execute(),
    state.db.selectFrom('events_target').selectAll().orderBy('id').execute(),
  ]);
  const byRule = Map.groupBy(targets, (target) => target.rule_arn);
  return rules.flatMap((row) => {
    const mine = byRule.get(row.arn);
    if (!mine) return [];
    return [
      {
        row,
        matches: row.pattern === null ? undefined : compilePattern(row.pattern),
        targets: mine.map((target) => JSON.parse(target.document) as Target),
      },
    ];
  });
}

/** Whether a rule is to be asked about an event: on its bus, not before it was made, and not the run of another's schedule. */
export function concerns({ row, matches }: RuleInForce, event: EventRow): boolean {
  return (
    matches !== undefined &&
    event.rule_arn === null &&
    event.bus === row.bus &&
    Number(event.ingested_at) >= Number(row.created_at)
  );
}
