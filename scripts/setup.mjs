#!/usr/bin/env node
// Brings a machine to where Longshore runs on it: Debian packages, npm packages, Node 24. Plain JavaScript for any Node from
// 20 on, without dependencies. Safe to repeat: where nothing is missing it only looks, in a fraction of a second.
//
//   node scripts/setup.mjs [--quiet] [--test]
//
// --quiet says nothing where nothing is missing; --test also asks for what the test suites use.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const options = new Set(process.argv.slice(2));
const quiet = options.has('--quiet');

/** What the machine must have: found by `there`, brought by the Debian package, said to others in words. */
const run = [
  { what: 'containerd', there: () => command('containerd'), package: 'containerd', why: 'runs the containers' },
  { what: 'runc', there: () => command('runc'), package: 'runc', why: 'starts a container for containerd' },
  { what: 'haproxy', there: () => command('haproxy'), package: 'haproxy', why: 'carries the load balancers’ traffic' },
  { what: 'nft', there: () => command('nft'), package: 'nftables', why: 'enforces the security groups' },
  { what: 'ip', there: () => command('ip'), package: 'iproute2', why: 'makes the network interfaces' },
  { what: 'buildah', there: () => command('buildah'), package: 'buildah', why: 'builds images for `longshore deploy`' },
  {
    what: 'a static busybox',
    there: () => existsSync('/usr/share/doc/busybox-static') || staticBusybox(),
    package: 'busybox-static',
    why: 'is all that examples/hello is made of',
  },
  {
    what: 'nss-myhostname',
    there: () => nssMyhostname(),
    package: 'libnss-myhostname',
    why: 'resolves NAME.elb.localhost for every program of this machine',
  },
];
const test = [
  {
    what: 'aws',
    there: () => command('/usr/bin/aws') || command('/usr/local/bin/aws'),
    package: 'awscli',
    why: 'is the CLI that the suites use',
  },
  { what: 'skopeo', there: () => command('skopeo'), package: 'skopeo', why: 'pushes and pulls in the suites' },
  { what: 'curl', there: () => command('curl'), package: 'curl', why: 'asks load balancers in the suites' },
  { what: 'ps', there: () => command('ps'), package: 'procps', why: 'looks at processes in the suites' },
  { what: 'wrk', there: () => command('wrk'), package: 'wrk', why: 'makes load in the suites' },
];

function command(name) {
  const folders = name.startsWith('/')
    ? ['']
    : [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(name.startsWith('/') ? name : join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A static program has no interpreter: the ELF's program headers hold no PT_INTERP, whose text would name ld-linux or ld-musl. */
function staticBusybox() {
  const path = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'].find((each) => existsSync(each));
  return path !== undefined && !/\/ld-(linux|musl)/.test(readFileSync(path).subarray(0, 4096).toString('latin1'));
}

function nssMyhostname() {
  try {
    return /^hosts:.*\b(myhostname|resolve)\b/m.test(readFileSync('/etc/nsswitch.conf', 'utf8'));
  } catch {
    return false;
  }
}

function writable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Says it and ends with 1. */
function fail(text) {
  console.error(`\n✗ ${text}\n`);
  process.exit(1);
}

function say(text) {
  console.log(text);
}

/** Runs a command with a bound; `visible` shows its output as it comes. Throws an Error that names command and end. */
function must(file, args, { minutes = 10, env = {}, visible = false } = {}) {
  const result = spawnSync(file, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: visible ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: minutes * 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return result.stdout ?? '';
  const end = result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`);
  const lines = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n');
  // Some tools say first what is wrong, others last.
  const output = (lines.length > 16 ? [...lines.slice(0, 8), '…', ...lines.slice(-6)] : lines).join('\n');
  throw new Error(`\`${file} ${args.join(' ')}\` failed: ${end}${output ? `\n${output}` : ''}`);
}

/** Installs Debian packages without letting their services start: Longshore runs its own containerd and HAProxy. */
function aptInstall(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const lock = ['-o', 'DPkg::Lock::Timeout=300'];
  const policy = '/usr/sbin/policy-rc.d';
  const ownPolicy = !existsSync(policy);
  if (ownPolicy)
    writeFileSync(policy, '#!/bin/sh\n# Longshore’s setup: packaged services are not started\nexit 101\n', {
      mode: 0o755,
    });
  const clear = () => ownPolicy && rmSync(policy, { force: true });
  process.once('exit', clear);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  try {
    must('apt-get', [...lock, 'update', '-q'], { env });
    must('apt-get', [...lock, 'install', '-y', '-q', '--no-install-recommends', ...packages], { env, minutes: 20 });
  } finally {
    clear();
  }
  if (existsSync('/run/systemd/system')) {
    for (const unit of ['containerd', 'haproxy', 'docker-registry']) {
      if (packages.includes(unit))
        spawnSync('systemctl', ['disable', '--now', unit], { stdio: 'ignore', timeout: 30_000 });
    }
  }
}

/** Whether every package of package-lock.json that this machine can use lies in node_modules in its version. */
function npmFresh() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (!path.includes('node_modules/') || (entry.optional && !fits(entry))) return true;
      const there = installed[path];
      return there !== undefined && there.version === entry.version && existsSync(join(root, path));
    });
  } catch {
    return false;
  }
}

