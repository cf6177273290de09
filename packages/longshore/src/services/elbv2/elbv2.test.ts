import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoadBalancerObservation, TargetObservation } from '../../protocol/documents.ts';
import { type Elbv2Bench, openElbv2 } from './elbv2.testing.ts';

/** A load balancer `web` that forwards port 80 to the group `web`, taken up by a node. */
async function openWeb(bench: Elbv2Bench) {
  const [loadBalancer] = (await bench.call('CreateLoadBalancer', { Name: 'web', Subnets: bench.subnetIds.slice(0, 2) }))
    .LoadBalancers;
  const [group] = (
    await bench.call('CreateTargetGroup', {
      Name: 'web',
      Protocol: 'HTTP',
      Port: 80,
      VpcId: bench.vpcId,
      TargetType: 'ip',
    })
  ).TargetGroups;
  const [listener] = (
    await bench.call('CreateListener', {
      LoadBalancerArn: loadBalancer.LoadBalancerArn,
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: group.TargetGroupArn }],
    })
  ).Listeners;
  return {
    loadBalancer,
    arn: loadBalancer.LoadBalancerArn as string,
    groupArn: group.TargetGroupArn as string,
    listenerArn: listener.ListenerArn as string,
  };
}

const saw = (arn: string, targets: readonly TargetObservation[] = []): LoadBalancerObservation => ({
  arn,
  state: 'active',
  targets,
});

test('a load balancer stands in its subnets, provisions until a node serves it, and leaves nothing behind', async () => {
  const bench = await openElbv2();
  const { loadBalancer, arn } = await openWeb(bench);
  assert.match(loadBalancer.DNSName, /^web-\d{10}\.us-east-1\.elb\.localhost$/);
  assert.match(arn, /^arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer\/app\/web\/[0-9a-f]{16}$/);
  assert.deepEqual(loadBalancer.State, { Code: 'provisioning' });

  const [vpc] = (await bench.ec2.networks.compose()).vpcs;
  assert.equal(vpc?.interfaces.length, 2);
  assert.ok(vpc?.interfaces.every((one) => one.publicAddress?.startsWith('100.64.')));
  const [document] = (await bench.service.contract.loadBalancers.compose()).loadBalancers;
  assert.deepEqual(document?.interfaceIds.toSorted(), vpc?.interfaces.map((one) => one.interfaceId).toSorted());
  const names = await bench.service.contract.names.compose();
  const first = vpc?.interfaces.find((one) => one.interfaceId === document?.interfaceIds[0]);
  assert.deepEqual(names.records, [
    { name: loadBalancer.DNSName, type: 'A', ttlSeconds: 60, addresses: [first?.privateAddress] },
  ]);

  await bench.service.contract.observed([saw(arn)]);
  const described = await bench.call('DescribeLoadBalancers', { Names: ['web'] });
  assert.deepEqual(described.LoadBalancers[0].State, { Code: 'active' });
  await bench.service.contract.observed([{ arn, state: 'failed', error: 'haproxy did not start', targets: [] }]);
  const failed = await bench.call('DescribeLoadBalancers', { LoadBalancerArns: [arn] });
  assert.deepEqual(failed.LoadBalancers[0].State, { Code: 'failed', Reason: 'haproxy did not start' });

  await bench.call('DeleteLoadBalancer', { LoadBalancerArn: arn });
  assert.equal((await bench.ec2.networks.compose()).vpcs[0]?.interfaces.length, 0);
  await assert.rejects(bench.call('DescribeLoadBalancers', { Names: ['web'] }), { name: 'LoadBalancerNotFound' });
  await bench.store.close();
});

test('a target goes from initial through what a node sees to drained and forgotten', async () => {
  const bench = await openElbv2();
  const { contract } = bench.service;
  const { arn, groupArn } = await openWeb(bench);
  await contract.observed([saw(arn)]);
  const target = { id: '172.31.0.9', port: 80 };
  const seen = (state: TargetObservation['state'], more: Partial<TargetObservation> = {}) =>
    contract.observed([saw(arn, [{ targetGroupArn: groupArn, ...target, state, ...more }])]);

  await bench.store.transaction((tx) => contract.registerTargets(tx, groupArn, [target]));
  assert.deepEqual(await contract.health(groupArn), [
    {
      ...target,
      state: 'initial',
      reason: 'Elb.RegistrationInProgress',
      description: 'Target registration is in progress',
    },
  ]);
  await seen('unhealthy', {
    reason: 'Target.ResponseCodeMismatch',
    description: 'Health checks failed with these codes: [502]',
  });
  assert.equal((await contract.health(groupArn))[0]?.reason, 'Target.ResponseCodeMismatch');
  await seen('healthy');
  assert.deepEqual(await contract.health(groupArn), [{ ...target, state: 'healthy' }]);
  const known = (await contract.loadBalancers.compose()).loadBalancers[0]?.targetGroups[0]?.targets;
  assert.deepEqual(known, [{ ...target, draining: false, knownState: 'healthy' }]);

  await bench.store.transaction((tx) => contract.deregisterTargets(tx, groupArn, [target]));
  await seen('healthy');
  assert.equal((await contract.health(groupArn))[0]?.state, 'draining');
  await bench.store.transaction((tx) => contract.registerTargets(tx, groupArn, [target]));
  await seen('drained');
  assert.equal((await contract.health(groupArn))[0]?.state, 'healthy', 'taken back before it had drained');
  await bench.store.transaction((tx) => contract.deregisterTargets(tx, groupArn, [target]));
  await seen('drained');
  assert.deepEqual(await contract.health(groupArn), []);
  await bench.store.close();
});

