import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './checks.ts';
import { instanceFile } from './instances.ts';
import { processes } from './processes.ts';

const run = promisify(execFile);

/** Something of a Longshore's that is on the machine. */
export interface Leftover {
  readonly kind: 'process' | 'namespace' | 'link' | 'nft table' | 'mount' | 'cgroup' | 'folder';
  readonly name: string;
}

/**
 * Everything on this machine that bears the marks of one Longshore: its instance id in the names of namespaces, links, tables and
 * cgroups (`ls-1a2b-…`), or its data directory in mounts and command lines. Asks the kernel, not our own records.
 */
export async function leftovers(instanceId: string, dataDir: string): Promise<Leftover[]> {
  const mark = new RegExp(`(^|[^0-9a-z])(ls|longshore)[-_/]?${instanceId}([^0-9a-z]|$)`, 'i');
  const marked = (names: readonly string[], kind: Leftover['kind']) =>
    names.filter((name) => mark.test(name)).map((name) => ({ kind, name }));
  const inside = (path: string) => path === dataDir || path.startsWith(`${dataDir}/`);
  return [
    ...processes()
      .filter(({ command }) => isPart(command) && (command.includes(`${dataDir}/`) || mark.test(command)))
      .map(({ pid, command }) => ({ kind: 'process' as const, name: `${pid} ${command.slice(0, 120)}` })),
    ...marked(namesIn('/run/netns'), 'namespace'),
    ...marked(namesIn('/sys/class/net'), 'link'),
    ...marked(await nftTables(), 'nft table'),
    ...mounts()
      .filter((path) => inside(path) || (mark.test(path) && !path.startsWith('/run/netns/')))
      .map((name) => ({ kind: 'mount' as const, name })),
    ...marked(
      ['/run', '/run/longshore'].flatMap((folder) => namesIn(folder).map((name) => `${folder}/${name}`)),
      'folder',
    ).filter(({ name }) => name !== instanceFile(instanceId)),
    ...cgroups((name) => mark.test(name)).map((name) => ({ kind: 'cgroup' as const, name })),
  ];
}

/** Whether a command line is one of the programs that Longshore runs, and not, say, somebody's editor on one of its files. */
function isPart(command: string): boolean {
  const program = command.split(' ')[0]?.split('/').at(-1) ?? '';
  return /^(containerd(-shim.*)?|haproxy|node|nft|ip|runc)$/.test(program);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function nftTables(): Promise<string[]> {
  const nft = findProgram('nft');
  if (!nft) return [];
  try {
    const { stdout } = await run(nft, ['list', 'tables'], { timeout: 5_000 });
    return stdout.split('\n').flatMap((line) => line.replace(/^table /, '').trim() || []);
  } catch {
    return [];
  }
}

/** Mount points of this namespace (proc(5), mountinfo: fifth field, octal escapes). */
function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap(
      (line) =>
        line.split(' ')[4]?.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))) ?? [],
    );
}

/** Groups two levels deep in every hierarchy: where runtimes put theirs. */
function cgroups(wanted: (name: string) => boolean): string[] {
  const base = '/sys/fs/cgroup';
  const hierarchies = existsSync(join(base, 'cgroup.controllers'))
    ? [base]
    : namesIn(base).map((name) => join(base, name));
  const folders = (path: string) => {
    try {
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return [];
    }
  };
  return hierarchies.flatMap((hierarchy) =>
    folders(hierarchy).flatMap((name) =>
      wanted(name)
        ? [join(hierarchy, name)]
        : folders(join(hierarchy, name))
            .filter(wanted)
            .map((inner) => join(hierarchy, name, inner)),
    ),
  );
}
