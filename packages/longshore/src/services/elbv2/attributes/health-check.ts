import type { CreateTargetGroupInput, Matcher } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { HealthCheckDocument } from '../../../protocol/documents.ts';
import { invalid, notYet } from '../errors.ts';

/** The members of a request that say how targets are checked. */
export type HealthCheckInput = Pick<
  CreateTargetGroupInput,
  | 'HealthCheckEnabled'
  | 'HealthCheckProtocol'
  | 'HealthCheckPort'
  | 'HealthCheckPath'
  | 'HealthCheckIntervalSeconds'
  | 'HealthCheckTimeoutSeconds'
  | 'HealthyThresholdCount'
  | 'UnhealthyThresholdCount'
  | 'Matcher'
>;

/** What AWS gives a target group of an application load balancer that says nothing of health checks. */
export function defaultHealthCheck(
  protocol: 'HTTP' | 'HTTPS',
  version: 'HTTP1' | 'HTTP2' | 'GRPC',
): HealthCheckDocument {
  return {
    enabled: true,
    protocol,
    port: 'traffic-port',
    path: version === 'GRPC' ? '/AWS.ALB/healthcheck' : '/',
    intervalSeconds: 30,
    timeoutSeconds: 5,
    healthyThreshold: 5,
    unhealthyThreshold: 2,
    matcher: version === 'GRPC' ? '12' : '200',
  };
}

/**
 * `current` with what the request changes. Throws ValidationError, with the limits of
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html.
 */
export function changeHealthCheck(
  current: HealthCheckDocument,
  version: 'HTTP1' | 'HTTP2' | 'GRPC',
  input: HealthCheckInput,
): HealthCheckDocument {
  if (input.HealthCheckEnabled === false) {
    throw invalid("Health check enabled must be true for target groups with target type 'ip'");
  }
  const protocol = input.HealthCheckProtocol ?? current.protocol;
  if (protocol !== 'HTTP' && protocol !== 'HTTPS') {
    throw invalid(`Health check protocol '${protocol}' must be one of '[HTTP, HTTPS]'`);
  }
  const changed: HealthCheckDocument = {
    enabled: true,
    protocol,
    port: input.HealthCheckPort ?? current.port,
    path: input.HealthCheckPath ?? current.path,
    intervalSeconds: input.HealthCheckIntervalSeconds ?? current.intervalSeconds,
    timeoutSeconds: input.HealthCheckTimeoutSeconds ?? current.timeoutSeconds,
    healthyThreshold: input.HealthyThresholdCount ?? current.healthyThreshold,
    unhealthyThreshold: input.UnhealthyThresholdCount ?? current.unhealthyThreshold,
    matcher: matcherText(input.Matcher, version) ?? current.matcher,
  };
  check(changed);
  return changed;
}

function check(health: HealthCheckDocument): void {
  between('Health check interval', health.intervalSeconds, 5, 300);
  between('Health check timeout', health.timeoutSeconds, 2, 120);
  between('Healthy threshold count', health.healthyThreshold, 2, 10);
  between('Unhealthy threshold count', health.unhealthyThreshold, 2, 10);
  if (health.timeoutSeconds >= health.intervalSeconds) {
    throw invalid(
      `Health check timeout '${health.timeoutSeconds}' must be smaller than the interval '${health.intervalSeconds}'`,
    );
  }
  if (health.port !== 'traffic-port' && !(/^\d{1,5}$/.test(health.port) && within(Number(health.port), 1, 65_535))) {
    throw invalid(`Health check port '${health.port}' must be 'traffic-port' or a number from 1 to 65535`);
  }
  if (!/^\/[\x21-\x7e]{0,1023}$/.test(health.path)) {
    throw invalid(`Health check path '${health.path}' must begin with '/' and contain only printable ASCII characters`);
  }
}

function between(name: string, value: number, least: number, most: number): void {
  if (!within(value, least, most)) throw invalid(`${name} '${value}' must be between '${least}' and '${most}'`);
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function matcherText(matcher: Matcher | undefined, version: 'HTTP1' | 'HTTP2' | 'GRPC'): string | undefined {
  if (!matcher) return undefined;
  const { HttpCode, GrpcCode } = matcher;
  if (version === 'GRPC') {
    if (HttpCode !== undefined) throw invalid("Matcher must have a GrpcCode for protocol version 'GRPC'");
    return codes(GrpcCode, 0, 99);
  }
  if (GrpcCode !== undefined) throw invalid(`Matcher must have an HttpCode for protocol version '${version}'`);
  return codes(HttpCode, 200, 499);
}

/** `200`, `200,202` or `200-299`, each between the bounds. */
function codes(text: string | undefined, least: number, most: number): string | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(',').map((part) => part.trim());
  for (const part of parts) {
    const [first = '', last = first, more] = part.split('-');
    const numeric = [first, last].every((code) => /^\d{1,3}$/.test(code) && within(Number(code), least, most));
    if (!numeric || more !== undefined || Number(first) > Number(last)) {
      throw invalid(`Health check matcher '${text}' must be codes or ranges between ${least} and ${most}`);
    }
  }
  return parts.join(',');
}

/** As answers carry it. */
export function healthCheckMembers(health: HealthCheckDocument, version: 'HTTP1' | 'HTTP2' | 'GRPC') {
  return {
    HealthCheckEnabled: health.enabled,
    HealthCheckProtocol: health.protocol,
    HealthCheckPort: health.port,
    HealthCheckPath: health.path,
    HealthCheckIntervalSeconds: health.intervalSeconds,
    HealthCheckTimeoutSeconds: health.timeoutSeconds,
    HealthyThresholdCount: health.healthyThreshold,
    UnhealthyThresholdCount: health.unhealthyThreshold,
    Matcher: version === 'GRPC' ? { GrpcCode: health.matcher } : { HttpCode: health.matcher },
  };
}

/** Refuses what the data plane can't do yet. */
export function refuseUnserved(version: 'HTTP1' | 'HTTP2' | 'GRPC'): void {
  if (version !== 'HTTP1') throw notYet(`Target groups of protocol version ${version} are`);
}
