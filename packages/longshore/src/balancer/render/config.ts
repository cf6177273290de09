import type { LoadBalancerDocument, TargetGroupDocument } from '../../protocol/documents.ts';
import { backendName, serverId, structureHash } from './names.ts';
import { renderRules } from './rules.ts';

/** The front door speaks from this address, and it alone passes its clients' addresses on (PROXY protocol). */
export const frontDoorAddress = '169.254.254.1';

/** A server as HAProxy has it: `ready`, or in maintenance, where it gets no new requests. */
export interface Server {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly ready: boolean;
}

export interface Rendered {
  readonly text: string;
  readonly files: ReadonlyMap<string, string>;
  /** What of the document is not served, in plain words. */
  readonly problems: readonly string[];
  /** The same for two documents that differ only in their servers, which change without a reload. */
  readonly structure: string;
}

export interface RenderOptions {
  /** Absolute, of `[A-Za-z0-9/_.-]` only. */
  readonly folder: string;
  /** The system user that workers become; none where the machine has no such user. */
  readonly user?: string;
}

const seconds = (attributes: Readonly<Record<string, string>>, key: string, otherwise: number): number => {
  const value = Number(attributes[key] ?? otherwise);
  return Number.isFinite(value) && value >= 0 ? value : otherwise;
};

export const deregistrationDelaySeconds = (group: TargetGroupDocument): number =>
  seconds(group.attributes, 'deregistration_delay.timeout_seconds', 300);

/** Words after a server's address that hold for every server of a group. */
export const serverWords = (group: TargetGroupDocument): string =>
  group.protocol === 'HTTPS' ? ' ssl verify none' : '';

const algorithms: Readonly<Record<string, string>> = {
  round_robin: 'roundrobin',
  least_outstanding_requests: 'leastconn',
  weighted_random: 'random',
};

/** ALB's own error page, with its status line where `whole` is asked for. */
const page = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
const whole = (title: string): string =>
  `HTTP/1.1 ${title}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\nContent-Length: ${Buffer.byteLength(page(title))}\r\nConnection: close\r\n\r\n${page(title)}`;

/** HAProxy's configuration of one load balancer. `servers` by target group ARN. */
export function renderConfig(
  loadBalancer: LoadBalancerDocument,
  servers: ReadonlyMap<string, readonly Server[]>,
  options: RenderOptions,
): Rendered {
  const files = new Map([
    ['502.http', whole('502 Bad Gateway')],
    ['503.html', page('503 Service Temporarily Unavailable')],
    ['504.http', whole('504 Gateway Time-out')],
  ]);
  const problems: string[] = [];
  const frontends = loadBalancer.listeners.flatMap((listener) => {
    if (listener.protocol !== 'HTTP') {
      problems.push(`Listener ${listener.arn} is not served: ${listener.protocol} is not supported yet.`);
      return [];
    }
    const rules = renderRules(listener, options.folder);
    for (const [name, content] of rules.files) files.set(name, content);
    problems.push(...rules.problems);
    return [
      `frontend listener-${Number(listener.port)}`,
      ...[...frontendLines(loadBalancer, listener.port), ...rules.lines].map(indent),
      '',
      `backend next-${Number(listener.port)}`,
      indent(`server worker abns@next-${Number(listener.port)} send-proxy-v2`),
      '',
    ];
  });
  const structural = (withServers: boolean): string[] => [
    ...defaults(loadBalancer, options),
    ...frontends,
    ...loadBalancer.targetGroups.flatMap((group) =>
      backend(group, withServers ? (servers.get(group.arn) ?? []) : [], options),
    ),
  ];
  const structure = structureHash(structural(false).join('\n'), files);
  const text = [...head(structure, loadBalancer, options), ...structural(true), ''].join('\n');
  for (const group of loadBalancer.targetGroups) {
    const reason = unservedGroup(group);
    if (reason) problems.push(`Target group ${group.arn} is not served: ${reason}`);
  }
  return { text, files, problems, structure };
}

/** Why nothing of a load balancer can be served, in plain words; undefined where it can. */
export const unserved = ({ arn, type }: LoadBalancerDocument): string | undefined =>
  type === 'application' ? undefined : `Load balancer ${arn} is not served: its type, ${type}, is not supported yet.`;

function unservedGroup({ protocol, protocolVersion }: TargetGroupDocument): string | undefined {
  if (protocol !== 'HTTP' && protocol !== 'HTTPS') return `its protocol, ${protocol}, is not supported yet.`;
  if (protocolVersion !== 'HTTP1') return `its protocol version, ${protocolVersion}, is not supported yet.`;
  return undefined;
}

const indent = (line: string): string => `  ${line}`;

function head(structure: string, loadBalancer: LoadBalancerDocument, { folder, user }: RenderOptions): string[] {
  const longest = Math.max(30, ...loadBalancer.targetGroups.map(deregistrationDelaySeconds));
  return [
    'global',
    `  description ${structure}`,
    `  stats socket ${folder}/admin.sock mode 600 level admin expose-fd listeners`,
    `  hard-stop-after ${longest}s`,
    '  nbthread 2',
    '  fd-hard-limit 65536',
    ...(user ? [`  user ${user}`, `  group ${user}`] : []),
    '',
  ];
}

