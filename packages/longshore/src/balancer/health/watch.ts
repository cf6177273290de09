import type { Clock } from '../../base/clock.ts';
import type { HealthCheckDocument } from '../../protocol/documents.ts';
import { type CheckResult, checked, type Health } from './health.ts';

/** The checks of one target, one after another until they are ended. */
export interface Watch {
  health(): Health;
  /** Another check counts from the next time on. */
  change(check: HealthCheckDocument): void;
  end(): void;
}

/** A new target is checked again after this, then after twice as long, and so on up to `lastRetryMs`. */
const firstRetryMs = 50;
const lastRetryMs = 400;

/** Begins to check at once, unless checks are disabled. `onChange`: its health differs. */
export function watchTarget(
  start: Health,
  first: HealthCheckDocument,
  check: (how: HealthCheckDocument) => Promise<CheckResult | undefined>,
  clock: Clock,
  onChange: () => void,
): Watch {
  let how = first;
  let health = start;
  let ended = false;
  let cancel: (() => void) | undefined;
  let retryMs = firstRetryMs;
  let countedAt = Number.NEGATIVE_INFINITY;

  let busy = false;

  const round = async (): Promise<void> => {
    busy = true;
    const result = await check(how);
    busy = false;
    if (ended) return;
    if (!result) {
      cancel = clock.after(firstRetryMs, () => void round());
      return;
    }
    const intervalMs = how.intervalSeconds * 1000;
    const counts = health.state !== 'initial' || clock.now() - countedAt >= intervalMs;
    if (counts) countedAt = clock.now();
    const before = health;
    health = checked(before, result, how, counts);
    let delay = intervalMs;
    if (health.state === 'initial') {
      delay = Math.min(retryMs, intervalMs);
      retryMs = Math.min(retryMs * 2, lastRetryMs);
    }
    cancel = clock.after(delay, () => void round());
    if (before.state !== health.state || before.reason !== health.reason || before.description !== health.description)
      onChange();
  };
  if (health.state !== 'unavailable') cancel = clock.after(0, () => void round());

  return {
    health: () => health,
    change: (check) => {
      const sooner = check.intervalSeconds < how.intervalSeconds;
      how = check;
      if (!sooner || busy || ended || health.state === 'unavailable') return;
      cancel?.();
      cancel = clock.after(how.intervalSeconds * 1000, () => void round());
    },
    end: () => {
      ended = true;
      cancel?.();
    },
  };
}
