import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** One thing that the machine must have or had better have. */
export interface Check {
  readonly name: string;
  /** `warn`: Longshore starts, but something will not be as it should. */
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it; absent where all is well. */
  readonly mend?: string;
}

/** A program that Longshore runs, and the Debian package that brings it. */
export interface Program {
  readonly name: string;
  readonly package: string;
  readonly versionArgs: readonly string[];
}

export const programs: readonly Program[] = [
  { name: 'containerd', package: 'containerd', versionArgs: ['--version'] },
  { name: 'runc', package: 'runc', versionArgs: ['--version'] },
  { name: 'haproxy', package: 'haproxy', versionArgs: ['-v'] },
  { name: 'nft', package: 'nftables', versionArgs: ['--version'] },
  { name: 'ip', package: 'iproute2', versionArgs: ['-V'] },
];

export const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail });
export const fail = (name: string, detail: string, mend: string): Check => ({ name, state: 'fail', detail, mend });
export const warn = (name: string, detail: string, mend: string): Check => ({ name, state: 'warn', detail, mend });

/** Where a program lies, also where PATH lacks the folders of system programs. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** What `longshore up` must have, told by looking at files alone: a few milliseconds. */
export function startChecks(): Check[] {
  return [rootCheck(), ...programs.map(programCheck), overlayCheck(), namespaceCheck(), cgroupCheck()];
}

function rootCheck(): Check {
  const name = 'root';
  if (process.geteuid?.() === 0) return ok(name, 'running as root');
  return fail(
    name,
    `running as user ${process.geteuid?.()}`,
    'Containers and networks need root: sudo -E longshore … (or --runtime simulated, whose tasks only pretend).',
  );
}

function programCheck(program: Program): Check {
  const path = findProgram(program.name);
  if (path) return ok(program.name, path);
  return fail(
    program.name,
    'not found',
    `apt-get install ${program.package}   (npm run setup installs all that is missing)`,
  );
}

function overlayCheck(): Check {
  const name = 'overlayfs';
  const known = readText('/proc/filesystems')
    .split('\n')
    .some((line) => line.endsWith('\toverlay'));
  if (known) return ok(name, 'known to the kernel');
  const release = readText('/proc/sys/kernel/osrelease').trim();
  if (existsSync(`/lib/modules/${release}/kernel/fs/overlayfs`))
    return ok(name, 'a module that the kernel loads when it is used');
  return fail(name, 'unknown to this kernel', 'modprobe overlay, or a kernel with CONFIG_OVERLAY_FS.');
}

function namespaceCheck(): Check {
  const name = 'namespaces';
  const missing = ['net', 'pid', 'mnt', 'ipc', 'uts'].filter((kind) => !existsSync(`/proc/self/ns/${kind}`));
  if (missing.length === 0) return ok(name, 'net, pid, mnt, ipc, uts');
  return fail(name, `this kernel lacks ${missing.join(', ')}`, 'A kernel with CONFIG_NAMESPACES and all of its kinds.');
}

/** Version 2 shows its controllers in one file; version 1 and the hybrid mount a folder for each. */
function cgroupCheck(): Check {
  const name = 'cgroups';
  const needed = ['cpu', 'memory', 'pids'];
  const unified = readText('/sys/fs/cgroup/cgroup.controllers').trim().split(' ');
  if (needed.every((controller) => unified.includes(controller))) return ok(name, 'version 2');
  if (needed.every((controller) => existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`)))
    return ok(name, 'version 1');
  return fail(
    name,
    'the controllers cpu, memory and pids are not all there',
    'Mount them: systemd does; without it, the Debian package cgroupfs-mount.',
  );
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
