import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteServiceCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  type Service,
  StopTaskCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { eventually } from '../../../base/eventually.testing.ts';
import { joinAgent, obedient, type TestAgent } from '../agents/agent.testing.ts';
import { type EcsBench, openEcs } from '../ecs.testing.ts';

let bench: EcsBench;
let agent: TestAgent;
let targetGroup = '';
let number = 0;
before(async () => {
  bench = await openEcs();
  agent = await joinAgent(bench, { cpu: 8192, memory: 32768 });
  const { elbv2 } = bench;
  const { LoadBalancers } = await elbv2.send(
    new CreateLoadBalancerCommand({ Name: 'front', Subnets: [...bench.subnetIds] }),
  );
  const { TargetGroups } = await elbv2.send(
    new CreateTargetGroupCommand({ Name: 'web', Protocol: 'HTTP', Port: 80, VpcId: bench.vpcId, TargetType: 'ip' }),
  );
  targetGroup = TargetGroups?.[0]?.TargetGroupArn ?? '';
  await elbv2.send(
    new CreateListenerCommand({
      LoadBalancerArn: LoadBalancers?.[0]?.LoadBalancerArn,
      Port: 80,
      Protocol: 'HTTP',
      DefaultActions: [{ Type: 'forward', TargetGroupArn: targetGroup }],
    }),
  );
});
after(async () => {
  await agent?.close();
  await bench?.close();
});

let name = '';
beforeEach(() => {
  name = `web-${++number}`;
  agent.behaviour = obedient;
  agent.targets.clear();
});
afterEach(async () => {
  agent.behaviour = obedient;
  await bench.ecs.send(new DeleteServiceCommand({ service: name, force: true })).catch(() => undefined);
});

const create = async (taskDefinition: string, over: Partial<CreateServiceCommandInput> = {}) =>
  (
    await bench.ecs.send(
      new CreateServiceCommand({
        serviceName: name,
        taskDefinition,
        desiredCount: 2,
        launchType: 'FARGATE',
        networkConfiguration: { awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } },
        ...over,
      }),
    )
  ).service as Service;
const update = (over: object) => bench.ecs.send(new UpdateServiceCommand({ service: name, ...over }));
const loadBalancers = () => [{ targetGroupArn: targetGroup, containerName: 'app', containerPort: 80 }];
const messages = (service: Service) => (service.events ?? []).map((event) => event.message ?? '');
const live = async () => (await bench.ecs.send(new ListTasksCommand({ serviceName: name }))).taskArns ?? [];
const stable = (count: number) =>
  eventually(`${name} is stable with ${count} tasks`, async () => {
    const service = await bench.service(name);
    return (
      service.deployments?.length === 1 &&
      service.runningCount === count &&
      service.desiredCount === count &&
      service.deployments[0]?.rolloutState === 'COMPLETED' &&
      service
    );
  });

test('a service starts its tasks, says so, and is steady', async () => {
  const made = await create(await bench.define('plain'));
  assert.match(made.deployments?.[0]?.id ?? '', /^ecs-svc\/\d{19}$/);
  assert.equal(made.deployments?.[0]?.rolloutState, 'IN_PROGRESS');
  const service = await stable(2);
  const [steady, completed, started] = messages(service);
  assert.equal(steady, `(service ${name}) has reached a steady state.`);
  assert.equal(completed, `(service ${name}) (deployment ${made.deployments?.[0]?.id}) deployment completed.`);
  assert.match(
    started ?? '',
    new RegExp(`^\\(service ${name}\\) has started 2 tasks: \\(task [0-9a-f]{32}\\) \\(task [0-9a-f]{32}\\)\\.$`),
  );
});

test('it is scaled up and down, and what dies or is stopped is replaced', async () => {
  await create(await bench.define('scaled'));
  await stable(2);
  await update({ desiredCount: 4 });
  await stable(4);
  await update({ desiredCount: 1 });
  await stable(1);
  const [first = ''] = await live();
  await agent.report(first, 'STOPPED', { exitCode: 137 });
  const [second = ''] = await eventually('a replacement', async () => {
    const arns = await live();
    return arns.length === 1 && arns[0] !== first && arns;
  });
  await stable(1);
  await bench.ecs.send(new StopTaskCommand({ task: second }));
  await eventually('another replacement', async () => {
    const arns = await live();
    return arns.length === 1 && arns[0] !== second;
  });
});

