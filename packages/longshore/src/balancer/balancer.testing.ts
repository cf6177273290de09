import { type ChildProcess, spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { systemRandom } from '../base/random.ts';
import type { NodeSettings } from '../node/settings.ts';
import type {
  HealthCheckDocument,
  InterfaceDocument,
  LoadBalancerDocument,
  NetworksDocument,
  RuleDocument,
  TargetDocument,
} from '../protocol/documents.ts';

/** Parts of the balancer's tests: one VPC with a load balancer and web servers, all real. */
export const instanceId = process.env.TEST_INSTANCE ?? systemRandom.hex(4);
const third = Number.parseInt(instanceId.slice(0, 2), 16);
export const publicAddress = `100.67.${third}.7`;
export const listenerPort = 20_000 + (Number.parseInt(instanceId, 16) % 10_000);
export const settings: NodeSettings = {
  endpoint: 'http://127.0.0.1:1',
  region: 'us-east-1',
  credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
  cluster: 'test',
  stateDir: '/nonexistent',
  instanceId,
  runtime: 'containerd',
  publicPool: `100.67.${third}.0/24`,
};

export const targetAddress = (index: number): string => `10.0.0.${20 + index}`;
const eni = (name: string, last: number, groupIds: string[]): InterfaceDocument => ({
  interfaceId: `eni-${name}`,
  subnetId: 'subnet-1',
  macAddress: `02:00:00:00:01:${last.toString(16).padStart(2, '0')}`,
  privateAddress: `10.0.0.${last}`,
  groupIds,
});

/** `open`: whether the targets' group lets the load balancer in. */
export const networksDocument = (open = true): NetworksDocument => ({
  vpcs: [
    {
      vpcId: 'vpc-lb',
      cidrBlocks: ['10.0.0.0/16'],
      subnets: [{ subnetId: 'subnet-1', cidrBlock: '10.0.0.0/20', internet: 'gateway' }],
      securityGroups: [
        {
          groupId: 'sg-lb',
          ingress: [{ protocol: 'tcp', from: listenerPort, to: listenerPort, peer: { cidr: '0.0.0.0/0' } }],
          egress: [{ protocol: 'all', peer: { cidr: '0.0.0.0/0' } }],
        },
        {
          groupId: 'sg-app',
          ingress: open ? [{ protocol: 'tcp', from: 8080, to: 8080, peer: { groupId: 'sg-lb' } }] : [],
          egress: [],
        },
      ],
      interfaces: [
        { ...eni('lb', 10, ['sg-lb']), publicAddress },
        ...Array.from({ length: 6 }, (_, index) => eni(`t${index}`, 20 + index, ['sg-app'])),
      ],
    },
  ],
});

export const healthCheck: HealthCheckDocument = {
  enabled: true,
  protocol: 'HTTP',
  port: 'traffic-port',
  path: '/health',
  intervalSeconds: 5,
  timeoutSeconds: 2,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
  matcher: '200',
};
export const target = (index: number, draining = false): TargetDocument => ({
  id: targetAddress(index),
  port: 8080,
  draining,
});
export const dnsName = `web-${instanceId}.us-east-1.elb.localhost`;
export const forward: RuleDocument = {
  arn: 'rule/default',
  conditions: [],
  action: { type: 'forward', targetGroups: [{ arn: 'tg/web', weight: 1 }] },
};
export const loadBalancer = (
  targets: readonly TargetDocument[],
  rules: readonly RuleDocument[] = [forward],
  check: Partial<HealthCheckDocument> = {},
): LoadBalancerDocument => ({
  arn: 'lb/web',
  name: 'web',
  type: 'application',
  dnsName,
  scheme: 'internet-facing',
  vpcId: 'vpc-lb',
  interfaceIds: ['eni-lb'],
  attributes: {},
  listeners: [{ arn: 'listener/web', port: listenerPort, protocol: 'HTTP', rules }],
  targetGroups: [
    {
      arn: 'tg/web',
      protocol: 'HTTP',
      protocolVersion: 'HTTP1',
      attributes: { 'deregistration_delay.timeout_seconds': '5' },
      healthCheck: { ...healthCheck, ...check },
      targets,
    },
  ],
});

/** A web server in a namespace: answers its name and what it was sent; `/slow` after a second; `/health` with `status`. */
export function webServer(namespacePath: string, name: string, status = 200): ChildProcess {
  const source = `require('node:http').createServer((q, a) => {
    if (q.url === '/health') return a.writeHead(${status}).end();
    const say = () => a.end(JSON.stringify({ name: ${JSON.stringify(name)}, url: q.url, headers: q.headers }));
    q.url === '/slow' ? setTimeout(say, 1000) : say();
  }).listen(8080)`;
  return spawn('nsenter', [`--net=${namespacePath}`, process.execPath, '-e', source], { stdio: 'ignore' });
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

export function get(url: string, options: { agent?: Agent; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`${url} timed out`)));
    sent.on('error', reject).end();
  });
}

/** A small steady load with connections that are kept; ends with how many requests there were and what went wrong. */
export function load(url: string): { end(): Promise<{ requests: number; failures: string[] }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 6 });
  const failures: string[] = [];
  let requests = 0;
  let on = true;
  const one = async (): Promise<void> => {
    while (on) {
      requests += 1;
      try {
        const { status } = await get(url, { agent });
        if (status !== 200) failures.push(`status ${status}`);
      } catch (error) {
        failures.push((error as Error).message);
      }
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  };
  const all = Promise.all(Array.from({ length: 6 }, one));
  return {
    async end() {
      on = false;
      await all;
      agent.destroy();
      return { requests, failures };
    },
  };
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 8_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
