import type { HealthCheckDocument, TargetState } from '../../protocol/documents.ts';

/** Health of a target as checks make it; pure. Reasons and descriptions are ELBv2's (API reference, TargetHealth). */
export interface Health {
  readonly state: 'initial' | 'healthy' | 'unhealthy' | 'unavailable';
  /** Checks in a row that spoke against the state. */
  readonly against: number;
  readonly reason?: string;
  readonly description?: string;
}

export interface CheckFailure {
  readonly passed: false;
  readonly reason: string;
  readonly description: string;
}

export type CheckResult = { readonly passed: true } | CheckFailure;

export const timedOut: CheckFailure = { passed: false, reason: 'Target.Timeout', description: 'Request timed out' };
export const failed: CheckFailure = {
  passed: false,
  reason: 'Target.FailedHealthChecks',
  description: 'Health checks failed',
};
export const mismatch = (code: number): CheckFailure => ({
  passed: false,
  reason: 'Target.ResponseCodeMismatch',
  description: `Health checks failed with these codes: [${code}]`,
});

/** Where a target begins: at what the server last heard, or at `initial`. */
export function firstHealth(check: HealthCheckDocument, known: TargetState | undefined): Health {
  if (!check.enabled) {
    return {
      state: 'unavailable',
      against: 0,
      reason: 'Target.HealthCheckDisabled',
      description: 'Health checks are disabled for this target',
    };
  }
  if (known === 'healthy') return { state: 'healthy', against: 0 };
  if (known === 'unhealthy')
    return { state: 'unhealthy', against: 0, reason: failed.reason, description: failed.description };
  return {
    state: 'initial',
    against: 0,
    reason: 'Elb.InitialHealthChecking',
    description: 'Initial health checks in progress',
  };
}

/**
 * Health after one more check. A new target is healthy after its first passing check (ELB guide, "Target health status").
 * `counts` is false for the extra checks of a new target, which may make it healthy early but never unhealthy early.
 */
export function checked(health: Health, result: CheckResult, check: HealthCheckDocument, counts = true): Health {
  if (result.passed) {
    if (health.state === 'healthy') return { state: 'healthy', against: 0 };
    const against = health.against + 1;
    if (health.state === 'initial' || against >= check.healthyThreshold) return { state: 'healthy', against: 0 };
    return { ...health, against };
  }
  const { reason, description } = result;
  if (health.state === 'unhealthy') return { state: 'unhealthy', against: 0, reason, description };
  if (!counts) return health;
  const against = health.against + 1;
  if (against >= check.unhealthyThreshold) return { state: 'unhealthy', against: 0, reason, description };
  return { ...health, against };
}

/** Whether a status is one of `200`, `200,202`, `200-299`. */
export function matches(matcher: string, status: number): boolean {
  return (matcher || '200').split(',').some((part) => {
    const [from, to] = part.trim().split('-').map(Number);
    return from !== undefined && status >= from && status <= (to ?? from);
  });
}

/**
 * Who gets requests: the healthy, and where there is none, the unhealthy all together: a load balancer fails open rather
 * than answering for all of them (ELB guide, "Health checks for target groups").
 */
export function admitted<Target extends { readonly health: Health }>(targets: readonly Target[]): ReadonlySet<Target> {
  const good = targets.filter(({ health }) => health.state === 'healthy' || health.state === 'unavailable');
  return new Set(good.length > 0 ? good : targets.filter(({ health }) => health.state === 'unhealthy'));
}
