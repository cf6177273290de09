import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { awsClient } from './aws-client.ts';
import { readConnection } from './data-dir.ts';
import { isAlive, readRecord } from './processes.ts';

const door = fileURLToPath(import.meta.resolve('../../bin/longshore.mjs'));
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('LONGSHORE_') && name !== 'NODE_TEST_CONTEXT'),
);

function run(...args: string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [door, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    env: environment,
  });
  return { status, out: stdout, err: stderr };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a simulated Longshore, and answers when it says that it runs. */
async function start(dataDir: string, port: number): Promise<ChildProcess> {
  const args = ['up', '--json', '--runtime', 'simulated', '--data-dir', dataDir, '--port', String(port)];
  const child = spawn(process.execPath, [door, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const ready = await new Promise<boolean>((resolve) => {
    const bound = setTimeout(() => resolve(false), 20_000);
    child.stdout?.once('data', () => resolve(true));
    child.once('exit', () => resolve(false));
    child.once('exit', () => clearTimeout(bound));
    child.stdout?.once('data', () => clearTimeout(bound));
  });
  if (!ready) {
    child.kill('SIGKILL');
    assert.fail(`longshore up did not start: ${said}`);
  }
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = await exited;
  return code;
}

test('help names every command, and each has help with examples', () => {
  const { status, out } = run('--help');
  assert.equal(status, 0);
  const commands = [
    'up',
    'down',
    'node',
    'deploy',
    'status',
    'images',
    'scan',
    'advisories',
    'events',
    'env',
    'doctor',
  ];
  for (const command of commands) {
    assert.match(out, new RegExp(`^  ${command} `, 'm'));
    const help = run(command, '--help');
    assert.equal(help.status, 0);
    assert.match(help.out, /Examples:/);
    const wide = help.out.split('\n').filter((line) => line.length > 100);
    assert.deepEqual(wide, []);
  }
});

test('what is not there is said in plain words, without a stack', () => {
  const unknown = run('deplooy');
  assert.equal(unknown.status, 1);
  assert.match(unknown.err, /unknown command 'deplooy'\n\(Did you mean deploy\?\)/);
  const nowhere = run('env', '--data-dir', '/nonexistent/longshore');
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /No Longshore has been started on \/nonexistent\/longshore/);
  assert.doesNotMatch(nowhere.err, /\n\s+at /);
  const open = run('up', '--auth', 'off', '--host', '0.0.0.0', '--data-dir', '/nonexistent/longshore');
  assert.equal(open.status, 1);
  assert.match(open.err, /loopback only/);
});

test('doctor looks at the machine though the data directory can not be read', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'longshore-doctor-'));
  try {
    writeFileSync(join(dataDir, 'settings.json'), '{');
    const { checks } = JSON.parse(run('doctor', '--json', '--data-dir', dataDir).out) as {
      checks: { name: string; state: string; detail: string }[];
    };
    assert.ok(checks.some(({ name }) => name === 'disk space'));
    const directory = checks.find(({ name }) => name === 'data directory');
    assert.equal(directory?.state, 'warn');
    assert.match(directory.detail, /settings\.json can't be read/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

describe('a simulated Longshore', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'longshore-up-'));
  let port = 0;
  let child: ChildProcess;

  before(async () => {
    port = await freePort();
    child = await start(dataDir, port);
  });
  after(async () => {
    await end(child, 'SIGKILL');
    run('down', '--data', '--data-dir', dataDir);
    rmSync(dataDir, { recursive: true, force: true });
  });

  test('answers signed calls with the credentials that env prints, which only their owner can read', async () => {
    assert.equal(statSync(join(dataDir, 'credentials.json')).mode & 0o777, 0o600);
    const { out } = run('env', '--data-dir', dataDir);
    assert.match(out, new RegExp(`^export AWS_ENDPOINT_URL='http://127\\.0\\.0\\.1:${port}'$`, 'm'));
    assert.match(out, /^unset .*AWS_PROFILE/m);
    const identity = await awsClient(readConnection(dataDir)).call<{ Arn: string }>('sts', 'GetCallerIdentity');
    assert.equal(identity.Arn, 'arn:aws:iam::000000000000:root');
  });

  test('status shows it in words and as data', () => {
    const words = run('status', '--data-dir', dataDir);
    assert.equal(words.status, 0, words.err);
    assert.match(words.out, new RegExp(`http://127\\.0\\.0\\.1:${port}`));
    const data = run('status', '--json', '--data-dir', dataDir);
    assert.deepEqual(Object.keys(JSON.parse(data.out)).sort(), ['balancers', 'clusters', 'nodes']);
  });

  test('a second one on the same directory, and one on the same port, are refused with the holder’s name', () => {
    const directory = run('up', '--runtime', 'simulated', '--data-dir', dataDir, '--port', '0');
    assert.equal(directory.status, 1);
    assert.match(directory.err, new RegExp(`${dataDir} is already in use by another Longshore \\(pid ${child.pid}\\)`));
    const other = mkdtempSync(join(tmpdir(), 'longshore-up-'));
    try {
      const taken = run('up', '--runtime', 'simulated', '--data-dir', other, '--port', String(port));
      assert.equal(taken.status, 1);
      assert.match(taken.err, new RegExp(`Port ${port} is taken by .*\\(pid ${child.pid}\\)`));
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test('killed outright, it takes its node process with it, and starts again where it was', async () => {
    const before = readFileSync(join(dataDir, 'credentials.json'), 'utf8');
    const node = readRecord(join(dataDir, 'node.pid'));
    assert.ok(node);
    await end(child, 'SIGKILL');
    child = await start(dataDir, port);
    assert.equal(readFileSync(join(dataDir, 'credentials.json'), 'utf8'), before);
    assert.notEqual(readRecord(join(dataDir, 'node.pid'))?.pid, node.pid);
    assert.equal(isAlive(node), false);
  });

  test('SIGTERM ends both processes in good order; down with --data leaves nothing', async () => {
    const node = readRecord(join(dataDir, 'node.pid'));
    assert.ok(node);
    assert.equal(await end(child, 'SIGTERM'), 0);
    assert.equal(isAlive(node), false);
    assert.equal(existsSync(join(dataDir, 'up.pid')), false);
    const down = run('down', '--data', '--data-dir', dataDir);
    assert.equal(down.status, 0, down.err);
    assert.equal(existsSync(dataDir), false);
    assert.match(run('down', '--data-dir', dataDir).out, /Nothing to remove/);
  });
});