function fits(entry) {
  const libc = process.report?.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  return (
    (!entry.os || entry.os.includes(process.platform)) &&
    (!entry.cpu || entry.cpu.includes(process.arch)) &&
    (!entry.libc || entry.libc.includes(libc))
  );
}

function node24() {
  const candidates = [
    join(root, 'node_modules/.bin/node'),
    join(root, `node_modules/node-linux-${process.arch}/bin/node`),
  ];
  if (Number(process.versions.node.split('.')[0]) >= 24) return { path: process.execPath, version: process.version };
  for (const path of candidates) {
    if (!existsSync(path)) continue;
    const version = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 }).stdout?.trim();
    if (Number(version?.slice(1).split('.')[0]) >= 24) return { path, version };
  }
  return undefined;
}

if (process.platform !== 'linux') {
  fail(
    `Longshore runs containers with Linux's own namespaces; this is ${process.platform}. Use a Linux machine or a virtual machine.`,
  );
}
if (Number(process.versions.node.split('.')[0]) < 20)
  fail(`Node 20 or newer is needed to begin with; this is ${process.version}.`);

const began = Date.now();
let changed = false;

const wanted = options.has('--test') ? [...run, ...test] : run;
const missing = wanted.filter((each) => !each.there());
if (missing.length > 0) {
  const packages = missing.map((each) => each.package);
  const list = missing
    .map((each) => `    ${each.what.padEnd(18)} ${each.why}  (Debian package ${each.package})`)
    .join('\n');
  const asRoot = process.getuid?.() === 0;
  const debian = existsSync('/etc/debian_version') && command('apt-get');
  if (!debian)
    fail(
      `This machine lacks:\n${list}\n\n  It has no apt-get. Install these with its own package manager, then run this again.`,
    );
  if (!asRoot) {
    fail(
      `This machine lacks:\n${list}\n\n  As root:  apt-get update && apt-get install --no-install-recommends ${packages.join(' ')}\n  then run this again, or run it as root and it installs them itself.`,
    );
  }
  say(`Installing from Debian: ${packages.join(', ')}`);
  try {
    aptInstall(packages);
  } catch (error) {
    fail(`${error.message}\n\n  Nothing else was changed. Mend what apt-get says, then run this again.`);
  }
  const still = missing.filter((each) => !each.there());
  if (still.length > 0)
    fail(`Installed, and yet not found: ${still.map((each) => `${each.what} (package ${each.package})`).join(', ')}.`);
  changed = true;
}

if (!npmFresh()) {
  const closed = [root, join(root, 'node_modules')].find((folder) => existsSync(folder) && !writable(folder));
  if (closed) fail(`npm packages are missing, and ${closed} is not yours to write. Run this as the user who owns it.`);
  say('Installing npm packages (npm ci)');
  try {
    must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  } catch (error) {
    fail(
      `${error.message}\n\n  Mend what npm says (is its registry reachable? \`npm config get registry\`), then run this again.`,
    );
  }
  changed = true;
}

// npm links a workspace's command only where the file was there when it installed.
const link = join(root, 'node_modules/.bin/longshore');
if (!existsSync(link)) symlinkSync('../longshore/bin/longshore.mjs', link);

// The example is built from nothing but the machine's own busybox: there may be no Docker Hub to take a base image from.
const busybox = join(root, 'examples/hello/busybox');
if (!existsSync(busybox)) copyFileSync('/bin/busybox', busybox);

const node = node24();
if (!node) {
  fail(
    `Node 24 is needed; this is ${process.version}, and the npm registry has none for ${process.platform}-${process.arch}.\n  Put Node 24 first in PATH (https://nodejs.org), then run this again.`,
  );
}
if (changed || !existsSync(join(root, 'node_modules/.cache/longshore'))) {
  // A first start without it is only slower and bigger.
  spawnSync(node.path, ['--max-semi-space-size=2', join(root, 'scripts/compile.mjs')], {
    stdio: 'ignore',
    timeout: 60_000,
  });
}
if (!quiet || changed)
  say(
    `✓ This machine is ready for Longshore: Node 24 is ${node.path}, ${node.version} (${((Date.now() - began) / 1000).toFixed(1)} s)`,
  );