test('targets of a group that no load balancer serves are unused, and vanish at once', async () => {
  const bench = await openElbv2();
  const { contract } = bench.service;
  const { arn, groupArn } = await openWeb(bench);
  const target = { id: '172.31.0.9', port: 80 };
  const register = () => bench.store.transaction((tx) => contract.registerTargets(tx, groupArn, [target]));
  const deregister = () => bench.store.transaction((tx) => contract.deregisterTargets(tx, groupArn, [target]));

  await register();
  await deregister();
  assert.deepEqual(await contract.health(groupArn), [], 'no node serves the load balancer yet');
  await contract.observed([saw(arn)]);
  await register();
  await deregister();
  assert.equal((await contract.health(groupArn)).length, 1);
  await bench.call('DeleteLoadBalancer', { LoadBalancerArn: arn });
  assert.deepEqual(await contract.health(groupArn), [], 'what drained is forgotten with the load balancer');
  await register();
  await contract.observed([saw(arn, [{ targetGroupArn: groupArn, ...target, state: 'healthy' }])]);
  const { TargetHealthDescriptions } = await bench.call('DescribeTargetHealth', { TargetGroupArn: groupArn });
  assert.deepEqual(TargetHealthDescriptions[0].TargetHealth, {
    State: 'unused',
    Reason: 'Target.NotInUse',
    Description: 'Target group is not configured to receive traffic from the load balancer',
  });
  await bench.store.close();
});

test('an observation that says nothing new writes nothing', async () => {
  const bench = await openElbv2();
  const { contract } = bench.service;
  const { arn, groupArn } = await openWeb(bench);
  await bench.store.transaction((tx) => contract.registerTargets(tx, groupArn, [{ id: '172.31.0.9', port: 80 }]));
  const observation = saw(arn, [{ targetGroupArn: groupArn, id: '172.31.0.9', port: 80, state: 'healthy' }]);
  await contract.observed([observation]);
  const sequence = async () =>
    (await bench.store.db.selectFrom('change_feed').select('sequence').orderBy('sequence', 'desc').executeTakeFirst())
      ?.sequence;
  const before = await sequence();
  await contract.observed([observation, { arn: 'arn:gone', state: 'active', targets: [] }]);
  assert.equal(await sequence(), before);
  await bench.store.close();
});

test('a target that no node drains is forgotten after the delay and thirty seconds', async () => {
  let now = 1_000_000;
  const timers: { at: number; run: () => void }[] = [];
  const bench = await openElbv2({
    now: () => now,
    sleep: () => Promise.reject(new Error('unused')),
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  });
  const { contract, controllers } = bench.service;
  const { arn, groupArn } = await openWeb(bench);
  await contract.observed([saw(arn)]);
  await bench.call('ModifyTargetGroupAttributes', {
    TargetGroupArn: groupArn,
    Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: '10' }],
  });
  const target = { id: '172.31.0.9', port: 80 };
  await bench.store.transaction((tx) => contract.registerTargets(tx, groupArn, [target]));
  await bench.store.transaction((tx) => contract.deregisterTargets(tx, groupArn, [target]));
  now += 39_999;
  for (const controller of controllers) await controller.start();
  assert.equal((await contract.health(groupArn)).length, 1);
  now += 1;
  for (const { run } of timers.filter((timer) => timer.at <= now)) run();
  for (let tries = 0; tries < 100 && (await contract.health(groupArn)).length > 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(await contract.health(groupArn), []);
  for (const controller of controllers) await controller.stop();
  await bench.store.close();
});