test('tasks serve behind a load balancer once its checks pass, and drain before they are told to stop', async () => {
  await create(await bench.define('served'), { loadBalancers: loadBalancers() });
  const service = await stable(2);
  assert.ok(messages(service).includes(`(service ${name}) registered 1 targets in (target-group ${targetGroup})`));
  const { TargetHealthDescriptions } = await bench.elbv2.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: targetGroup }),
  );
  assert.deepEqual(
    TargetHealthDescriptions?.map((one) => one.TargetHealth?.State),
    ['healthy', 'healthy'],
  );

  const arns = await live();
  for (const { Target } of TargetHealthDescriptions ?? [])
    agent.targets.set(`${Target?.Id}:${Target?.Port}`, 'draining');
  const told = () =>
    agent.received.some(
      (one) =>
        one.type === 'PayloadMessage' &&
        JSON.stringify(one.message).includes(`"${arns[0]}"`) &&
        JSON.stringify(one.message).includes('"STOPPED"'),
    );
  await bench.ecs.send(new StopTaskCommand({ task: arns[0] }));
  await eventually('the task deactivates', async () => (await bench.task(arns[0] ?? '')).lastStatus === 'DEACTIVATING');
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(told(), false, 'told to stop while its target drains');
  agent.targets.clear();
  agent.observe();
  await eventually('the task stops', async () => (await bench.task(arns[0] ?? '')).lastStatus === 'STOPPED');
  assert.ok(told());
  await stable(2);
});

