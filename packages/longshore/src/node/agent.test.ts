import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { destroyNode, startNode } from './agent.ts';
import { TestControlPlane } from './testing/control-plane.testing.ts';

test('a simulated node runs tasks, attaches interfaces and tells of healthy targets, without privileges', async () => {
  const plane = await TestControlPlane.open();
  const stateDir = mkdtempSync(join(tmpdir(), 'longshore-simulated-'));
  const settings = {
    endpoint: plane.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    cluster: 'longshore-fargate',
    stateDir,
    instanceId: systemRandom.hex(4),
    runtime: 'simulated' as const,
    publicPool: '100.64.0.0/16',
  };
  const node = await startNode(settings, silentLogger, systemClock, systemRandom);
  try {
    await plane.connected();
    const eni = { interfaceId: 'eni-1', subnetId: 's', macAddress: '', privateAddress: '10.0.0.7', groupIds: [] };
    const vpc = { vpcId: 'v', cidrBlocks: [], subnets: [], securityGroups: [], interfaces: [eni] };
    plane.send('LongshoreDocumentMessage', { messageId: 'n', kind: 'networks', version: 1, document: { vpcs: [vpc] } });
    const group = { arn: 'tg', targets: [{ id: '10.0.0.7', port: 80, draining: false }] };
    const balancer = { arn: 'lb', targetGroups: [group] };
    plane.send('LongshoreDocumentMessage', {
      ...{ messageId: 'l', kind: 'load-balancers', version: 1 },
      document: { loadBalancers: [balancer] },
    });
    const order = (name: string, image: string, command: string[]) => {
      const arn = `arn:aws:ecs:us-east-1:000000000000:task/c/${systemRandom.hex(32)}`;
      plane.order({
        ...{
          arn,
          taskClusterArn: 'c',
          desiredStatus: 'RUNNING',
          family: 'f',
          version: '1',
          taskDefinitionAccountId: '0',
        },
        ...{ launchType: 'FARGATE', networkMode: 'awsvpc' },
        elasticNetworkInterfaces: [
          {
            ...{
              attachmentArn: 'a',
              ec2Id: 'eni-1',
              macAddress: '',
              index: 0,
              subnetGatewayIpv4Address: '10.0.0.1/24',
            },
            ...{
              ipv4Addresses: [{ primary: true, privateAddress: '10.0.0.7' }],
              domainName: [],
              domainNameServers: [],
            },
            privateDnsName: 'ip-10-0-0-7.ec2.internal',
          },
        ],
        containers: [{ name, image, cpu: 0, memory: 0, command, essential: true, dockerConfig: {}, containerArn: '' }],
      });
      return arn;
    };
    const states = () =>
      plane.messages
        .filter(({ type }) => type === 'LongshoreObservation')
        .flatMap(({ message }) => message.loadBalancers as { targets: { state: string }[] }[])
        .flatMap(({ targets }) => targets.map(({ state }) => state));
    await plane.until('unhealthy', () => states().at(-1) === 'unhealthy');
    const missing = order('app', 'app:missing', []);
    assert.match((await plane.status(missing, 'STOPPED')).reason ?? '', /^CannotPullContainerError: .*not found$/);
    const short = order('app', 'app:v1', ['sleep', '0.3']);
    await plane.status(short, 'RUNNING');
    await plane.until('healthy', () => states().at(-1) === 'healthy');
    assert.equal((await plane.status(short, 'STOPPED')).containers[0]!.exitCode, 0);
    await plane.until('unhealthy again', () => states().at(-1) === 'unhealthy');
  } finally {
    await node.stop();
    await destroyNode(settings, silentLogger);
    await plane.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
});
