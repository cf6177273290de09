import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Settings } from '../base/settings.ts';
import { type Check, fail, findProgram, ok, programs, readText, startChecks, warn } from './checks.ts';
import { readSettings } from './data-dir.ts';
import { knownInstances } from './instances.ts';
import { pidFile } from './lock.ts';
import { type CommandError, reasonOf } from './output.ts';
import { portHolder, portTrouble } from './port.ts';
import { readRecord } from './processes.ts';

const execute = promisify(execFile);
const boundMs = 10_000;

async function run(file: string, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await execute(findProgram(file) ?? file, args, { timeout: boundMs });
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(stderr?.trim().split('\n').at(-1) || message);
  }
}

/** Everything that `longshore doctor` looks at, in the order in which it is told. What can be tried is tried, and undone. */
export async function examine(dataDir: string): Promise<Check[]> {
  const quick = startChecks();
  const asRoot = process.geteuid?.() === 0;
  const { settings, trouble } = settingsOf(dataDir);
  const later = await Promise.all([
    ...(asRoot ? [tryNetworks(), tryOverlay(dataDir)] : []),
    ...ports(dataDir, settings),
    diskSpace(dataDir),
    names(),
    forwarding(),
    builder(),
  ]);
  return [nodeVersion(), ...(await Promise.all(quick.map(withVersion))), ...trouble, ...later];
}

function nodeVersion(): Check {
  return ok('Node', `${process.version} (${process.execPath})`);
}

/** Where the check is of a program, its version as well: a program that does not start is not there. */
async function withVersion(check: Check): Promise<Check> {
  const program = programs.find((each) => each.name === check.name);
  if (!program || check.state !== 'ok') return check;
  try {
    const version = /\d+\.\d+[\w.~+-]*/.exec(await run(check.detail, ...program.versionArgs))?.[0];
    return ok(check.name, `${check.detail} ${version ?? ''}`.trimEnd());
  } catch (error) {
    return fail(
      check.name,
      `${check.detail} does not start: ${reasonOf(error)}`,
      `apt-get install --reinstall ${program.package}`,
    );
  }
}

/** Makes what a task's network is made of: a namespace, a veth pair into it, a firewall table inside. */
async function tryNetworks(): Promise<Check> {
  const name = 'networks';
  const space = `ls-doctor-${process.pid}`;
  const link = `lsd${process.pid}`;
  try {
    await run('ip', 'netns', 'add', space);
    await run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    await run(
      'ip',
      'netns',
      'exec',
      space,
      findProgram('nft') ?? 'nft',
      'add table inet doctor { chain input { type filter hook input priority 0; ct state established accept; }; }',
    );
    return ok(name, 'a namespace, a veth pair and an nftables table could be made');
  } catch (error) {
    return fail(
      name,
      reasonOf(error),
      'The kernel needs network namespaces, veth and nf_tables (modprobe veth nf_tables nf_conntrack).',
    );
  } finally {
    await run('ip', 'link', 'del', link).catch(() => {});
    await run('ip', 'netns', 'del', space).catch(() => {});
  }
}

