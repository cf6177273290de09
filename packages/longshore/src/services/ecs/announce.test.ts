import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateServiceCommand, RunTaskCommand, StopTaskCommand, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { eventually } from '../../base/eventually.testing.ts';
import type { EmittedEvent } from '../events/contract.ts';
import { joinAgent, type TestAgent } from './agents/agent.testing.ts';
import { type EcsBench, openEcs } from './ecs.testing.ts';

const told: EmittedEvent[] = [];
const of = (detailType: string, resource: string) =>
  told
    .filter((event) => event.detailType === detailType && event.resources.includes(resource))
    .map((event) => event.detail as Record<string, unknown>);

let bench: EcsBench;
let agent: TestAgent;
before(async () => {
  bench = await openEcs({
    events: {
      async emit(_tx, event) {
        told.push(event);
      },
    },
  });
  agent = await joinAgent(bench);
});
after(async () => {
  await agent?.close();
  await bench?.close();
});

const network = () => ({ awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } });

test('every change of a task is told once, and its version grows by one each time', async () => {
  const { tasks = [] } = await bench.ecs.send(
    new RunTaskCommand({
      taskDefinition: await bench.define('told'),
      launchType: 'FARGATE',
      networkConfiguration: network(),
    }),
  );
  const arn = tasks[0]?.taskArn ?? '';
  await eventually('RUNNING', async () => (await bench.task(arn)).lastStatus === 'RUNNING');
  await bench.ecs.send(new StopTaskCommand({ task: arn, reason: 'enough' }));
  const stopped = await eventually('STOPPED', async () => {
    const task = await bench.task(arn);
    return task.lastStatus === 'STOPPED' && task;
  });
  const changes = of('ECS Task State Change', arn);
  assert.deepEqual(
    changes.map((detail) => detail.version),
    changes.map((_, index) => index + 1),
  );
  const last = changes.at(-1) ?? {};
  assert.equal(last.version, stopped.version);
  assert.deepEqual(
    [last.lastStatus, last.desiredStatus, last.stoppedReason, last.stopCode],
    ['STOPPED', 'STOPPED', 'enough', 'UserInitiated'],
  );
  assert.ok(!('tags' in last) && !('containerInstanceArn' in last));
});

test('deployments and service actions, as AWS names them', async () => {
  const taskDefinition = await bench.define('web');
  const { service } = await bench.ecs.send(
    new CreateServiceCommand({
      serviceName: 'web',
      taskDefinition,
      desiredCount: 1,
      launchType: 'FARGATE',
      networkConfiguration: network(),
    }),
  );
  const arn = service?.serviceArn ?? '';
  const actions = () => of('ECS Service Action', arn).map((detail) => `${detail.eventType} ${detail.eventName}`);
  await eventually('a steady state', () => actions().includes('INFO SERVICE_STEADY_STATE'));
  const deployments = of('ECS Deployment State Change', arn);
  assert.deepEqual(
    deployments.map((detail) => detail.eventName),
    ['SERVICE_DEPLOYMENT_IN_PROGRESS', 'SERVICE_DEPLOYMENT_COMPLETED'],
  );
  assert.deepEqual(
    deployments.map((detail) => detail.deploymentId),
    [service?.deployments?.[0]?.id, service?.deployments?.[0]?.id],
  );
  assert.equal(deployments[0]?.reason, `ECS deployment ${service?.deployments?.[0]?.id} in progress.`);
  await bench.ecs.send(new UpdateServiceCommand({ service: 'web', desiredCount: 0 }));
  await eventually('its tasks stopped', () => actions().includes('INFO TASKS_STOPPED'));
});

test('a machine’s agent that comes and goes', async () => {
  const instances = told.filter((event) => event.detailType === 'ECS Container Instance State Change');
  const details = instances.map((event) => event.detail as Record<string, unknown>);
  assert.deepEqual(
    details.map((detail) => detail.agentConnected),
    [false, true],
  );
  assert.equal(details[1]?.version, Number(details[0]?.version) + 1);
  assert.ok(Array.isArray(details[1]?.remainingResources));
});
