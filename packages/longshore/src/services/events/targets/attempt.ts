/** How one attempt at a delivery went. */
export type Outcome =
  | { readonly kind: 'done' }
  /** Worth trying again; not before `afterMs`, where the target said so. */
  | { readonly kind: 'again'; readonly reason: string; readonly afterMs?: number }
  /** Would never succeed. */
  | { readonly kind: 'never'; readonly reason: string };

export const done: Outcome = { kind: 'done' };

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html */
export const retryLimits = { attempts: 185, ageMs: 86_400_000 } as const;

const firstPauseMs = 1_000;
const longestPauseMs = 600_000;

/** The pause after the nth failed attempt (from 1): doubling, and up to half of it more, so that not everything returns at once. */
export function pauseAfter(attempts: number, fraction: number): number {
  const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempts - 1, 20));
  return Math.round(pause * (1 + fraction / 2));
}
