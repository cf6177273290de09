import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { openLogger } from '../base/log.ts';
import type { Networks } from '../node/network/networks.ts';
import { openNetworks } from '../node/network/open.ts';
import type { LoadBalancerDocument, LoadBalancerObservation, TargetDocument } from '../protocol/documents.ts';
import * as rig from './balancer.testing.ts';
import type { Balancer } from './balancer.ts';
import { openBalancer } from './open.ts';

const run = promisify(execFile);
const log = openLogger(process.env.TEST_LOG ?? 'error');
const url = `http://${rig.publicAddress}:${rig.listenerPort}`;
const servers: ChildProcess[] = [];
let networks: Networks;
let balancer: Balancer;
let seen: readonly LoadBalancerObservation[] = [];

const open = async (): Promise<void> => {
  networks = openNetworks(rig.settings, log);
  await networks.start();
  await networks.apply(rig.networksDocument());
  balancer = openBalancer(rig.settings, networks, log, systemClock);
  await balancer.start();
  balancer.onObservation((observations) => {
    seen = observations;
  });
};
const apply = (document: LoadBalancerDocument): Promise<void> => balancer.apply({ loadBalancers: [document] });
const state = (index: number): string | undefined =>
  seen[0]?.targets.find(({ id }) => id === rig.targetAddress(index))?.state;
const healthy = (...indexes: number[]): Promise<void> =>
  rig.until(`${indexes} healthy`, () => indexes.every((index) => state(index) === 'healthy'));
const start = async (index: number, status = 200): Promise<ChildProcess> => {
  const { namespacePath } = await networks.attach(`eni-t${index}`, 2_000);
  const server = rig.webServer(namespacePath, `t${index}`, status);
  servers.push(server);
  return server;
};
const masterPid = (): number => {
  const root = `/run/longshore/${rig.instanceId}`;
  const folder = readdirSync(root).find((name) => name.startsWith('lb-'));
  return JSON.parse(readFileSync(`${root}/${folder}/process.json`, 'utf8')).pid;
};

before(open);
after(async () => {
  for (const server of servers) server.kill('SIGKILL');
  await balancer.destroy();
  await networks.destroy();
  assert.ok(!existsSync(`/run/longshore/${rig.instanceId}`));
  assert.ok(!existsSync(`/run/longshore/front-door/members/${rig.instanceId}.json`));
});

test('a load balancer without targets answers 503 as ALB does', async () => {
  await apply(rig.loadBalancer([]));
  assert.equal(seen[0]?.error, undefined);
  assert.equal(seen[0]?.state, 'active');
  const answer = await rig.get(url);
  assert.equal(answer.status, 503);
  assert.match(answer.body, /503 Service Temporarily Unavailable/);
});

