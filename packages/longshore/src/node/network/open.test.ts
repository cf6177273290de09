import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openLogger } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import type { InterfaceDocument, SecurityRule, VpcDocument } from '../../protocol/documents.ts';
import type { NodeSettings } from '../settings.ts';
import type { AttachedInterface, Networks } from './networks.ts';
import { openNetworks } from './open.ts';

const run = promisify(execFile);
const instanceId = systemRandom.hex(4);
const third = Number.parseInt(systemRandom.hex(2), 16) % 128;
const publicAddress = (last: number): string => `100.66.${third}.${last}`;
const settings: NodeSettings = {
  endpoint: 'http://127.0.0.1:1',
  region: 'us-east-1',
  credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
  cluster: 'test',
  stateDir: '/nonexistent',
  instanceId,
  runtime: 'containerd',
  publicPool: `100.66.${third}.0/24`,
};
const log = openLogger('warn');
const children: ChildProcess[] = [];
let networks: Networks;
let folder: string;

const everywhere = { cidr: '0.0.0.0/0' };
const all = (peer: SecurityRule['peer']): SecurityRule => ({ protocol: 'all', peer });
const tcp = (port: number, peer: SecurityRule['peer']): SecurityRule => ({
  protocol: 'tcp',
  from: port,
  to: port,
  peer,
});
const eni = (
  name: string,
  last: number,
  groupIds: string[],
  more: Partial<InterfaceDocument> = {},
): InterfaceDocument => ({
  interfaceId: `eni-${name}`,
  subnetId: 'subnet-1',
  macAddress: `02:00:00:00:00:${last.toString(16).padStart(2, '0')}`,
  privateAddress: `172.31.0.${last}`,
  groupIds,
  ...more,
});
const vpc = (name: string, interfaces: InterfaceDocument[], webRules: SecurityRule[]): VpcDocument => ({
  vpcId: `vpc-${name}`,
  cidrBlocks: ['172.31.0.0/16'],
  subnets: [
    { subnetId: 'subnet-1', cidrBlock: '172.31.0.0/20', internet: 'gateway' },
    { subnetId: 'subnet-2', cidrBlock: '172.31.16.0/20', internet: 'none' },
  ],
  securityGroups: [
    { groupId: 'sg-web', ingress: webRules, egress: [all(everywhere)] },
    { groupId: 'sg-client', ingress: [], egress: [all(everywhere)] },
    { groupId: 'sg-mute', ingress: [], egress: [] },
  ],
  interfaces,
});
const web = eni('a1', 10, ['sg-web'], { publicAddress: publicAddress(7) });
const client = eni('a2', 11, ['sg-client']);
const mute = eni('a3', 12, ['sg-mute']);
const other = eni('b1', 10, ['sg-web'], { publicAddress: publicAddress(8) });
const document = (webRules: SecurityRule[]) => ({
  vpcs: [vpc('aaa', [web, client, mute], webRules), vpc('bbb', [other], [tcp(80, everywhere)])],
});

