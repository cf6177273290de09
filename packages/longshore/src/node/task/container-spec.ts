import type { PayloadContainer, PayloadTask } from '../../protocol/payload.ts';
import type { ContainerNetwork, ContainerSpec, Ulimit } from '../runtime/runtime.ts';
import { type ContainerState, definitionOf, type TaskState } from './state.ts';

/** The members of Docker's container Config that the node reads from `dockerConfig.config`. */
export interface DockerConfig {
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Hostname?: string;
}

/** The members of Docker's HostConfig that the node reads from `dockerConfig.hostConfig`. */
export interface DockerHostConfig {
  readonly LogConfig?: { readonly Type?: string; readonly Config?: Readonly<Record<string, string>> };
  readonly ReadonlyRootfs?: boolean;
  readonly Privileged?: boolean;
  readonly CapAdd?: readonly string[];
  readonly CapDrop?: readonly string[];
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  /** Bytes. */
  readonly ShmSize?: number;
  readonly SecurityOpt?: readonly string[];
  readonly ExtraHosts?: readonly string[];
  readonly Dns?: readonly string[];
  readonly DnsSearch?: readonly string[];
  readonly Init?: boolean;
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly Sysctls?: Readonly<Record<string, string>>;
}

export const dockerConfigOf = (container: PayloadContainer) =>
  JSON.parse(container.dockerConfig.config ?? '{}') as DockerConfig;
export const hostConfigOf = (container: PayloadContainer) =>
  JSON.parse(container.dockerConfig.hostConfig ?? '{}') as DockerHostConfig;

/** What the runtime is asked to run for a container of the task. `resolvConf` is the machine's own, for `host` networking. */
export function containerSpec(
  task: TaskState,
  container: ContainerState,
  places: { readonly resolvConf: string; readonly machineName: string; readonly logFile?: string },
): ContainerSpec {
  const definition = definitionOf(task, container);
  const config = dockerConfigOf(definition);
  const host = hostConfigOf(definition);
  if (!container.image) throw new Error(`${container.name} has no image yet`);
  const hostname = hostnameOf(task.payload, places.machineName);
  const ulimits: Ulimit[] = (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
    name: Name,
    soft: Soft,
    hard: Hard,
  }));
  return {
    id: container.id,
    taskId: task.taskId,
    name: container.name,
    image: container.image,
    ...(definition.entryPoint && { entryPoint: definition.entryPoint }),
    ...(definition.command && { command: definition.command }),
    environment: { AWS_EXECUTION_ENV: `AWS_ECS_${task.payload.launchType}`, ...definition.environment },
    ...(config.User && { user: config.User }),
    ...(config.WorkingDir && { workingDirectory: config.WorkingDir }),
    hostname: config.Hostname || hostname,
    network: networkOf(task),
    hosts: hostsFile(task.payload, hostname, host.ExtraHosts ?? []),
    resolvConf: resolvConf(task.payload, host, places.resolvConf),
    cpuUnits: definition.cpu,
    memoryMiB: definition.memory,
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    privileged: host.Privileged ?? false,
    noNewPrivileges: (host.SecurityOpt ?? []).some((option) => /^no-new-privileges(:true)?$/.test(option)),
    capabilitiesAdded: host.CapAdd ?? [],
    capabilitiesDropped: host.CapDrop ?? [],
    ulimits,
    shmMiB: host.ShmSize ? Math.ceil(host.ShmSize / 1024 ** 2) : 64,
    tmpfs: host.Tmpfs ?? {},
    sysctls: host.Sysctls ?? {},
    ...(places.logFile && { logFile: places.logFile }),
  };
}

function networkOf(task: TaskState): ContainerNetwork {
  if (task.payload.networkMode === 'host') return 'host';
  if (task.payload.networkMode === 'none') return 'none';
  if (!task.namespacePath) throw new Error('the task has no network yet');
  return { namespacePath: task.namespacePath };
}

/** In awsvpc a host is named after its private DNS name, `ip-172-31-5-7.eu-west-1.compute.internal`. */
export function hostnameOf(task: PayloadTask, machineName: string): string {
  const eni = task.elasticNetworkInterfaces?.[0];
  if (!eni) return machineName;
  return eni.privateDnsName || `ip-${addressOf(eni)?.replaceAll('.', '-')}`;
}

/** `/etc/hosts` of a task's containers. */
export function hostsFile(task: PayloadTask, hostname: string, extra: readonly string[]): string {
  const eni = task.elasticNetworkInterfaces?.[0];
  const address = eni && addressOf(eni);
  const lines = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback'];
  lines.push(`${address ?? '127.0.1.1'} ${[...new Set([hostname, hostname.split('.')[0]])].join(' ')}`);
  for (const entry of extra) {
    const colon = entry.indexOf(':');
    lines.push(`${entry.slice(colon + 1)} ${entry.slice(0, colon)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `/etc/resolv.conf` of a task's containers; `machines`: the machine's own, for tasks on its network. */
export function resolvConf(task: PayloadTask, host: DockerHostConfig, machines: string): string {
  if (task.networkMode === 'host') return machines;
  const eni = task.elasticNetworkInterfaces?.[0];
  const servers = host.Dns?.length
    ? host.Dns
    : eni?.domainNameServers.length
      ? eni.domainNameServers
      : ['169.254.169.253'];
  const search = host.DnsSearch?.length ? host.DnsSearch : (eni?.domainName ?? []);
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    'options timeout:2 attempts:3',
    '',
  ].join('\n');
}

const addressOf = (eni: NonNullable<PayloadTask['elasticNetworkInterfaces']>[number]) =>
  (eni.ipv4Addresses.find(({ primary }) => primary) ?? eni.ipv4Addresses[0])?.privateAddress;