test('a new target is healthy after its first check and gets requests with the headers of ALB', async () => {
  await Promise.all([start(0), start(1)]);
  await apply(rig.loadBalancer([rig.target(0), rig.target(1)]));
  await healthy(0, 1);
  const names = new Set<string>();
  for (let count = 0; count < 6; count += 1) names.add(JSON.parse((await rig.get(url)).body).name);
  assert.deepEqual([...names].sort(), ['t0', 't1']);
  const { headers } = JSON.parse((await rig.get(url, { headers: { 'X-Forwarded-For': '203.0.113.9' } })).body);
  assert.match(headers['x-forwarded-for'], /^203\.0\.113\.9, 169\.254\.[0-9.]+$/);
  assert.equal(headers['x-forwarded-port'], String(rig.listenerPort));
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.match(headers['x-amzn-trace-id'], /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
});

test('its name works on this machine through the front door, which passes the client on', async () => {
  for (const family of ['-4', '-6']) {
    const { stdout } = await run('curl', [family, '-sS', '-m', '3', `http://${rig.dnsName}:${rig.listenerPort}/x`]);
    const { url: path, headers } = JSON.parse(stdout);
    assert.equal(path, '/x');
    assert.match(headers['x-forwarded-for'], /^(::ffff:)?(127\.0\.0\.1|::1)$/);
  }
  const { stdout } = await run('curl', [
    '-sS',
    '-H',
    'Host: nobody.elb.localhost',
    `http://127.0.0.1:${rig.listenerPort}/`,
  ]);
  assert.match(stdout, /No load balancer has this name/);
});

test('rules: path, host, header, query, fixed response, redirect, weights', async () => {
  const fixed = (arn: string, conditions: object[], body: string): object => ({
    arn,
    conditions,
    action: { type: 'fixed-response', status: 200, contentType: 'text/plain', body },
  });
  const rules = [
    fixed('r1', [{ field: 'path-pattern', values: ['/p/*/e?d'] }], 'it\'s %[src] "path"'),
    fixed('r2', [{ field: 'host-header', values: ['*.Example.com'] }], 'host'),
    fixed('r3', [{ field: 'http-header', name: 'X-Kind', values: ['be*a'] }], 'header'),
    fixed('r4', [{ field: 'query-string', values: [{ key: 'k', value: 'v*' }, { value: 'lone' }] }], 'query'),
    fixed(
      'r5',
      [
        { field: 'http-request-method', values: ['GET'] },
        { field: 'source-ip', values: ['203.0.113.0/24'] },
      ],
      'never',
    ),
    {
      arn: 'r6',
      conditions: [{ field: 'path-pattern', values: ['/old/*'] }],
      action: {
        type: 'redirect',
        status: 301,
        protocol: 'HTTPS',
        host: '#{host}',
        port: '443',
        path: '/new/#{path}',
        query: '#{query}',
      },
    },
    rig.forward,
  ] as never;
  await apply(rig.loadBalancer([rig.target(0)], rules));
  const body = async (path: string, headers?: Record<string, string>) =>
    (await rig.get(`${url}${path}`, headers ? { headers } : {})).body;
  assert.equal(await body('/p/x/end'), 'it\'s %[src] "path"');
  assert.match(await body('/P/x/end'), /"name"/);
  assert.equal(await body('/', { host: 'A.example.com:80' }), 'host');
  assert.equal(await body('/', { 'x-kind': 'BETA' }), 'header');
  assert.equal(await body('/?a=1&k=vv'), 'query');
  assert.equal(await body('/?z=lone'), 'query');
  assert.match(await body('/?z=lonely'), /"name"/);
  const moved = await rig.get(`${url}/old/a?b=c`, { headers: { host: 'x.test' } });
  assert.equal(`${moved.status} ${moved.headers.location}`, '301 https://x.test:443/new/old/a?b=c');
});

test('the Host header and header names come as the attributes say', async () => {
  const sent = { headers: { host: 'shop.test', X_odd: '1' } };
  const headers = async (attributes: Record<string, string>) => {
    await apply({ ...rig.loadBalancer([rig.target(0)]), attributes });
    return JSON.parse((await rig.get(url, sent)).body).headers;
  };
  const usual = await headers({});
  assert.deepEqual([usual.host, usual.x_odd], [`shop.test:${rig.listenerPort}`, '1']);
  const set = await headers({
    'routing.http.preserve_host_header.enabled': 'true',
    'routing.http.drop_invalid_header_fields.enabled': 'true',
  });
  assert.deepEqual([set.host, set.x_odd, set['x-forwarded-proto']], ['shop.test', undefined, 'http']);
});

test('a network load balancer is refused in plain words', async () => {
  const network: LoadBalancerDocument = {
    ...rig.loadBalancer([rig.target(0)]),
    arn: 'lb/net',
    type: 'network',
    interfaceIds: ['eni-t5'],
  };
  await balancer.apply({ loadBalancers: [rig.loadBalancer([rig.target(0)]), network] });
  const { state: told, error } = seen.find(({ arn }) => arn === 'lb/net')!;
  assert.equal(told, 'failed');
  assert.equal(error, 'Load balancer lb/net is not served: its type, network, is not supported yet.');
});

test('a connection that idled through a reload meets the new rules and servers', async () => {
  await apply(rig.loadBalancer([rig.target(0)]));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const first = JSON.parse((await rig.get(url, { agent })).body);
    assert.equal(first.name, 't0');
    const gone = {
      arn: 'r',
      conditions: [{ field: 'path-pattern', values: ['/gone'] }],
      action: { type: 'fixed-response', status: 410 },
    };
    await apply(rig.loadBalancer([rig.target(1)], [gone, rig.forward] as never));
    await healthy(1);
    const { headers, name } = JSON.parse((await rig.get(url, { agent })).body);
    assert.equal(name, 't1');
    assert.deepEqual(headers['x-forwarded-for'], first.headers['x-forwarded-for']);
    assert.equal((await rig.get(`${url}/gone`, { agent })).status, 410);
  } finally {
    agent.destroy();
  }
});

test('health tells AWS’s reasons, by checks that security groups really filter', async () => {
  await start(2, 503);
  await networks.attach('eni-t3', 2_000);
  const quick = { intervalSeconds: 0.3, timeoutSeconds: 0.3 };
  await apply(rig.loadBalancer([rig.target(0), rig.target(2), rig.target(3)], [rig.forward], quick));
  const told = (index: number) => {
    const { reason, description } = seen[0]!.targets.find(({ id }) => id === rig.targetAddress(index))!;
    return [reason, description];
  };
  await rig.until('both unhealthy', () => state(2) === 'unhealthy' && state(3) === 'unhealthy');
  // First checks may have come before the server listened, or taken too long on a busy machine.
  await rig.until(
    'reasons that stay',
    () => told(2)[0] === 'Target.ResponseCodeMismatch' && told(3)[0] === 'Target.FailedHealthChecks',
  );
  assert.deepEqual(told(2), ['Target.ResponseCodeMismatch', 'Health checks failed with these codes: [503]']);
  assert.deepEqual(told(3), ['Target.FailedHealthChecks', 'Health checks failed']);
  assert.equal(JSON.parse((await rig.get(url)).body).name, 't0', 'only the healthy one serves');
  await networks.apply(rig.networksDocument(false));
  await rig.until('t0 out of reach', () => state(0) === 'unhealthy');
  assert.deepEqual(told(0), ['Target.Timeout', 'Request timed out']);
  await networks.apply(rig.networksDocument());
  await rig.until('t0 healthy again', () => state(0) === 'healthy');
});

