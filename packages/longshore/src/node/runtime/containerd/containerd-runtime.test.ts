import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { HttpClient } from '../../session/http.ts';
import { TestRegistry } from '../../testing/registry.testing.ts';
import type { ContainerExit, ContainerSpec, PulledImage } from '../runtime.ts';
import { foldersOf, layoutFrom, limitWrites } from './cgroups.ts';
import { ContainerdRuntime } from './containerd-runtime.ts';
import { placesOf } from './places.ts';

const instanceId = systemRandom.hex(4);
const stateDir = mkdtempSync(join(tmpdir(), 'longshore-runtime-'));
const places = placesOf({ stateDir, instanceId });
const http = new HttpClient();
const parts = { places, instanceId, http, clock: systemClock, random: systemRandom, log: silentLogger };

let registry: TestRegistry;
let runtime: ContainerdRuntime;
const exits = new Map<string, ContainerExit>();

const access = async (host: string) => ({ url: `http://${host}`, host });
const pull = (name: string) =>
  runtime.pull({ reference: `${registry.host}/${name}`, access, signal: AbortSignal.timeout(10_000) });

function specOf(image: PulledImage, more: Partial<ContainerSpec>): ContainerSpec {
  return {
    id: `c-${systemRandom.hex(8)}`,
    taskId: `t-${systemRandom.hex(8)}`,
    name: 'app',
    image,
    environment: {},
    hostname: 'ip-10-0-0-1',
    network: 'none',
    hosts: '127.0.0.1 localhost\n',
    resolvConf: 'nameserver 169.254.169.253\n',
    cpuUnits: 0,
    memoryMiB: 0,
    readonlyRootfs: false,
    privileged: false,
    noNewPrivileges: false,
    capabilitiesAdded: [],
    capabilitiesDropped: [],
    ulimits: [],
    shmMiB: 64,
    tmpfs: {},
    sysctls: {},
    ...more,
  };
}

async function exitOf(id: string): Promise<ContainerExit> {
  for (let waited = 0; waited < 8000; waited += 10) {
    const exit = exits.get(id);
    if (exit) return exit;
    await systemClock.sleep(10);
  }
  throw new Error(`no exit of ${id}`);
}

/** Runs a shell script to its end and answers what it wrote. */
async function run(image: PulledImage, script: string, more: Partial<ContainerSpec> = {}) {
  const id = `c-${systemRandom.hex(8)}`;
  const logFile = join(stateDir, 'logs', `${id}.log`);
  const spec = specOf(image, { id, command: ['sh', '-c', script], logFile, ...more });
  await runtime.openTask({ taskId: spec.taskId, cpuUnits: 256, memoryMiB: 64 });
  await runtime.launch(spec);
  const exit = await exitOf(id);
  await runtime.reap(id);
  const output = readFileSync(logFile, 'utf8');
  await runtime.closeTask(spec.taskId, [id]);
  return { exit, output };
}

before(async () => {
  registry = await TestRegistry.open();
  await registry.add('app', 'v1', { layers: [{}, { 'etc/second-layer': 'two\n' }] });
  runtime = new ContainerdRuntime(parts);
  runtime.onExit((exit) => exits.set(exit.containerId, exit));
  await runtime.start();
});

after(async () => {
  await runtime.stop();
  await new ContainerdRuntime(parts).destroy(true);
  http.close();
  await registry.close();
  rmSync(stateDir, { recursive: true, force: true });
});

