import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { openLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import type { PayloadContainer, PayloadTask } from '../protocol/payload.ts';
import { type RunningNode, runNode } from './node.ts';
import { ContainerdRuntime } from './runtime/containerd/containerd-runtime.ts';
import { placesOf } from './runtime/containerd/places.ts';
import { SimulatedBalancer, SimulatedNetworks, simulatedNames } from './runtime/simulated/simulated-networks.ts';
import { HttpClient } from './session/http.ts';
import type { NodeSettings } from './settings.ts';
import { TestControlPlane } from './testing/control-plane.testing.ts';
import { TestRegistry } from './testing/registry.testing.ts';

const instanceId = systemRandom.hex(4);
const stateDir = mkdtempSync(join(tmpdir(), 'longshore-node-'));
const log = openLogger(process.env.TEST_LOG ?? 'silent');

let plane: TestControlPlane;
let registry: TestRegistry;
let node: RunningNode;
let settings: NodeSettings;

const runtimeParts = (http: HttpClient) => ({
  places: placesOf({ stateDir, instanceId }),
  instanceId,
  http,
  clock: systemClock,
  random: systemRandom,
  log,
});

async function startNode(): Promise<RunningNode> {
  const http = new HttpClient();
  const networks = new SimulatedNetworks(systemClock);
  const started = await runNode({
    settings,
    runtime: new ContainerdRuntime(runtimeParts(http)),
    networks,
    balancer: new SimulatedBalancer(networks),
    names: simulatedNames,
    http,
    resources: { cpuUnits: 2048, memoryMiB: 4096 },
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await started.registered;
  return started;
}

function container(more: Partial<PayloadContainer> & { script?: string }): PayloadContainer {
  const { script = 'trap "exit 143" TERM; sleep 1000 & wait', ...rest } = more;
  return {
    name: 'app',
    image: `${registry.host}/app:v1`,
    cpu: 0,
    memory: 0,
    command: ['sh', '-c', script],
    essential: true,
    dockerConfig: { config: '{}', hostConfig: '{}' },
    containerArn: 'arn',
    ...rest,
  };
}

const logged = (group: string, options: Record<string, string> = {}) => ({
  hostConfig: JSON.stringify({
    LogConfig: { Type: 'awslogs', Config: { 'awslogs-group': group, 'awslogs-stream-prefix': 'web', ...options } },
  }),
});

function task(containers: readonly PayloadContainer[], more: Partial<PayloadTask> = {}): PayloadTask {
  return {
    arn: `arn:aws:ecs:us-east-1:000000000000:task/c/${systemRandom.hex(32)}`,
    taskClusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/c',
    desiredStatus: 'RUNNING',
    family: 'f',
    version: '1',
    taskDefinitionAccountId: '000000000000',
    containers,
    cpu: 0.25,
    memory: 512,
    launchType: 'FARGATE',
    networkMode: 'none',
    ...more,
  };
}

const taskId = (one: PayloadTask) => one.arn.split('/').at(-1)!;
/** A shell that runs has yet to come to its `trap`; until then it ignores SIGTERM, as every process 1 does. */
const trapsSet = () => systemClock.sleep(250);
const stopOrder = (one: PayloadTask): PayloadTask => ({ ...one, desiredStatus: 'STOPPED', containers: [] });

before(async () => {
  [plane, registry] = await Promise.all([TestControlPlane.open(), TestRegistry.open()]);
  await registry.add('app', 'v1');
  settings = {
    endpoint: plane.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    cluster: 'longshore-fargate',
    stateDir,
    instanceId,
    runtime: 'containerd',
    publicPool: '100.64.0.0/16',
  };
  node = await startNode();
  await plane.connected();
});

beforeEach(() => plane.failing.clear());

after(async () => {
  await node.stop();
  const http = new HttpClient();
  await new ContainerdRuntime(runtimeParts(http)).destroy(true);
  http.close();
  await Promise.all([plane.close(), registry.close()]);
  rmSync(stateDir, { recursive: true, force: true });
});

describe('the session', () => {
  test('registers with resources and attributes, connects signed, acks, answers heartbeats', async () => {
    const { input } = plane.calls.find(({ operation }) => operation === 'RegisterContainerInstance')!;
    const attributes = new Map(
      (input.attributes as { name: string; value?: string }[]).map(({ name, value }) => [name, value]),
    );
    assert.equal(attributes.get('ecs.os-type'), 'linux');
    assert.ok(attributes.has('ecs.capability.task-eni'));
    const query = plane.connections[0]!.searchParams;
    assert.equal(query.get('containerInstanceArn'), plane.instanceArn);
    assert.equal(query.get('sendCredentials'), 'true');
    plane.send('HeartbeatMessage', { healthy: true, messageId: 'beat' });
    await plane.until('the answer', () =>
      plane.messages.find(({ type, message }) => type === 'HeartbeatAckRequest' && message.messageId === 'beat'),
    );
    plane.send('LongshoreDocumentMessage', { messageId: 'doc', kind: 'networks', version: 3, document: { vpcs: [] } });
    const ack = await plane.until('the ack', () => plane.messages.find(({ type }) => type === 'LongshoreDocumentAck'));
    assert.deepEqual(ack.message, { messageId: 'doc', kind: 'networks', version: 3 });
  });
});

describe('a task', () => {
  test('runs, is stopped by an order, and leaves nothing', async () => {
    const one = task([container({ script: 'trap "exit 0" TERM; sleep 1000 & wait' })], {
      roleCredentials: {
        credentialsId: 'id',
        roleArn: 'r',
        accessKeyId: 'a',
        secretAccessKey: 's',
        sessionToken: 't',
        expiration: '2030-01-01T00:00:00Z',
      },
    });
    plane.order(one);
    const running = await plane.status(one.arn, 'RUNNING');
    assert.match(running.containers[0]!.runtimeId!, new RegExp(`^${taskId(one)}-\\d{10}$`));
    assert.match(running.containers[0]!.imageDigest!, /^sha256:/);
    assert.ok(running.pullStartedAt! > 1.7e9 && running.pullStartedAt! < 1e10);
    assert.ok(plane.messages.some(({ type }) => type === 'IAMRoleCredentialsAckRequest'));
    assert.ok(plane.messages.some(({ type }) => type === 'AckRequest'));
    await trapsSet();
    plane.order(stopOrder(one));
    const stopped = await plane.status(one.arn, 'STOPPED');
    assert.deepEqual([stopped.containers[0]!.exitCode, stopped.reason], [0, undefined]);
  });

  test('whose essential container ends is stopped; the other container with it', async () => {
    const one = task([
      container({ name: 'app', script: 'sleep 0.2; exit 3' }),
      container({ name: 'side', essential: false }),
    ]);
    plane.order(one);
    const stopped = await plane.status(one.arn, 'STOPPED');
    assert.equal(stopped.reason, 'Essential container in task exited');
    assert.deepEqual(
      stopped.containers.map(({ exitCode }) => exitCode),
      [3, 143],
    );
    assert.ok(
      plane.submitted.find(({ task, status }) => task === one.arn && status === 'RUNNING'),
      'it ran first',
    );
  });

  test('that ends at once is told to have run', async () => {
    const one = task([container({ script: 'exit 0' })]);
    plane.order(one);
    await plane.status(one.arn, 'STOPPED');
    assert.deepEqual(
      plane.submitted.filter(({ task }) => task === one.arn).map(({ status }) => status),
      ['RUNNING', 'STOPPED'],
    );
  });

  test('waits for what its containers depend on', async () => {
    const init = container({ name: 'init', essential: false, script: 'sleep 0.2' });
    const app = container({ script: 'exit 9', dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }] });
    const good = task([app, init]);
    const bad = task([app, { ...init, command: ['false'] }]);
    plane.order(good, bad);
    const ended = await plane.status(good.arn, 'STOPPED');
    assert.equal(ended.containers[0]!.exitCode, 9, JSON.stringify(ended));
    const failed = await plane.status(bad.arn, 'STOPPED');
    assert.match(failed.reason!, /^TaskDependencyError: .*\[init\] for target \[app\]: it ended with exit code 1/);
  });

  test('that does not stop on SIGTERM is killed after its stop timeout', async () => {
    const one = task([container({ script: 'trap "" TERM; sleep 1000', stopTimeout: 1 })]);
    plane.order(one);
    await plane.status(one.arn, 'RUNNING');
    await trapsSet();
    const begun = performance.now();
    plane.order(stopOrder(one));
    const stopped = await plane.status(one.arn, 'STOPPED');
    assert.equal(stopped.containers[0]!.exitCode, 137);
    assert.equal(stopped.containers[0]!.reason, undefined);
    assert.ok(stopped.at - begun > 950 && stopped.at - begun < 2500);
  });

  test('tells ECS’s own reason when it can not be', async () => {
    const wants: [PayloadTask, RegExp][] = [
      [
        task([container({ image: `${registry.host}/none:v1` })]),
        /^CannotPullContainerError: pull image manifest has been retried 1 time\(s\): failed to resolve ref .*\/none:v1: not found$/,
      ],
      [
        task([container({ command: ['/no/such'] })]),
        /^CannotStartContainerError: .*\/no\/such.*no such file or directory/,
      ],
      [
        task([container({ script: 'dd if=/dev/zero of=/dev/null bs=100M count=1' })], { memory: 32 }),
        /^Essential container in task exited$/,
      ],
      [
        task([container({})], { networkMode: 'awsvpc' }),
        /^ContainerNetworkingError: the task has no network interface$/,
      ],
      [task([container({})], { cpu: 64 }), /^ResourceInitializationError: the task needs 65536 CPU units/],
      [
        task([container({ dockerConfig: logged('/nowhere') })]),
        /^ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist\.$/,
      ],
    ];
    plane.order(...wants.map(([one]) => one));
    for (const [one, reason] of wants)
      assert.match((await plane.status(one.arn, 'STOPPED', 5000)).reason ?? '', reason);
    const memory = (await plane.status(wants[2]![0].arn, 'STOPPED')).containers[0]!;
    assert.deepEqual([memory.exitCode, memory.reason], [137, 'OutOfMemoryError: Container killed due to memory usage']);
  });

  test('ships every line of its output, and asks our registry with a token for ECR images', async () => {
    plane.groups.delete('/made');
    const one = task([
      container({
        script: 'seq 1 20000; echo last >&2; printf end',
        dockerConfig: logged('/made', { 'awslogs-create-group': 'true' }),
      }),
    ]);
    plane.order(one);
    await plane.status(one.arn, 'STOPPED');
    const lines = plane.lines.get(`/made:web/app/${taskId(one)}`) ?? [];
    assert.equal(lines.filter((line) => /^\d+$/.test(line)).length, 20_000);
    assert.ok(lines.includes('last') || lines.includes('lastend') || lines.some((line) => line.includes('last')));
    const ecr = task([container({ image: '123456789012.dkr.ecr.us-east-1.amazonaws.com/none:v1' })]);
    plane.order(ecr);
    await plane.status(ecr.arn, 'STOPPED');
    assert.equal(plane.calls.filter(({ operation }) => operation === 'GetAuthorizationToken').length, 1);
  });

  test('state changes that the server does not take are sent again; a new session tells of what is', async () => {
    plane.failing.set('SubmitTaskStateChange', 'ServerException');
    const one = task([container({})]);
    plane.order(one);
    await plane.until('a try', () =>
      plane.calls.find(({ operation, input }) => operation === 'SubmitTaskStateChange' && input.task === one.arn),
    );
    plane.failing.clear();
    const sessions = plane.connections.length;
    plane.drop();
    await plane.connected(sessions + 1);
    assert.equal(plane.connections.at(-1)!.searchParams.get('sendCredentials'), 'false');
    await plane.status(one.arn, 'RUNNING');
    await trapsSet();
    plane.send('TaskManifestMessage', {
      messageId: 'm',
      timeline: 1e9,
      tasks: [],
      clusterArn: 'c',
      containerInstanceArn: 'i',
      generatedAt: 1,
    });
    const asked = await plane.until('a question', () =>
      plane.messages.find(({ type }) => type === 'TaskStopVerificationMessage'),
    );
    const { stopCandidates, messageId } = asked.message as { stopCandidates: { taskArn: string }[]; messageId: string };
    assert.deepEqual(
      stopCandidates.map(({ taskArn }) => taskArn),
      [one.arn],
    );
    plane.send('TaskStopVerificationAck', { messageId, generatedAt: 1, stopTasks: stopCandidates });
    await plane.status(one.arn, 'STOPPED');
  });
});

describe('a new process of the node', () => {
  test('takes up what runs, reports what has ended meanwhile, and loses no line', async () => {
    const script =
      'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.03; done; trap "exit 4" TERM; sleep 1000 & wait';
    const lives = task([container({ script, dockerConfig: logged('/logs') })]);
    const ends = task([container({ script: 'sleep 1; exit 6' })]);
    plane.order(lives, ends);
    await plane.status(lives.arn, 'RUNNING');
    await plane.status(ends.arn, 'RUNNING');
    await systemClock.sleep(300);
    await node.stop();
    await systemClock.sleep(900);
    const registrations = plane.calls.filter(({ operation }) => operation === 'RegisterContainerInstance').length;
    node = await startNode();
    const stopped = await plane.status(ends.arn, 'STOPPED');
    assert.deepEqual([stopped.containers[0]!.exitCode, stopped.reason], [6, 'Essential container in task exited']);
    const again = plane.calls.filter(({ operation }) => operation === 'RegisterContainerInstance')[registrations]!;
    assert.equal(again.input.containerInstanceArn, plane.instanceArn);
    const key = `/logs:web/app/${taskId(lives)}`;
    await plane.until('all lines', () => plane.lines.get(key)?.includes('line 60'));
    assert.deepEqual(
      plane.lines.get(key),
      Array.from({ length: 60 }, (_, index) => `line ${index + 1}`),
    );
    assert.equal(plane.submitted.filter(({ task, status }) => task === lives.arn && status === 'RUNNING').length, 1);
    plane.order(stopOrder(lives));
    assert.equal((await plane.status(lives.arn, 'STOPPED')).containers[0]!.exitCode, 4);
    await plane.until(
      'the end of its file',
      () => !readdirSync(join(stateDir, 'tasks')).includes(`${taskId(lives)}.json`),
    );
  });
});