test('a rollout starts the new tasks first, and stops the old ones as the new ones become healthy', async () => {
  const first = await bench.define('rolled');
  await create(first, { loadBalancers: loadBalancers() });
  await stable(2);
  const old = await live();
  agent.behaviour = async (one, task) => {
    const address = `${task.elasticNetworkInterfaces?.[0]?.ipv4Addresses[0]?.privateAddress}:80`;
    if (task.desiredStatus === 'RUNNING') one.targets.set(address, 'initial');
    await obedient(one, task);
  };
  const second = await bench.define('rolled', { cpu: '512', memory: '1024' });
  const { service: updated } = await update({ taskDefinition: second });
  assert.deepEqual(
    updated?.deployments?.map((one) => one.status),
    ['PRIMARY', 'ACTIVE'],
  );
  await eventually(
    'the new tasks run',
    async () => ((await bench.service(name)).deployments?.[0]?.runningCount ?? 0) === 2,
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(
    (await live()).filter((arn) => old.includes(arn)).length,
    2,
    'old tasks went before new ones were healthy',
  );
  agent.targets.clear();
  agent.observe();
  const service = await stable(2);
  assert.equal(service.taskDefinition, second);
  assert.ok((await live()).every((arn) => !old.includes(arn)));
  const gone = await bench.task(old[0] ?? '');
  assert.deepEqual(
    [gone.stopCode, gone.stoppedReason],
    ['ServiceSchedulerInitiated', `Scaling activity initiated by (deployment ${service.deployments?.[0]?.id})`],
  );
});

test('the circuit breaker rolls a deployment back that does not start', async () => {
  const good = await bench.define('broken');
  await create(good, {
    desiredCount: 1,
    deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
  });
  const before = await stable(1);
  const bad = await bench.define('broken', { cpu: '512', memory: '1024' });
  agent.behaviour = (one, task) =>
    task.desiredStatus === 'RUNNING' && task.version === '2'
      ? one.report(task.arn, 'STOPPED', { reason: 'CannotPullContainerError: no' })
      : obedient(one, task);
  await update({ taskDefinition: bad });
  const service = await eventually(
    'the roll-back',
    async () => {
      const now = await bench.service(name);
      return (
        now.taskDefinition === good &&
        now.deployments?.length === 1 &&
        now.deployments[0]?.rolloutState === 'COMPLETED' &&
        now
      );
    },
    8_000,
  );
  assert.equal(service.deployments?.[0]?.id, before.deployments?.[0]?.id);
  assert.ok(messages(service).includes(`(service ${name}) rolling back to deployment ${before.deployments?.[0]?.id}.`));
  const { serviceDeployments } = await bench.ecs.send(new ListServiceDeploymentsCommand({ service: name }));
  assert.deepEqual(
    serviceDeployments?.map((one) => one.status),
    ['ROLLBACK_SUCCESSFUL', 'SUCCESSFUL'],
  );
  const described = await bench.ecs.send(
    new DescribeServiceDeploymentsCommand({
      serviceDeploymentArns: [serviceDeployments?.[0]?.serviceDeploymentArn ?? ''],
    }),
  );
  assert.equal(described.serviceDeployments?.[0]?.deploymentCircuitBreaker?.status, 'TRIGGERED');
  assert.equal(described.serviceDeployments?.[0]?.deploymentCircuitBreaker?.failureCount, 3);
  const revision = serviceDeployments?.[1]?.targetServiceRevisionArn ?? '';
  assert.equal(revision.split('/').at(-1), before.deployments?.[0]?.id?.split('/')[1]);
  const { serviceRevisions } = await bench.ecs.send(
    new DescribeServiceRevisionsCommand({ serviceRevisionArns: [revision] }),
  );
  assert.equal(serviceRevisions?.[0]?.taskDefinition, good);
});

test('no room is said in an event, and tried again when a machine joins', async () => {
  await create(await bench.define('roomless', { cpu: '16384', memory: '32768' }), { desiredCount: 1 });
  const service = await eventually('the event', async () => {
    const now = await bench.service(name);
    return messages(now).some((message) => message.includes('unable to place')) && now;
  });
  assert.match(
    messages(service).find((message) => message.includes('unable')) ?? '',
    /was unable to place a task\. Reason: Capacity is unavailable at this time.*16 vCPU/,
  );
  const large = await joinAgent(bench, { cpu: 32768, memory: 65536 });
  try {
    await stable(1);
  } finally {
    await bench.ecs.send(new DeleteServiceCommand({ service: name, force: true }));
    await eventually('the task is gone', async () => (await live()).length === 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await large.close();
  }
});

test('a deleted service drains, and stays describable', async () => {
  await create(await bench.define('deleted'));
  await stable(2);
  await assert.rejects(bench.ecs.send(new DeleteServiceCommand({ service: name })), {
    message: 'The service cannot be stopped while it is scaled above 0.',
  });
  const { service } = await bench.ecs.send(new DeleteServiceCommand({ service: name, force: true }));
  assert.equal(service?.status, 'DRAINING');
  await eventually('INACTIVE', async () => (await bench.service(name)).status === 'INACTIVE');
  await assert.rejects(update({ desiredCount: 1 }), { name: 'ServiceNotActiveException' });
  assert.equal((await create(await bench.define('deleted'))).status, 'ACTIVE', 'the name may be used again');
});

test('refusals have the names and words of AWS', async () => {
  const definition = await bench.define('refused');
  await create(definition);
  await assert.rejects(create(definition, { desiredCount: 3 }), {
    name: 'InvalidParameterException',
    message: 'Creation of service was not idempotent.',
  });
  await assert.rejects(bench.ecs.send(new UpdateServiceCommand({ service: 'nothing', desiredCount: 1 })), {
    name: 'ServiceNotFoundException',
    message: 'Service not found.',
  });
  const other = `${name}-b`;
  await assert.rejects(
    create(definition, {
      serviceName: other,
      loadBalancers: [{ targetGroupArn: targetGroup, containerName: 'nope', containerPort: 80 }],
    }),
    { message: 'The container nope does not exist in the task definition.' },
  );
  await assert.rejects(
    create(definition, {
      serviceName: other,
      loadBalancers: [{ targetGroupArn: targetGroup, containerName: 'app', containerPort: 81 }],
    }),
    { message: 'The container app did not have a container port 81 defined.' },
  );
  await assert.rejects(create(definition, { serviceName: other, schedulingStrategy: 'DAEMON' }), {
    name: 'NotImplementedException',
  });
});
