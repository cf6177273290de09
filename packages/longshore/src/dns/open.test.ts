import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { Networks } from '../node/network/networks.ts';
import { openNetworks } from '../node/network/open.ts';
import type { NodeSettings } from '../node/settings.ts';
import type { Names } from './names.ts';
import { openNames } from './open.ts';

const run = promisify(execFile);
const settings: NodeSettings = {
  endpoint: 'http://127.0.0.1:1',
  region: 'us-east-1',
  credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
  cluster: 'test',
  stateDir: '/nonexistent',
  instanceId: systemRandom.hex(4),
  runtime: 'containerd',
  publicPool: '100.69.0.0/24',
};
const log = openLogger('error');
let networks: Networks;
let names: Names;
let namespacePath: string;

before(async () => {
  networks = openNetworks(settings, log);
  await networks.start();
  names = openNames(settings, networks, log);
  await names.start();
  await networks.apply({
    vpcs: [
      {
        vpcId: 'vpc-dns',
        cidrBlocks: ['172.31.0.0/16'],
        // No way to the internet and no rules at all: the resolver is reached all the same.
        subnets: [{ subnetId: 'subnet-1', cidrBlock: '172.31.0.0/20', internet: 'none' }],
        securityGroups: [{ groupId: 'sg-none', ingress: [], egress: [] }],
        interfaces: [
          {
            interfaceId: 'eni-dns',
            subnetId: 'subnet-1',
            macAddress: '02:00:00:00:02:01',
            privateAddress: '172.31.0.9',
            groupIds: ['sg-none'],
          },
        ],
      },
    ],
  });
  names.apply({
    records: [
      { name: 'Web.us-east-1.elb.localhost', type: 'A', ttlSeconds: 60, addresses: ['100.69.0.5'] },
      {
        name: 'many.test',
        type: 'A',
        ttlSeconds: 5,
        addresses: Array.from({ length: 60 }, (_, index) => `10.0.0.${index + 1}`),
      },
    ],
  });
  ({ namespacePath } = await networks.attach('eni-dns', 2_000));
});
after(async () => {
  await names.stop();
  await networks.destroy();
});

/** Asks from the task's namespace with Node's own resolver (c-ares), at the address that tasks have in resolv.conf. */
async function ask(code: string): Promise<unknown> {
  const source = `const { Resolver } = require('node:dns').promises;
    const resolver = new Resolver({ timeout: 3000, tries: 1 });
    resolver.setServers(['169.254.169.253']);
    (async () => { ${code} })().catch((error) => error.code).then((answer) => console.log(JSON.stringify(answer)));`;
  const { stdout } = await run('nsenter', [`--net=${namespacePath}`, process.execPath, '-e', source]);
  return JSON.parse(stdout);
}

test('a task resolves our names, without regard to case', async () => {
  assert.deepEqual(await ask(`return resolver.resolve4('web.us-EAST-1.elb.localhost', { ttl: true })`), [
    { address: '100.69.0.5', ttl: 60 },
  ]);
});

test('an answer that is too long for UDP comes by TCP', async () => {
  assert.equal(((await ask(`return resolver.resolve4('many.test')`)) as string[]).length, 60);
});

test('a name of ours has no other records; a load balancer that is not ours does not exist', async () => {
  assert.equal(await ask(`return resolver.resolve6('web.us-east-1.elb.localhost')`), 'ENODATA');
  assert.equal(await ask(`return resolver.resolve4('other.us-east-1.elb.localhost')`), 'ENOTFOUND');
});