test('no request is lost while targets come, drain and die and rules change', async () => {
  await apply(rig.loadBalancer([rig.target(0), rig.target(1)]));
  await healthy(0, 1);
  const traffic = rig.load(`http://${rig.dnsName}:${rig.listenerPort}/`);
  const slow = rig.get(`${url}/slow`);
  const processes = new Map<number, ChildProcess>();
  let members: TargetDocument[] = [rig.target(0), rig.target(1)];
  for (const [come, go] of [
    [4, 0],
    [5, 1],
  ] as const) {
    processes.set(come, await start(come));
    members = [...members, rig.target(come)];
    await apply(rig.loadBalancer(members));
    await healthy(come);
    members = members.map((one) => (one.id === rig.targetAddress(go) ? { ...one, draining: true } : one));
    await apply(rig.loadBalancer(members));
    await rig.until(`${go} drained`, () => state(go) === 'drained');
    members = members.filter((one) => one.id !== rig.targetAddress(go));
    await apply(rig.loadBalancer(members));
    servers[go]?.kill('SIGKILL');
    await apply(
      rig.loadBalancer(members, [
        { ...rig.forward, conditions: [{ field: 'path-pattern', values: [`/r${come}`] }] },
        rig.forward,
      ]),
    );
  }
  // One dies without a word.
  processes.get(4)?.kill('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await slow).status, 200);
  const { requests, failures } = await traffic.end();
  assert.deepEqual(failures, []);
  assert.ok(requests > 200, `${requests} requests`);
});

test('all unhealthy: it fails open', async () => {
  await apply(rig.loadBalancer([rig.target(5)], [rig.forward], { matcher: '418', intervalSeconds: 0.3 }));
  await rig.until('unhealthy', () => state(5) === 'unhealthy');
  assert.equal((await rig.get(url)).status, 200);
});

test('kill -9 of its keeper loses no request, and the next one takes the same HAProxy up', async () => {
  const document = rig.loadBalancer([rig.target(5)]);
  await apply(document);
  await balancer.stop();
  await networks.stop();
  const pid = masterPid();
  const source = `
    import { openNetworks } from '${import.meta.resolve('../node/network/open.ts')}';
    import { openBalancer } from '${import.meta.resolve('./open.ts')}';
    import { systemClock } from '${import.meta.resolve('../base/clock.ts')}';
    import { silentLogger } from '${import.meta.resolve('../base/log.ts')}';
    import * as rig from '${import.meta.resolve('./balancer.testing.ts')}';
    const networks = openNetworks(rig.settings, silentLogger);
    await networks.start();
    await networks.apply(rig.networksDocument());
    const balancer = openBalancer(rig.settings, networks, silentLogger, systemClock);
    await balancer.start();
    await balancer.apply({ loadBalancers: [rig.loadBalancer([rig.target(5)])] });
    console.log('serving');`;
  const keeper = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, TEST_INSTANCE: rig.instanceId },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const traffic = rig.load(`http://${rig.dnsName}:${rig.listenerPort}/`);
  await new Promise((resolve) => keeper.stdout.once('data', resolve));
  keeper.kill('SIGKILL');
  await new Promise((resolve) => keeper.once('close', resolve));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await open();
  await apply(document);
  assert.equal(state(5), 'healthy', 'who got requests goes on');
  const { failures } = await traffic.end();
  assert.deepEqual(failures, []);
  assert.equal(masterPid(), pid);
});

test('a HAProxy that dies is started again', async () => {
  process.kill(-masterPid(), 'SIGKILL');
  await rig.until('it serves again', async () => (await rig.get(url).catch(() => undefined))?.status === 200);
});

test('a port of this machine that another program holds is named, and the public address still serves', async () => {
  const port = rig.listenerPort + 10_000;
  const holder = createServer().listen(port, '127.0.0.1');
  try {
    const document = rig.loadBalancer([rig.target(5)]);
    await apply({ ...document, listeners: [...document.listeners, { ...document.listeners[0]!, port }] });
    await rig.until('told', () => seen[0]?.error !== undefined);
    assert.equal(seen[0]?.state, 'active');
    assert.match(seen[0]?.error ?? '', new RegExp(`port ${port} of this machine, which .*process ${process.pid}`));
    assert.equal((await rig.get(url)).status, 200);
  } finally {
    holder.close();
  }
});

test('a load balancer that is gone from the document is gone from the machine', async () => {
  const pid = masterPid();
  await balancer.apply({ loadBalancers: [] });
  assert.ok(!existsSync(`/proc/${pid}`));
  assert.ok(!(await networks.attached()).some(({ interfaceId }) => interfaceId === 'eni-lb'));
  assert.deepEqual(seen, []);
});
