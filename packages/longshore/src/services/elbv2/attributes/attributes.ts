import { fault, notYet } from '../errors.ts';

/** One attribute: its default and what values it takes. */
interface Attribute {
  readonly default: string;
  readonly accepts: RegExp | ((value: string) => boolean);
  /** The values that nodes serve, where they don't serve all: any other is refused rather than ignored. */
  readonly served?: readonly string[];
}

export type AttributeTable = Readonly<Record<string, Attribute>>;

const flag = (value: boolean): Attribute => ({ default: String(value), accepts: /^(true|false)$/ });
const number = (value: number, least: number, most: number): Attribute => ({
  default: String(value),
  accepts: (text) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most,
});
const choice = (first: string, ...more: readonly string[]): Attribute => ({
  default: first,
  accepts: (text) => text === first || more.includes(text),
});
const text = (value = ''): Attribute => ({ default: value, accepts: /^[\x20-\x7e]{0,1024}$/ });
/** Served with its default alone, or with what else means the same. */
const fixed = (attribute: Attribute, ...same: readonly string[]): Attribute => ({
  ...attribute,
  served: [attribute.default, ...same],
});

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html, application load balancers. */
export const loadBalancerAttributes: AttributeTable = {
  'access_logs.s3.enabled': fixed(flag(false)),
  'access_logs.s3.bucket': text(),
  'access_logs.s3.prefix': text(),
  'connection_logs.s3.enabled': fixed(flag(false)),
  'connection_logs.s3.bucket': text(),
  'connection_logs.s3.prefix': text(),
  'health_check_logs.s3.enabled': fixed(flag(false)),
  'health_check_logs.s3.bucket': text(),
  'health_check_logs.s3.prefix': text(),
  'idle_timeout.timeout_seconds': number(60, 1, 4000),
  'client_keep_alive.seconds': fixed(number(3600, 60, 604_800)),
  'deletion_protection.enabled': flag(false),
  'ipv6.deny_all_igw_traffic': fixed(flag(false)),
  'load_balancing.cross_zone.enabled': fixed(flag(true)),
  'routing.http2.enabled': flag(true),
  'routing.http.drop_invalid_header_fields.enabled': flag(false),
  'routing.http.preserve_host_header.enabled': flag(false),
  'routing.http.xff_client_port.enabled': flag(false),
  'routing.http.xff_header_processing.mode': choice('append', 'preserve', 'remove'),
  'routing.http.desync_mitigation_mode': fixed(choice('defensive', 'monitor', 'strictest')),
  'routing.http.x_amzn_tls_version_and_cipher_suite.enabled': fixed(flag(false)),
  'waf.fail_open.enabled': fixed(flag(false)),
  'zonal_shift.config.enabled': fixed(flag(false)),
};

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html, groups of application load balancers. */
export const targetGroupAttributes: AttributeTable = {
  'deregistration_delay.timeout_seconds': number(300, 0, 3600),
  'stickiness.enabled': fixed(flag(false)),
  'stickiness.type': choice('lb_cookie', 'app_cookie'),
  'stickiness.lb_cookie.duration_seconds': number(86_400, 1, 604_800),
  'stickiness.app_cookie.cookie_name': text(),
  'stickiness.app_cookie.duration_seconds': number(86_400, 1, 604_800),
  'slow_start.duration_seconds': fixed({
    default: '0',
    accepts: (value) => value === '0' || (/^\d+$/.test(value) && Number(value) >= 30 && Number(value) <= 900),
  }),
  'load_balancing.algorithm.type': choice('round_robin', 'least_outstanding_requests', 'weighted_random'),
  'load_balancing.algorithm.anomaly_mitigation': fixed(choice('off', 'on')),
  'load_balancing.cross_zone.enabled': fixed(choice('use_load_balancer_configuration', 'true', 'false'), 'true'),
  'target_group_health.dns_failover.minimum_healthy_targets.count': fixed({ default: '1', accepts: /^(off|\d{1,4})$/ }),
  'target_group_health.dns_failover.minimum_healthy_targets.percentage': fixed({
    default: 'off',
    accepts: /^(off|\d{1,3})$/,
  }),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': fixed({
    default: '1',
    accepts: /^\d{1,4}$/,
  }),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': fixed({
    default: 'off',
    accepts: /^(off|\d{1,3})$/,
  }),
};

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html, HTTP listeners. */
export const listenerAttributes: AttributeTable = {
  'routing.http.response.server.enabled': fixed(flag(true)),
  'routing.http.response.strict_transport_security.header_value': fixed(text()),
  'routing.http.response.access_control_allow_origin.header_value': fixed(text()),
  'routing.http.response.access_control_allow_methods.header_value': fixed(text()),
  'routing.http.response.access_control_allow_headers.header_value': fixed(text()),
  'routing.http.response.access_control_allow_credentials.header_value': fixed(text()),
  'routing.http.response.access_control_expose_headers.header_value': fixed(text()),
  'routing.http.response.access_control_max_age.header_value': fixed(text()),
  'routing.http.response.content_security_policy.header_value': fixed(text()),
  'routing.http.response.x_content_type_options.header_value': fixed(text()),
  'routing.http.response.x_frame_options.header_value': fixed(text()),
};

/** Every attribute's value: what was set, else the default. */
export function allAttributes(table: AttributeTable, set: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(table).map(([key, attribute]) => [key, set[key] ?? attribute.default]));
}

/** As answers carry them. */
export function attributeList(values: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(values).map(([Key, Value]) => ({ Key, Value }));
}

/** `set` with the caller's changes. Throws InvalidConfigurationRequest for an unknown key or a value that it can't have. */
export function changeAttributes(
  table: AttributeTable,
  what: 'Load balancer' | 'Target group' | 'Listener',
  set: Readonly<Record<string, string>>,
  changes: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[],
): Record<string, string> {
  const result = { ...set };
  for (const { Key = '', Value = '' } of changes) {
    const attribute = Object.hasOwn(table, Key) ? table[Key] : undefined;
    if (!attribute) {
      throw fault('InvalidConfigurationRequest', `${what} attribute key '${Key}' is not recognized`);
    }
    const { accepts } = attribute;
    if (!(accepts instanceof RegExp ? accepts.test(Value) : accepts(Value))) {
      throw fault('InvalidConfigurationRequest', `${what} attribute key '${Key}' does not take the value '${Value}'`);
    }
    if (attribute.served?.includes(Value) === false) throw notYet(`${what} attribute ${Key}=${Value} is`);
    result[Key] = Value;
  }
  return result;
}