/** Mounts an overlay where the images would lie: some file systems (another overlay, NFS) can't be beneath one. */
async function tryOverlay(dataDir: string): Promise<Check> {
  const name = 'image layers';
  const home = nearest(dataDir);
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(home, '.longshore-doctor-'));
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((each) =>
      join(folder as string, each),
    ) as [string, string, string, string];
    for (const each of [lower, upper, work, merged]) mkdirSync(each);
    await run('mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, merged);
    await run('umount', merged);
    return ok(name, `overlays can be mounted in ${home}`);
  } catch (error) {
    return fail(
      name,
      `no overlay can be mounted in ${home}: ${reasonOf(error)}`,
      'Put --data-dir on ext4, xfs or btrfs.',
    );
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

/** The nearest folder that is there already. */
function nearest(path: string): string {
  let at = path;
  while (!existsSync(at)) at = dirname(at);
  return at;
}

/** Whoever may not look into the data directory still learns about the machine. */
function settingsOf(dataDir: string): { settings?: Settings | undefined; trouble: Check[] } {
  try {
    return { settings: readSettings(dataDir), trouble: [] };
  } catch (error) {
    const mend = (error as CommandError).hint ?? 'Mend it, or name another directory with --data-dir.';
    return { trouble: [warn('data directory', reasonOf(error), mend)] };
  }
}

function ports(dataDir: string, settings: Settings | undefined): Promise<Check>[] {
  const running = readRecord(pidFile(dataDir));
  const port = settings?.port || 4566;
  return [
    portCheck(
      `port ${port}`,
      settings?.host ?? '127.0.0.1',
      port,
      'the API',
      running ? `our own API (pid ${running.pid})` : undefined,
    ),
    portCheck(
      'port 80',
      '127.0.0.1',
      80,
      'http://NAME.elb.localhost/',
      knownInstances().length > 0 ? 'a Longshore’s load balancers' : undefined,
    ),
  ];
}

async function portCheck(
  name: string,
  host: string,
  port: number,
  use: string,
  ours: string | undefined,
): Promise<Check> {
  const trouble = await portTrouble(host, port);
  if (!trouble) return ok(name, `free for ${use}`);
  const holder = portHolder(port);
  if (ours && (!holder || /longshore|haproxy|node/.test(holder))) return ok(name, `held by ${ours}`);
  if (trouble === 'EACCES') return warn(name, 'only root may listen on it', 'Run Longshore as root.');
  const detail = `taken${holder ? ` by ${holder}` : ` (${trouble})`}`;
  return port === 80
    ? warn(
        name,
        detail,
        'Load balancers answer at their public addresses all the same; free the port for their names to work.',
      )
    : fail(name, detail, 'End that, or name another port: longshore up --port 4567.');
}

async function diskSpace(dataDir: string): Promise<Check> {
  const name = 'disk space';
  const home = nearest(dataDir);
  const { bavail, bsize } = statfsSync(home);
  const gigabytes = (bavail * bsize) / 1e9;
  const detail = `${gigabytes.toFixed(1)} GB free in ${home}`;
  if (gigabytes >= 5) return ok(name, detail);
  const mend = 'Images and containers lie in the data directory: free some, or put it elsewhere with --data-dir.';
  return gigabytes < 0.5 ? fail(name, detail, mend) : warn(name, detail, mend);
}

/** RFC 6761: names under localhost are loopback's. glibc alone does not know that; nss-myhostname does. */
async function names(): Promise<Check> {
  const name = 'localhost names';
  const host = 'doctor.elb.localhost';
  try {
    const { address } = await lookup(host);
    if (address === '::1' || address.startsWith('127.')) return ok(name, `*.elb.localhost is ${address}`);
    return warn(
      name,
      `${host} is ${address}`,
      'A name server answers for localhost: put myhostname before dns in /etc/nsswitch.conf.',
    );
  } catch {
    return warn(
      name,
      `${host} can't be resolved`,
      'apt-get install libnss-myhostname   (curl and browsers do without it)',
    );
  }
}

/** Docker sets the policy of the FORWARD chain to DROP, which also drops what goes between tasks and the outside. */
async function forwarding(): Promise<Check> {
  const name = 'forwarding';
  if (!findProgram('nft') || process.geteuid?.() !== 0) return ok(name, 'not looked at (needs root and nft)');
  const chain = await run('nft', 'list', 'chain', 'ip', 'filter', 'FORWARD').catch(() => '');
  const forward =
    readText('/proc/sys/net/ipv4/ip_forward').trim() === '1' ? 'on' : 'off; `longshore up` switches it on';
  if (!/policy drop/.test(chain)) return ok(name, `no firewall drops what is forwarded (ip_forward is ${forward})`);
  return warn(
    name,
    'the FORWARD chain drops by default, as Docker sets it: tasks may not reach the internet',
    'Let their addresses pass, e.g. iptables -I DOCKER-USER -s 100.64.0.0/10 -j ACCEPT; iptables -I DOCKER-USER -d 100.64.0.0/10 -j ACCEPT',
  );
}

async function builder(): Promise<Check> {
  const name = 'image builder';
  const buildah = findProgram('buildah');
  if (buildah) return ok(name, buildah);
  const docker = findProgram('docker');
  if (
    docker &&
    (await run(docker, 'version').then(
      () => true,
      () => false,
    ))
  )
    return ok(name, docker);
  return warn(
    name,
    'neither buildah nor a running Docker',
    'apt-get install buildah   (for `longshore deploy`; pushing from elsewhere needs neither)',
  );
}
