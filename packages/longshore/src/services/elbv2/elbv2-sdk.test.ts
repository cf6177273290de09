import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTagsCommand,
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateRuleCommand,
  CreateTargetGroupCommand,
  DeleteListenerCommand,
  DeleteLoadBalancerCommand,
  DeleteTargetGroupCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  ModifyTargetGroupCommand,
  RegisterTargetsCommand,
  waitUntilLoadBalancerAvailable,
  waitUntilLoadBalancersDeleted,
  waitUntilTargetInService,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { startTestServer } from '../../wire/server.testing.ts';
import { openElbv2 } from './elbv2.testing.ts';

test('the genuine SDK takes a load balancer through its life', async () => {
  const bench = await openElbv2();
  const server = await startTestServer([bench.service.definition]);
  const client = new ElasticLoadBalancingV2Client(server.client);
  const wait = { client, maxWaitTime: 5, minDelay: 1, maxDelay: 1 };
  try {
    const { LoadBalancers = [] } = await client.send(
      new CreateLoadBalancerCommand({
        Name: 'web',
        Subnets: [...bench.subnetIds],
        Tags: [{ Key: 'env', Value: 'test' }],
      }),
    );
    const LoadBalancerArn = LoadBalancers[0]!.LoadBalancerArn!;
    assert.equal(LoadBalancers[0]!.AvailabilityZones?.length, 3);
    const { TargetGroups = [] } = await client.send(
      new CreateTargetGroupCommand({
        Name: 'web',
        Protocol: 'HTTP',
        Port: 80,
        VpcId: bench.vpcId,
        TargetType: 'ip',
        HealthCheckPath: '/health',
      }),
    );
    const TargetGroupArn = TargetGroups[0]!.TargetGroupArn!;
    assert.deepEqual(TargetGroups[0]!.Matcher, { HttpCode: '200' });
    const { Listeners = [] } = await client.send(
      new CreateListenerCommand({
        LoadBalancerArn,
        Protocol: 'HTTP',
        Port: 80,
        DefaultActions: [{ Type: 'forward', TargetGroupArn }],
      }),
    );
    const ListenerArn = Listeners[0]!.ListenerArn!;
    assert.equal(Listeners[0]!.DefaultActions?.[0]?.ForwardConfig?.TargetGroups?.[0]?.Weight, 1);
    await client.send(
      new CreateRuleCommand({
        ListenerArn,
        Priority: 10,
        Conditions: [{ Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'v', Value: '2' }] } }],
        Actions: [{ Type: 'redirect', RedirectConfig: { Host: 'example.com', StatusCode: 'HTTP_302' } }],
      }),
    );
    const { Rules = [] } = await client.send(new DescribeRulesCommand({ ListenerArn }));
    assert.deepEqual(
      Rules.map((rule) => rule.Priority),
      ['10', 'default'],
    );
    await client.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: '172.31.0.20', Port: 8080 }] }));
    await bench.service.contract.observed([
      {
        arn: LoadBalancerArn,
        state: 'active',
        targets: [{ targetGroupArn: TargetGroupArn, id: '172.31.0.20', port: 8080, state: 'healthy' }],
      },
    ]);
    await waitUntilLoadBalancerAvailable(wait, { LoadBalancerArns: [LoadBalancerArn] });
    await waitUntilTargetInService(wait, { TargetGroupArn });
    const health = await client.send(
      new DescribeTargetHealthCommand({ TargetGroupArn, Targets: [{ Id: '172.31.0.21' }] }),
    );
    assert.equal(health.TargetHealthDescriptions?.[0]?.TargetHealth?.Reason, 'Target.NotRegistered');
    await client.send(new ModifyTargetGroupCommand({ TargetGroupArn, HealthCheckIntervalSeconds: 10 }));
    const { Attributes = [] } = await client.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn }));
    assert.equal(Attributes.find((one) => one.Key === 'idle_timeout.timeout_seconds')?.Value, '60');
    await client.send(new AddTagsCommand({ ResourceArns: [ListenerArn], Tags: [{ Key: 'a', Value: 'b' }] }));
    const { TagDescriptions = [] } = await client.send(
      new DescribeTagsCommand({ ResourceArns: [LoadBalancerArn, ListenerArn] }),
    );
    assert.deepEqual(
      TagDescriptions.map((one) => one.Tags),
      [[{ Key: 'env', Value: 'test' }], [{ Key: 'a', Value: 'b' }]],
    );
    await assert.rejects(client.send(new DeleteTargetGroupCommand({ TargetGroupArn })), {
      name: 'ResourceInUseException',
    });
    await assert.rejects(client.send(new DescribeLoadBalancersCommand({ Names: ['nope'] })), {
      name: 'LoadBalancerNotFoundException',
    });
    await client.send(new DeleteListenerCommand({ ListenerArn }));
    await client.send(new DeleteTargetGroupCommand({ TargetGroupArn }));
    await client.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    await client.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    await waitUntilLoadBalancersDeleted(wait, { LoadBalancerArns: [LoadBalancerArn] });
    assert.deepEqual((await bench.service.contract.loadBalancers.compose()).loadBalancers, []);
  } finally {
    client.destroy();
    await server.close();
    await bench.store.close();
  }
});
