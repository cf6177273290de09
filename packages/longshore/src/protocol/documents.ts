/**
 * Longshore's own message types of the node protocol, which Amazon's agent ignores as it ignores all unknown ones: desired
 * states as whole, versioned documents. The node applies the difference to what it has and reports what is true.
 * The server sends a document on connection and whenever it changes, always before a PayloadMessage that depends on it.
 */
export type DocumentKind = 'networks' | 'load-balancers' | 'names';

/** Server → agent, type `LongshoreDocumentMessage`. A version not higher than the last one applied is acked and not applied. */
export interface DocumentMessage<Body = NetworksDocument | LoadBalancersDocument | NamesDocument> {
  readonly messageId: string;
  readonly kind: DocumentKind;
  readonly version: number;
  readonly document: Body;
}

/** Agent → server, type `LongshoreDocumentAck`: sent when the document has been applied, or could not be. */
export interface DocumentAck {
  readonly messageId: string;
  readonly kind: DocumentKind;
  readonly version: number;
  /** In plain words what could not be applied; absent where all was. */
  readonly error?: string;
}

/** Agent → server, type `LongshoreObservation`: what is true of load balancers; sent whole on connection and on change. */
export interface ObservationMessage {
  readonly messageId: string;
  readonly loadBalancers: readonly LoadBalancerObservation[];
}

// ── networks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NetworksDocument {
  readonly vpcs: readonly VpcDocument[];
}

export interface VpcDocument {
  readonly vpcId: string;
  readonly cidrBlocks: readonly string[];
  readonly subnets: readonly SubnetDocument[];
  readonly securityGroups: readonly SecurityGroupDocument[];
  /** Every interface of the VPC that is in use: members of the groups, whether they are on this node or not. */
  readonly interfaces: readonly InterfaceDocument[];
}

export interface SubnetDocument {
  readonly subnetId: string;
  readonly cidrBlock: string;
  /** Whether the subnet's route table sends 0.0.0.0/0 to an internet gateway, a NAT gateway, or nowhere. */
  readonly internet: 'gateway' | 'nat' | 'none';
}

export interface SecurityGroupDocument {
  readonly groupId: string;
  readonly ingress: readonly SecurityRule[];
  readonly egress: readonly SecurityRule[];
}

export interface SecurityRule {
  /** `all`, or an IP protocol. */
  readonly protocol: 'all' | 'tcp' | 'udp' | 'icmp' | number;
  /** Ports (tcp, udp) or ICMP type and code; absent for all. */
  readonly from?: number;
  readonly to?: number;
  /** One of: an IPv4 range, an IPv6 range, or a group whose members are meant. */
  readonly peer: { readonly cidr: string } | { readonly cidr6: string } | { readonly groupId: string };
}

export interface InterfaceDocument {
  /** `eni-…`. */
  readonly interfaceId: string;
  readonly subnetId: string;
  readonly macAddress: string;
  readonly privateAddress: string;
  /** One-to-one NAT with this address of the public pool, where the interface has one. */
  readonly publicAddress?: string;
  readonly groupIds: readonly string[];
}

// ── load balancers ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface LoadBalancersDocument {
  readonly loadBalancers: readonly LoadBalancerDocument[];
}

export interface LoadBalancerDocument {
  readonly arn: string;
  readonly name: string;
  readonly type: 'application' | 'network';
  readonly dnsName: string;
  readonly scheme: 'internet-facing' | 'internal';
  readonly vpcId: string;
  /** The load balancer's interfaces in `networks`; the first is the one that this node serves. */
  readonly interfaceIds: readonly string[];
  /** Attribute values by AWS's keys, e.g. `idle_timeout.timeout_seconds`. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly listeners: readonly ListenerDocument[];
  /** Every target group that a listener or rule names. */
  readonly targetGroups: readonly TargetGroupDocument[];
}

export interface ListenerDocument {
  readonly arn: string;
  readonly port: number;
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS' | 'UDP' | 'TCP_UDP';
  /** By priority, lowest first; the default rule last, with no conditions. */
  readonly rules: readonly RuleDocument[];
}

export interface RuleDocument {
  readonly arn: string;
  readonly conditions: readonly RuleCondition[];
  readonly action: RuleAction;
}

/** All conditions of a rule must hold; one of a condition's values must. `*` and `?` are wildcards in host, path, header and query. */
export type RuleCondition =
  | {
      readonly field: 'host-header' | 'path-pattern' | 'http-request-method' | 'source-ip';
      readonly values: readonly string[];
    }
  | { readonly field: 'http-header'; readonly name: string; readonly values: readonly string[] }
  | { readonly field: 'query-string'; readonly values: readonly { readonly key?: string; readonly value: string }[] };

export type RuleAction =
  | { readonly type: 'forward'; readonly targetGroups: readonly { readonly arn: string; readonly weight: number }[] }
  | {
      readonly type: 'redirect';
      readonly status: 301 | 302;
      readonly protocol: string;
      readonly host: string;
      readonly port: string;
      readonly path: string;
      readonly query: string;
    }
  | { readonly type: 'fixed-response'; readonly status: number; readonly contentType?: string; readonly body?: string };

export interface TargetGroupDocument {
  readonly arn: string;
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS' | 'UDP' | 'TCP_UDP';
  readonly protocolVersion: 'HTTP1' | 'HTTP2' | 'GRPC';
  readonly attributes: Readonly<Record<string, string>>;
  readonly healthCheck: HealthCheckDocument;
  readonly targets: readonly TargetDocument[];
}

export interface HealthCheckDocument {
  readonly enabled: boolean;
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP';
  /** `traffic-port`, or a number as text. */
  readonly port: string;
  readonly path: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  /** `200`, `200,202`, `200-299`; empty for TCP. */
  readonly matcher: string;
}

export interface TargetDocument {
  /** The address of an `ip` target. */
  readonly id: string;
  readonly port: number;
  /** Draining targets take no new requests; the node closes what is left after the group's deregistration delay. */
  readonly draining: boolean;
  /** Health that the server last heard of, so that a node that starts afresh need not begin at `initial`. */
  readonly knownState?: TargetState;
}

export type TargetState = 'initial' | 'healthy' | 'unhealthy' | 'unused' | 'draining' | 'unavailable';

export interface LoadBalancerObservation {
  readonly arn: string;
  /** Whether the data plane serves the listeners of the document; `error` says in plain words why not. */
  readonly state: 'active' | 'failed';
  readonly error?: string;
  readonly targets: readonly TargetObservation[];
}

export interface TargetObservation {
  readonly targetGroupArn: string;
  readonly id: string;
  readonly port: number;
  /** `draining` until no request is left or the delay is over; then `drained`: the server may forget the target. */
  readonly state: TargetState | 'drained';
  /** AWS's reason code, e.g. `Target.ResponseCodeMismatch`; absent when healthy. */
  readonly reason?: string;
  /** AWS's description, e.g. `Health checks failed with these codes: [502]`. */
  readonly description?: string;
}

// ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NamesDocument {
  readonly records: readonly {
    readonly name: string;
    readonly type: 'A';
    readonly ttlSeconds: number;
    readonly addresses: readonly string[];
  }[];
}