describe('pull', () => {
  test('an image of two layers is fetched once, then found present with one HEAD', async () => {
    const [first, same] = await Promise.all([pull('app:v1'), pull('app:v1')]);
    assert.deepEqual(first, same);
    const blobs = registry.requests.filter((line) => line.includes('/blobs/'));
    assert.equal(blobs.length, new Set(blobs).size, 'no blob is fetched twice');
    const before = registry.requests.length;
    assert.equal((await pull('app:v1')).chainId, first.chainId);
    assert.deepEqual(registry.requests.slice(before), ['HEAD /v2/app/manifests/v1']);
  });

  test('an image that is not there is refused at once, in the words of Fargate', async () => {
    await assert.rejects(
      pull('missing:v1'),
      new RegExp(`failed to resolve ref ${registry.host}/missing:v1: ${registry.host}/missing:v1: not found`),
    );
  });

  test('a registry that can not be reached is told with the image that was wanted', async () => {
    await assert.rejects(
      runtime.pull({ reference: 'localhost:1/app:v1', access, signal: AbortSignal.timeout(10_000) }),
      /^Error: failed to resolve ref localhost:1\/app:v1: failed to do request: .*ECONNREFUSED/,
    );
  });

  test('a blob with other bytes than its digest says is refused, and a later pull succeeds', async () => {
    const known = new Set(registry.blobs);
    await registry.add('damaged', 'v1', { layers: [{}, { 'etc/unique': systemRandom.hex(32) }] });
    const fresh = registry.blobs.filter((digest) => !known.has(digest));
    for (const digest of fresh) registry.damaged.add(digest);
    await assert.rejects(pull('damaged:v1'), /sha256/);
    registry.damaged.clear();
    assert.ok((await pull('damaged:v1')).chainId);
  });
});

describe('a container', () => {
  test('runs with its environment, files, user, limits and profile', async () => {
    const image = await pull('app:v1');
    const script = [
      'id -u; id -g; id -G; pwd; hostname; echo $HOME $GREETING',
      'cat /etc/second-layer /etc/resolv.conf',
      'grep -E "^(Seccomp|CapBnd|CapEff|NoNewPrivs):" /proc/self/status',
      'echo oom $(cat /proc/self/oom_score_adj)',
      'echo err >&2; exit 7',
    ].join('; ');
    const { exit, output } = await run(image, script, {
      user: 'app',
      workingDirectory: '/work/dir',
      environment: { GREETING: 'hello' },
    });
    assert.equal(exit.exitCode, 7);
    assert.equal(exit.outOfMemory, false);
    const lines = output.split('\n');
    assert.deepEqual(lines.slice(0, 8), [
      '1000',
      '1001',
      '1001 2002',
      '/work/dir',
      'ip-10-0-0-1',
      '/home/app hello',
      'two',
      'nameserver 169.254.169.253',
    ]);
    assert.match(output, /Seccomp:\t2/);
    assert.match(output, /CapBnd:\t00000000a80425fb/, "Docker's default capabilities");
    assert.match(output, /CapEff:\t0000000000000000/);
    assert.match(output, /^oom 0$/m, 'not protected as containerd is');
    assert.match(output, /^err$/m);
  });

  test('is in a group below its task’s, which holds the task’s limits in this machine’s control groups', async () => {
    const image = await pull('app:v1');
    const spec = specOf(image, { command: ['sleep', '1000'] });
    await runtime.openTask({ taskId: spec.taskId, cpuUnits: 512, memoryMiB: 64 });
    const { pid } = await runtime.launch(spec);
    const layout = layoutFrom(readFileSync('/proc/self/mounts', 'utf8'));
    const task = `/longshore-${instanceId}/${spec.taskId}`;
    const limits = limitWrites(layout, task, { cpuUnits: 512, memoryMiB: 64, pids: 16_384 });
    const there = limits.filter(({ folder, file, ifThere }) => !ifThere || existsSync(join(folder, file)));
    assert.deepEqual(
      there.map(({ folder, file }) => `${file}=${readFileSync(join(folder, file), 'utf8').trim()}`),
      there.map(({ file, value }) => `${file}=${value}`),
    );
    for (const folder of foldersOf(layout, `${task}/${spec.name}`))
      assert.equal(readFileSync(join(folder, 'cgroup.procs'), 'utf8').trim(), String(pid), folder);
    await runtime.kill(spec.id, 'SIGKILL');
    await exitOf(spec.id);
    await runtime.closeTask(spec.taskId, [spec.id]);
    for (const folder of foldersOf(layout, task)) assert.equal(existsSync(folder), false, folder);
  });

  test('that ends at once loses none of its last words, on either stream', async () => {
    const image = await pull('app:v1');
    for (let round = 0; round < 15; round++) {
      const runs = Array.from({ length: 4 }, () => run(image, 'echo out; echo err >&2; exit 7'));
      for (const { output } of await Promise.all(runs)) assert.deepEqual(output.split('\n').sort(), ['', 'err', 'out']);
    }
  });

  test('that uses more than the task’s memory is killed, and that is told', async () => {
    const image = await pull('app:v1');
    const { exit } = await run(image, 'dd if=/dev/zero of=/dev/null bs=200M count=1');
    assert.deepEqual([exit.exitCode, exit.outOfMemory], [137, true]);
  });

  test('whose command is not there fails to be created, and leaves nothing', async () => {
    const image = await pull('app:v1');
    const spec = specOf(image, { command: ['/no/such/program'] });
    await runtime.openTask({ taskId: spec.taskId, cpuUnits: 0, memoryMiB: 0 });
    await assert.rejects(runtime.launch(spec), { phase: 'create', message: /no such file or directory/ });
    await runtime.closeTask(spec.taskId, [spec.id]);
    assert.equal(
      (await runtime.list()).some(({ containerId }) => containerId === spec.id),
      false,
    );
  });

  test('is stopped by a signal; two of a task share a shim', async () => {
    const image = await pull('app:v1');
    const taskId = `t-${systemRandom.hex(8)}`;
    await runtime.openTask({ taskId, cpuUnits: 0, memoryMiB: 0 });
    const specs = ['one', 'two'].map((name) =>
      specOf(image, { taskId, name, command: ['sh', '-c', 'trap "exit 3" TERM; sleep 1000 & wait'] }),
    );
    for (const spec of specs) await runtime.launch(spec);
    const shims = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(`-id ${specs[0]!.id}`) || line.includes(`-id ${specs[1]!.id}`));
    assert.equal(shims.length, 1);
    await systemClock.sleep(100);
    await runtime.kill(specs[0]!.id, 'SIGTERM');
    assert.equal((await exitOf(specs[0]!.id)).exitCode, 3);
    await runtime.kill(specs[1]!.id, 'SIGKILL');
    assert.deepEqual([(await exitOf(specs[1]!.id)).exitCode, (await exitOf(specs[1]!.id)).outOfMemory], [137, false]);
    await runtime.kill(specs[1]!.id, 'SIGKILL');
    await runtime.closeTask(
      taskId,
      specs.map(({ id }) => id),
    );
  });
});

