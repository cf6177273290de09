import type { ContainerSpec, Ulimit } from '../runtime.ts';
import { seccompFor } from './seccomp.ts';
import type { UserIds } from './users.ts';

/** What Docker grants a container that asks for nothing (moby, oci/caps/defaults.go). */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

const allCapabilities: readonly string[] = [
  ...defaultCapabilities,
  ...[
    'AUDIT_CONTROL',
    'BLOCK_SUSPEND',
    'DAC_READ_SEARCH',
    'IPC_LOCK',
    'IPC_OWNER',
    'LEASE',
    'LINUX_IMMUTABLE',
    'MAC_ADMIN',
  ],
  ...[
    'MAC_OVERRIDE',
    'NET_ADMIN',
    'NET_BROADCAST',
    'SYSLOG',
    'SYS_ADMIN',
    'SYS_BOOT',
    'SYS_MODULE',
    'SYS_NICE',
    'SYS_PACCT',
  ],
  ...['SYS_PTRACE', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'WAKE_ALARM', 'AUDIT_READ'],
].map((name) => (name.startsWith('CAP_') ? name : `CAP_${name}`));

const maskedPaths = [
  ...['/proc/asound', '/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list'],
  ...['/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'],
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the runtime has worked out for a container beyond its specification. */
export interface SpecPlaces {
  readonly user: UserIds;
  /** Group of the container in the control-group hierarchies, absolute. */
  readonly cgroupPath: string;
  /** Files to be mounted over /etc/hosts and /etc/resolv.conf and /etc/hostname. */
  readonly hostsFile: string;
  readonly resolvConfFile: string;
  readonly hostnameFile: string;
  /** The most open files that this machine lets a process have. */
  readonly openFilesLimit: number;
  /** Node's name of the machine's architecture. */
  readonly architecture: string;
}

/** The capabilities that remain after the definition's `linuxParameters.capabilities`, as Docker applies them. */
export function capabilitiesOf(
  spec: Pick<ContainerSpec, 'privileged' | 'capabilitiesAdded' | 'capabilitiesDropped'>,
): string[] {
  if (spec.privileged) return [...allCapabilities];
  const name = (text: string) =>
    text.toUpperCase().startsWith('CAP_') ? text.toUpperCase() : `CAP_${text.toUpperCase()}`;
  const added = spec.capabilitiesAdded.map(name);
  const dropped = spec.capabilitiesDropped.map(name);
  const start = dropped.includes('CAP_ALL') ? [] : added.includes('CAP_ALL') ? allCapabilities : defaultCapabilities;
  const kept = start.filter((cap) => !dropped.includes(cap));
  return [...new Set([...kept, ...added.filter((cap) => cap !== 'CAP_ALL')])];
}

/**
 * The command line: the definition's entry point replaces the image's and drops the image's command; the definition's command
 * replaces the image's (Docker, "Understand how CMD and ENTRYPOINT interact"). Throws Error where nothing is left to run.
 */
export function argumentsOf(spec: Pick<ContainerSpec, 'entryPoint' | 'command' | 'image'>): string[] {
  const entryPoint = spec.entryPoint?.length ? spec.entryPoint : undefined;
  const command = spec.command?.length ? spec.command : entryPoint ? [] : spec.image.config.command;
  const result = [...(entryPoint ?? spec.image.config.entrypoint), ...command];
  if (result.length === 0) throw new Error('No command specified');
  return result;
}

/** PATH, HOSTNAME and HOME as Docker sets them, then the image's variables, then the definition's. */
export function environmentOf(spec: Pick<ContainerSpec, 'environment' | 'hostname' | 'image'>, home: string): string[] {
  const merged = new Map<string, string>();
  const put = (line: string) => merged.set(line.split('=', 1)[0]!, line);
  put(defaultPath);
  put(`HOSTNAME=${spec.hostname}`);
  put(`HOME=${home}`);
  for (const line of spec.image.config.environment) put(line);
  for (const [name, value] of Object.entries(spec.environment)) put(`${name}=${value}`);
  return [...merged.values()];
}

/** The container's `config.json` (OCI runtime-spec 1.0.2). Pure: the same input gives the same document. */
export function ociSpec(spec: ContainerSpec, places: SpecPlaces): object {
  const capabilities = capabilitiesOf(spec);
  const forRoot = places.user.uid === 0 ? capabilities : [];
  const namespaces: { type: string; path?: string }[] = [
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
  ];
  if (spec.network === 'none') namespaces.push({ type: 'network' });
  else if (spec.network !== 'host') namespaces.push({ type: 'network', path: spec.network.namespacePath });
  const bind = (destination: string, source: string) => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'rw'],
  });
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: places.user.uid, gid: places.user.gid, additionalGids: places.user.additionalGids },
      args: argumentsOf(spec),
      env: environmentOf(spec, places.user.home),
      cwd: spec.workingDirectory || spec.image.config.workingDirectory || '/',
      capabilities: {
        bounding: capabilities,
        permitted: forRoot,
        effective: forRoot,
      },
      rlimits: rlimitsOf(spec.ulimits, places.openFilesLimit),
      noNewPrivileges: spec.noNewPrivileges,
      // Not the shim's, which containerd protects: a machine short of memory would kill everything else before a task.
      oomScoreAdj: 0,
    },
    root: { path: 'rootfs', readonly: spec.readonlyRootfs },
    hostname: spec.hostname,
    annotations: { 'io.containerd.runc.v2.group': spec.taskId },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${spec.shmMiB * 1024}k`],
      },
      {
        destination: '/sys',
        type: 'sysfs',
        source: 'sysfs',
        options: ['nosuid', 'noexec', 'nodev', spec.privileged ? 'rw' : 'ro'],
      },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
      },
      ...Object.entries(spec.tmpfs).map(([destination, options]) => ({
        destination,
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', 'noexec', ...options.split(',').filter(Boolean)],
      })),
      bind('/etc/hosts', places.hostsFile),
      bind('/etc/resolv.conf', places.resolvConfFile),
      bind('/etc/hostname', places.hostnameFile),
    ],
    linux: {
      namespaces,
      cgroupsPath: places.cgroupPath,
      resources: {
        devices: [
          { allow: spec.privileged, access: 'rwm' },
          ...(spec.privileged
            ? []
            : [
                ['c', 1, 3],
                ['c', 1, 5],
                ['c', 1, 7],
                ['c', 1, 8],
                ['c', 1, 9],
                ['c', 5, 0],
                ['c', 5, 2],
              ]
                .map(([type, major, minor]) => ({ allow: true, type, major, minor, access: 'rwm' }))
                .concat({ allow: true, type: 'c', major: 136, access: 'rwm' } as never)),
        ],
        // Docker gives a container without CPU units the share of 2 when its task has others with some; ECS's agent does so too.
        cpu: { shares: Math.max(2, spec.cpuUnits) },
        ...(spec.memoryMiB > 0 && { memory: { limit: spec.memoryMiB * 1024 * 1024 } }),
      },
      ...(!spec.privileged && { maskedPaths, readonlyPaths, seccomp: seccompFor(capabilities, places.architecture) }),
      // Unprivileged ports and ping for every user, as Docker has them; only where the network namespace is the container's own.
      ...(spec.network !== 'host' && {
        sysctl: {
          'net.ipv4.ip_unprivileged_port_start': '0',
          'net.ipv4.ping_group_range': '0 2147483647',
          ...spec.sysctls,
        },
      }),
    },
  };
}

/**
 * Limits of resources; Fargate's `nofile` unless the definition sets it (AWS, "Task definition parameters: ulimits"), or as much
 * of it as the machine grants.
 */
function rlimitsOf(ulimits: readonly Ulimit[], most: number): { type: string; soft: number; hard: number }[] {
  const nofile = Math.min(65_535, most);
  const limits = new Map<string, Ulimit>([['nofile', { name: 'nofile', soft: nofile, hard: nofile }]]);
  for (const limit of ulimits) limits.set(limit.name.toLowerCase(), limit);
  return [...limits].map(([name, { soft, hard }]) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard }));
}
