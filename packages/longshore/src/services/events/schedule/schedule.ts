import { type Cron, nextCron, parseCron } from './cron.ts';

/** When a rule runs by itself. */
export type Schedule = { readonly everyMs: number } | { readonly cron: Cron };

const unitMs: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * Reads `rate(5 minutes)` or `cron(0 12 * * ? *)`; undefined where it is neither
 * (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html).
 */
export function parseSchedule(expression: string): Schedule | undefined {
  const rate = /^rate\((\d{1,9}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (rate) {
    const count = Number(rate[1]);
    // One minute, two minutes: the other way round is refused.
    if (count === 0 || (count === 1) !== (rate[3] === '')) return undefined;
    return { everyMs: count * (unitMs[rate[2] as string] as number) };
  }
  const cron = /^cron\(([^()]*)\)$/.exec(expression);
  const parsed = cron && parseCron(cron[1] as string);
  return parsed ? { cron: parsed } : undefined;
}

/**
 * The first run after `after`; undefined where there is none any more. Rates count from `anchor`, the time of the run before or of the
 * rule's making, so that a run that came late does not move those that follow.
 */
export function nextRun(schedule: Schedule, after: number, anchor: number): number | undefined {
  if ('cron' in schedule) return nextCron(schedule.cron, after);
  const passed = Math.max(0, Math.floor((after - anchor) / schedule.everyMs));
  return anchor + (passed + 1) * schedule.everyMs;
}