describe('recovery', () => {
  test('a new process finds what runs and what has ended; a killed containerd comes back', async () => {
    const image = await pull('app:v1');
    const lives = specOf(image, { command: ['sleep', '1000'] });
    const ends = specOf(image, { command: ['sh', '-c', 'sleep 0.3; exit 5'] });
    for (const spec of [lives, ends]) {
      await runtime.openTask({ taskId: spec.taskId, cpuUnits: 0, memoryMiB: 0 });
      await runtime.launch(spec);
    }
    await runtime.stop();
    process.kill(Number(readFileSync(places.pid, 'utf8')), 'SIGKILL');
    await systemClock.sleep(1_500);
    runtime = new ContainerdRuntime(parts);
    runtime.onExit((exit) => exits.set(exit.containerId, exit));
    await runtime.start();
    const known = new Map((await runtime.list()).map((container) => [container.containerId, container]));
    assert.equal(known.get(lives.id)?.status, 'running');
    assert.equal(known.get(ends.id)?.exit?.exitCode, 5);

    process.kill(Number(readFileSync(places.pid, 'utf8')), 'SIGKILL');
    await systemClock.sleep(1500);
    assert.equal((await runtime.list()).find(({ containerId }) => containerId === lives.id)?.status, 'running');
    await runtime.kill(lives.id, 'SIGKILL');
    assert.equal((await exitOf(lives.id)).exitCode, 137);
    for (const spec of [lives, ends]) await runtime.closeTask(spec.taskId, [spec.id]);
    const layout = layoutFrom(readFileSync('/proc/self/mounts', 'utf8'));
    for (const folder of foldersOf(layout, `/longshore-${instanceId}/${lives.taskId}`))
      assert.equal(existsSync(folder), false, folder);
  });
});