function defaults({ attributes }: LoadBalancerDocument, { folder }: RenderOptions): string[] {
  const idle = seconds(attributes, 'idle_timeout.timeout_seconds', 60);
  return [
    'defaults',
    ...[
      'mode http',
      // A reload loses no request only with this: idle connections end with an answer that says so.
      'option idle-close-on-response',
      'option redispatch 1',
      'retries 3',
      'retry-on conn-failure empty-response',
      'timeout connect 10s',
      `timeout client ${idle}s`,
      `timeout server ${idle}s`,
      `timeout http-request ${idle}s`,
      `timeout http-keep-alive ${idle}s`,
      `timeout tunnel ${idle}s`,
      `errorfile 502 ${folder}/502.http`,
      // HAProxy says 503 where a target can't be reached, ALB 502.
      `errorfile 503 ${folder}/502.http`,
      `errorfile 504 ${folder}/504.http`,
    ].map(indent),
    '',
    // Health checks come in here and go out by the load balancer's own interface, to wherever their PROXY header says.
    'listen checks',
    ...[
      'mode tcp',
      `bind ${folder}/check.sock mode 600 accept-proxy`,
      'option abortonclose',
      'no option redispatch',
      'retries 0',
      'timeout connect 125s',
      'timeout client 125s',
      'timeout server 125s',
      'server target 0.0.0.0:0',
    ].map(indent),
    '',
    'backend nothing',
    indent(unavailable(folder)),
    '',
  ];
}

const unavailable = (folder: string): string =>
  `http-request return status 503 content-type text/html hdr Server awselb/2.0 file ${folder}/503.html`;

function frontendLines({ attributes }: LoadBalancerDocument, port: number): string[] {
  const on = (attribute: string): boolean => attributes[attribute] === 'true';
  const client = on('routing.http.xff_client_port.enabled') ? '%[src]:%[src_port]' : '%[src]';
  const forwarded: Readonly<Record<string, string[]>> = {
    append: [
      `http-request set-var-fmt(txn.xff) '%[req.fhdr(x-forwarded-for)], ${client}' if { req.fhdr(x-forwarded-for) -m found }`,
      `http-request set-var-fmt(txn.xff) '${client}' if !{ req.fhdr(x-forwarded-for) -m found }`,
      `http-request set-header X-Forwarded-For %[var(txn.xff)] ${unlessNext}`,
    ],
    preserve: [],
    remove: [`http-request del-header X-Forwarded-For ${unlessNext}`],
  };
  const root = '1-%[var(txn.time),lower]-%[uuid,field(1,-)]%[uuid,field(5,-)]%[uuid,field(2,-)]';
  return [
    `bind 0.0.0.0:${Number(port)}${attributes['routing.http2.enabled'] === 'false' ? ' proto h1' : ''}`,
    `bind abns@next-${Number(port)} accept-proxy`,
    `tcp-request connection expect-proxy layer4 if { src ${frontDoorAddress} }`,
    // A connection that idled through a reload may bring one more request to a worker that knows only the servers and rules
    // of its own time, and can't be told others: it hands the request to the worker that serves now.
    'http-request set-var(txn.next) bool(true) if { stopping }',
    'http-request set-var(txn.rule) int(-1) if { var(txn.next) -m found }',
    `use_backend next-${Number(port)} if { var(txn.next) -m found }`,
    // What is not safe to say twice is never said twice once a target has it.
    'http-request disable-l7-retry if !METH_GET !{ method HEAD OPTIONS }',
    ...(on('routing.http.drop_invalid_header_fields.enabled')
      ? [`http-request del-header [^-A-Za-z0-9] -m reg ${unlessNext}`]
      : []),
    ...(on('routing.http.preserve_host_header.enabled') ? [] : [hostLine(port)]),
    ...(forwarded[attributes['routing.http.xff_header_processing.mode'] ?? 'append'] ?? []),
    `http-request set-header X-Forwarded-Port ${Number(port)} ${unlessNext}`,
    `http-request set-header X-Forwarded-Proto http ${unlessNext}`,
    'http-request set-var-fmt(txn.time) %{+X}Ts',
    `http-request set-var-fmt(txn.trace) 'Self=${root};%[req.fhdr(x-amzn-trace-id)]' if { req.fhdr(x-amzn-trace-id) -m found }`,
    `http-request set-var-fmt(txn.trace) 'Root=${root}' if !{ req.fhdr(x-amzn-trace-id) -m found }`,
    `http-request set-header X-Amzn-Trace-Id %[var(txn.trace)] ${unlessNext}`,
  ];
}

/**
 * What ALB makes of the Host header unless it is to be kept: without a port where the listener's is 80 or 443, else with one
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html, "Host header preservation").
 */
const hostLine = (port: number): string =>
  port === 80 || port === 443
    ? `http-request set-header Host %[req.hdr(host),host_only] ${unlessNext} { req.hdr(host) -m found }`
    : `http-request set-header Host %[req.hdr(host)]:${Number(port)} ${unlessNext} { req.hdr(host),port_only -m int 0 }`;

const unlessNext = 'if !{ var(txn.next) -m found }';

function backend(group: TargetGroupDocument, servers: readonly Server[], { folder }: RenderOptions): string[] {
  return [
    `backend ${backendName(group.arn)}`,
    ...[
      `balance ${algorithms[group.attributes['load_balancing.algorithm.type'] ?? 'round_robin'] ?? 'roundrobin'}`,
      // A worker that is stopping counts none of its servers, though they serve what it still has.
      unservedGroup(group) ? unavailable(folder) : `${unavailable(folder)} if { nbsrv lt 1 } !{ stopping }`,
      ...servers.map(
        ({ name, address, port, ready }) =>
          `server ${name} ${address}:${port} id ${serverId(name)}${serverWords(group)}${ready ? '' : ' disabled'}`,
      ),
    ].map(indent),
    '',
  ];
}