test('rules come to nodes by priority with the default last, and swap priorities in one call', async () => {
  const bench = await openElbv2();
  const { arn, groupArn, listenerArn } = await openWeb(bench);
  const rule = async (Priority: number, path: string) =>
    (
      await bench.call('CreateRule', {
        ListenerArn: listenerArn,
        Priority,
        Conditions: [{ Field: 'path-pattern', Values: [path] }],
        Actions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404', MessageBody: 'no' } }],
      })
    ).Rules[0].RuleArn as string;
  const first = await rule(5, '/a*');
  const second = await rule(9, '/b*');
  await assert.rejects(rule(9, '/c'), { name: 'PriorityInUse', message: "Priority '9' is currently in use" });
  const rules = async () =>
    (await bench.service.contract.loadBalancers.compose()).loadBalancers[0]?.listeners[0]?.rules;
  assert.deepEqual(
    (await rules())?.map((one) => [one.conditions, one.action.type]),
    [
      [[{ field: 'path-pattern', values: ['/a*'] }], 'fixed-response'],
      [[{ field: 'path-pattern', values: ['/b*'] }], 'fixed-response'],
      [[], 'forward'],
    ],
  );
  await bench.call('SetRulePriorities', {
    RulePriorities: [
      { RuleArn: first, Priority: 9 },
      { RuleArn: second, Priority: 5 },
    ],
  });
  assert.deepEqual(
    (await rules())?.slice(0, 2).map((one) => one.arn),
    [second, first],
  );
  const described = await bench.call('DescribeRules', { ListenerArn: listenerArn });
  assert.deepEqual(
    described.Rules.map((one: { Priority: string; IsDefault: boolean }) => [one.Priority, one.IsDefault]),
    [
      ['5', false],
      ['9', false],
      ['default', true],
    ],
  );
  await assert.rejects(bench.call('DeleteTargetGroup', { TargetGroupArn: groupArn }), {
    name: 'ResourceInUse',
    message: `Target group '${groupArn}' is currently in use by a listener or a rule`,
  });
  await bench.call('DeleteListener', { ListenerArn: listenerArn });
  await bench.call('DeleteTargetGroup', { TargetGroupArn: groupArn });
  await bench.call('DeleteLoadBalancer', { LoadBalancerArn: arn });
  for (const table of [
    'elbv2_rules',
    'elbv2_rule_target_groups',
    'elbv2_zones',
    'elbv2_targets',
    'ec2_interfaces',
    'ec2_public_addresses',
  ]) {
    assert.deepEqual(await bench.store.db.selectFrom(table).selectAll().execute(), [], table);
  }
  await bench.store.close();
});

test('what AWS refuses is refused in its words', async () => {
  const bench = await openElbv2();
  const { arn, groupArn } = await openWeb(bench);
  const [one, two] = bench.subnetIds;
  const create = (input: object) => bench.call('CreateLoadBalancer', { Name: 'other', Subnets: [one, two], ...input });
  await assert.rejects(create({ Subnets: [one] }), {
    name: 'ValidationError',
    message: 'At least two subnets in two different Availability Zones must be specified',
  });
  await assert.rejects(create({ Subnets: [one, 'subnet-0'] }), { name: 'SubnetNotFound' });
  await assert.rejects(create({ Name: 'web', Scheme: 'internal' }), {
    name: 'DuplicateLoadBalancerName',
    message: "A load balancer with the same name 'web' exists, but with different settings",
  });
  assert.equal((await create({ Name: 'web' })).LoadBalancers[0].LoadBalancerArn, arn, 'the same again is the same');
  await assert.rejects(create({ Type: 'network' }), { name: 'NotImplementedException' });
  await assert.rejects(
    bench.call('CreateListener', {
      LoadBalancerArn: arn,
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }],
    }),
    { name: 'DuplicateListener' },
  );
  const [internal] = (await create({ Scheme: 'internal' })).LoadBalancers;
  assert.match(internal.DNSName, /^internal-other-\d{10}\.us-east-1\.elb\.localhost$/);
  await assert.rejects(
    bench.call('CreateListener', {
      LoadBalancerArn: internal.LoadBalancerArn,
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
    }),
    { name: 'TargetGroupAssociationLimit' },
  );
  await assert.rejects(bench.call('RegisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '8.8.8.8' }] }), {
    name: 'InvalidTarget',
  });
  await assert.rejects(
    bench.call('ModifyLoadBalancerAttributes', { LoadBalancerArn: arn, Attributes: [{ Key: 'x', Value: 'y' }] }),
    { name: 'InvalidConfigurationRequest', message: "Load balancer attribute key 'x' is not recognized" },
  );
  const setAttribute = (Key: string, Value: string) =>
    bench.call('ModifyLoadBalancerAttributes', { LoadBalancerArn: arn, Attributes: [{ Key, Value }] });
  for (const [key, value] of [
    ['routing.http.desync_mitigation_mode', 'strictest'],
    ['waf.fail_open.enabled', 'true'],
    ['load_balancing.cross_zone.enabled', 'false'],
  ] as const) {
    await assert.rejects(setAttribute(key, value), {
      name: 'NotImplementedException',
      message: `Load balancer attribute ${key}=${value} is not implemented by Longshore yet.`,
    });
  }
  await setAttribute('routing.http.preserve_host_header.enabled', 'true');
  await assert.rejects(bench.call('DescribeTargetGroups', { Names: ['nope'] }), {
    name: 'TargetGroupNotFound',
    message: 'One or more target groups not found',
  });
  await bench.store.close();
});
