/**
 * The numbers of rolling deployments
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html): the minimum rounds up, the maximum down.
 */
export function limits(
  desired: number,
  minimumHealthyPercent: number,
  maximumPercent: number,
): { readonly minimum: number; readonly maximum: number } {
  return {
    minimum: Math.ceil((desired * minimumHealthyPercent) / 100),
    maximum: Math.floor((desired * maximumPercent) / 100),
  };
}

/** Failed tasks at which the circuit breaker trips: half of the desired count, between 3 and 200. */
export const breakerThreshold = (desired: number): number => Math.min(200, Math.max(3, Math.ceil(desired * 0.5)));

const longestBackOffMs = 15 * 60_000;

/**
 * How long to wait after the last failure before more tasks are started: not at all after the first round of failures,
 * then a second, doubling to 15 minutes. A round is as many failures as tasks are desired.
 */
export function backOffMs(startFailures: number, desired: number): number {
  const rounds = Math.ceil(startFailures / Math.max(1, desired));
  return rounds <= 1 ? 0 : Math.min(longestBackOffMs, 1000 * 2 ** Math.min(rounds - 2, 20));
}
