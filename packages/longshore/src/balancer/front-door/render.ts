import { frontDoorAddress } from '../render/config.ts';
import { structureHash } from '../render/names.ts';

/** What one Longshore leads to. */
export interface Fragment {
  readonly names: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
}

export interface FrontDoorConfig {
  readonly text: string;
  readonly files: ReadonlyMap<string, string>;
  readonly structure: string;
  readonly names: ReadonlyMap<string, string>;
}

/** The configuration of the machine's front door: names are in a map that changes while it runs, ports need a reload. */
export function renderFrontDoor(
  fragments: readonly Fragment[],
  busy: ReadonlySet<number>,
  folder: string,
): FrontDoorConfig {
  const names = new Map<string, string>();
  const all = new Set<number>();
  for (const fragment of fragments) {
    for (const [name, address] of Object.entries(fragment.names)) {
      if (/^[a-z0-9.-]+$/.test(name) && /^[0-9.]+$/.test(address)) names.set(name, address);
    }
    for (const port of fragment.ports) if (Number.isInteger(port) && !busy.has(port)) all.add(port);
  }
  const ports = [...all].sort((one, other) => one - other);
  const map = `${folder}/names.map`;
  const lines = (structure: string): string => `global
  description ${structure}
  stats socket ${folder}/admin.sock mode 600 level admin expose-fd listeners
  hard-stop-after 1h
  nbthread 2
  fd-hard-limit 65536

defaults
  mode http
  option idle-close-on-response
  retries 3
  retry-on conn-failure empty-response
  timeout connect 10s
  # Beyond the longest idle timeout of a load balancer, which decides.
  timeout client 4010s
  timeout server 4010s
  timeout http-request 60s
  timeout tunnel 4010s

frontend names
${ports.map((port) => `  bind 127.0.0.1:${port}\n  bind [::1]:${port}\n`).join('')}
  http-request set-var(txn.to) req.hdr(host),host_only,lower,map_str(${map})
  http-request return status 404 content-type text/plain string "No load balancer has this name." if !{ var(txn.to) -m found }
  http-request disable-l7-retry if !METH_GET !{ method HEAD OPTIONS }
  http-request set-dst var(txn.to)
  default_backend load-balancer

backend load-balancer
  source ${frontDoorAddress}
  server any 0.0.0.0:0 send-proxy-v2
`;
  const structure = structureHash(lines(''), new Map());
  const files = new Map([['names.map', [...names].map(([name, address]) => `${name} ${address}\n`).join('')]]);
  return { text: lines(structure), files, structure, names };
}