const attach = (one: InterfaceDocument): Promise<AttachedInterface> => networks.attach(one.interfaceId, 10_000);
const path = (one: InterfaceDocument): string => `/run/netns/ls-${instanceId}-${one.interfaceId}`;
async function serve(one: InterfaceDocument, text: string): Promise<void> {
  const root = join(folder, one.interfaceId);
  await run('mkdir', [root]);
  await writeFile(join(root, 'index.html'), text);
  const args = [`--net=${path(one)}`, 'busybox', 'httpd', '-f', '-p', '80', '-h', root];
  children.push(spawn('nsenter', args, { stdio: 'ignore' }));
}
/** What a GET from a namespace (or the host) answers; `refused` where nothing comes back in that many seconds. */
async function get(from: InterfaceDocument | 'host', address: string, seconds = 5): Promise<string> {
  const fetch = ['-sS', '-m', String(seconds), `http://${address}/`];
  for (let tries = 0; ; tries += 1) {
    try {
      const { stdout } = await (from === 'host'
        ? run('curl', fetch)
        : run('nsenter', [`--net=${path(from)}`, 'curl', ...fetch]));
      return stdout;
    } catch (error) {
      // A server that has only just been started may not listen yet.
      if (!String(error).includes('refused') || tries > 20) return 'refused';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-networks-'));
  networks = openNetworks(settings, log);
  await networks.start();
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await networks.stop();
  await openNetworks(settings, log).destroy();
  await rm(folder, { recursive: true, force: true });
  const { stdout } = await run('sh', ['-c', `ip netns; ip link; nft list tables; ls /run/longshore/links; ip route`]);
  assert.ok(
    !stdout.includes(`ls-${instanceId}`) &&
      !stdout.includes(`ls${instanceId}`) &&
      !stdout.includes(`longshore-${instanceId}`),
  );
});

test('an interface that no document describes is refused in plain words', async () => {
  await assert.rejects(networks.attach('eni-none', 50), /ContainerNetworkingError: .*eni-none was not described/);
});

test('two VPCs with the same private address are both reached by their public addresses', async () => {
  const waiting = attach(web);
  await networks.apply(document([tcp(80, everywhere)]));
  const [first] = await Promise.all([waiting, attach(client), attach(mute), attach(other)]);
  assert.deepEqual(first, {
    interfaceId: 'eni-a1',
    namespacePath: path(web),
    privateAddress: '172.31.0.10',
    publicAddress: publicAddress(7),
  });
  await serve(web, 'one');
  await serve(other, 'two');
  assert.equal(await get('host', publicAddress(7)), 'one');
  assert.equal(await get('host', publicAddress(8)), 'two');
  // From one VPC to the public address of the other, through both routers.
  assert.equal(await get(web, publicAddress(8)), 'two');
  const { stdout } = await run('nsenter', [
    `--net=${path(web)}`,
    'sh',
    '-c',
    'ip -br link show eth0 | grep -o 02:00:00:00:00:0a; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ip route',
  ]);
  assert.equal(stdout.replace(/ +\n/g, '\n'), '02:00:00:00:00:0a\n0\ndefault via 169.254.1.1 dev eth0 onlink\n');
});

test('security groups filter: allowed, denied, by group, changed, revoked', async () => {
  assert.equal(await get(client, web.privateAddress), 'one');
  assert.equal(await get(mute, web.privateAddress, 1), 'refused', 'no egress rule allows it');
  await networks.apply(document([]));
  assert.equal(await get(client, web.privateAddress, 1), 'refused', 'revoked');
  await networks.apply(document([tcp(80, { groupId: 'sg-client' })]));
  assert.equal(await get(client, web.privateAddress), 'one', 'by group');
  assert.equal(await get('host', publicAddress(7), 1), 'refused', 'not a member');
  await networks.apply(document([tcp(81, everywhere)]));
  assert.equal(await get(client, web.privateAddress, 1), 'refused', 'other port');
  await networks.apply(document([tcp(80, { cidr: '172.31.0.11/32' })]));
  assert.equal(await get(client, web.privateAddress), 'one', 'by range');
});

test('an address that is not the interface’s own gets nowhere', async () => {
  await networks.apply(document([tcp(80, everywhere)]));
  await run('ip', ['-n', `ls-${instanceId}-eni-a2`, 'addr', 'add', '172.31.0.99/32', 'dev', 'eth0']);
  const args = [
    `--net=${path(client)}`,
    'python3',
    '-c',
    `import socket; socket.create_connection(('172.31.0.10', 80), 0.5, ('172.31.0.99', 0))`,
  ];
  await assert.rejects(run('nsenter', args), /timed out/);
});

test('an established connection outlives a new process and its first document', async () => {
  const script = `import socket,sys
s=socket.create_connection(('172.31.0.10',80),5); print('up',flush=True); sys.stdin.readline()
s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); d=b''
while True:
  x=s.recv(999)
  if not x: break
  d+=x
print(d.decode().split()[-1])`;
  const child = spawn('nsenter', [`--net=${path(client)}`, 'python3', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  while (!output.endsWith('\n') && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(output, 'up\n');
  await networks.stop();
  networks = openNetworks(settings, log);
  await networks.start();
  const found = (await networks.attached()).map((one) => one.interfaceId).sort();
  assert.deepEqual(found, ['eni-a1', 'eni-a2', 'eni-a3', 'eni-b1']);
  await networks.apply(document([]));
  child.stdin.end('\n');
  await new Promise((resolve) => child.on('close', resolve));
  assert.equal(output, 'up\none\n');
  assert.equal(await get(client, web.privateAddress, 1), 'refused', 'the first document was applied');
});

test('attaching and detaching are quick, many at once too, and leave nothing', async (context) => {
  const many = Array.from({ length: 50 }, (_, index) => eni(`c${index}`, 100 + index, ['sg-web']));
  await networks.apply({ vpcs: [vpc('aaa', [web, client, mute, ...many], []), vpc('bbb', [other], [])] });
  const alone: number[] = [];
  for (const one of many.slice(0, 9)) {
    const start = performance.now();
    await attach(one);
    alone.push(performance.now() - start);
  }
  const all = performance.now();
  await Promise.all(many.map(attach));
  const together = performance.now() - all;
  const end = performance.now();
  await Promise.all(many.map((one) => networks.detach(one.interfaceId)));
  const median = alone.sort((a, b) => a - b)[4] ?? 0;
  context.diagnostic(
    `attach ${median.toFixed(1)} ms; 41 at once ${together.toFixed(0)} ms; 50 detached ${(performance.now() - end).toFixed(0)} ms`,
  );
  assert.ok(median < 1000, `${median} ms`);
  assert.equal((await networks.attached()).length, 4);
  await Promise.all([attach(many[0]!), networks.detach(many[0]!.interfaceId)]);
  assert.equal((await networks.attached()).length, 4);
});

test('a VPC that is gone from the document goes when its last interface is detached', async () => {
  await networks.apply({ vpcs: [] });
  const router = `ls-${instanceId}-vpc-bbb`;
  assert.ok((await run('ip', ['netns'])).stdout.includes(router));
  await networks.detach('eni-b1');
  assert.ok(!(await run('ip', ['netns'])).stdout.includes(router));
});
