import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  CreateServiceCommand,
  ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { addressOf, fargate, type Ground, logging } from './fargate.ts';
import { buildWebImage } from './image.ts';
import { get, startLoad } from './load.ts';
import { Longshore, must, run, unique, until } from './longshore.ts';
import { cgroupLimits, killContainersOf } from './processes.ts';

/** The whole journey on one machine, with the genuine clients, in the order in which a user walks it. */
const cluster = 'harbour';
const local = `localhost/longshore-e2e-${unique()}`;
let longshore: Longshore;
let ecs: ECSClient;
let repositoryUri: string;
let vpcId: string;
let loadBalancerArn: string;
let targetGroupArn: string;
let listenerArn: string;
let url: string;
const ground: Ground = { executionRole: '', subnets: [], groupId: '' };
const { network, definition, runTask, describe, taskIn, service, stable } = fargate(() => ecs, cluster, ground);

before(async () => {
  longshore = await Longshore.create();
  await Promise.all([buildWebImage(`${local}:v1`, 'v1'), longshore.up()]);
  await buildWebImage(`${local}:v2`, 'v2');
  ecs = new ECSClient(longshore.sdk());
});

after(async () => {
  ecs?.destroy();
  await longshore?.destroy();
  await run('buildah', ['rmi', '-f', `${local}:v1`, `${local}:v2`]);
});

const health = async () =>
  (await longshore.aws('elbv2', 'describe-target-health', '--target-group-arn', targetGroupArn))
    .TargetHealthDescriptions as {
    Target: { Id: string; Port: number };
    TargetHealth: { State: string; Reason?: string };
  }[];

test('a repository takes images from skopeo and buildah, and gives them back by tag and by digest', async () => {
  const { repository } = await longshore.aws('ecr', 'create-repository', '--repository-name', 'web');
  repositoryUri = repository.repositoryUri;
  assert.equal(repositoryUri, `localhost:${longshore.port}/web`);
  const password = ((await longshore.aws('ecr', 'get-login-password')) as string).trim();
  await must(
    'skopeo',
    ['login', '--tls-verify=false', '-u', 'AWS', '--password-stdin', `localhost:${longshore.port}`],
    { input: password },
  );
  await must('skopeo', [
    'copy',
    '-q',
    '--dest-tls-verify=false',
    `containers-storage:${local}:v1`,
    `docker://${repositoryUri}:v1`,
  ]);
  await must('buildah', [
    'push',
    '-q',
    '--tls-verify=false',
    '--creds',
    `AWS:${password}`,
    `${local}:v2`,
    `docker://${repositoryUri}:v2`,
  ]);

  const { imageDetails } = await longshore.aws('ecr', 'describe-images', '--repository-name', 'web');
  assert.deepEqual(imageDetails.flatMap((image: { imageTags: string[] }) => image.imageTags).sort(), ['v1', 'v2']);
  const { imageIds } = await longshore.aws('ecr', 'list-images', '--repository-name', 'web');
  assert.equal(imageIds.length, 2);
  const { images, failures } = await longshore.aws(
    'ecr',
    'batch-get-image',
    '--repository-name',
    'web',
    '--image-ids',
    'imageTag=v1',
    'imageTag=gone',
  );
  assert.equal(JSON.parse(images[0].imageManifest).schemaVersion, 2);
  assert.equal(failures[0].failureCode, 'ImageNotFound');

  const out = mkdtempSync(join(tmpdir(), 'longshore-out-'));
  try {
    const digest = images[0].imageId.imageDigest;
    await must('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${repositoryUri}@${digest}`, `dir:${out}`]);
    assert.equal(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')).schemaVersion, 2);
  } finally {
    rmSync(out, { recursive: true });
  }
  const refused = await longshore.awsRefused('ecr', 'delete-repository', '--repository-name', 'web');
  assert.match(refused, /RepositoryNotEmptyException/);
});

test('what a task needs: cluster, roles, log group, security group', async () => {
  await longshore.aws('ecs', 'create-cluster', '--cluster-name', cluster);
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  };
  const { Role } = await longshore.aws(
    'iam',
    'create-role',
    '--role-name',
    'exec',
    '--assume-role-policy-document',
    JSON.stringify(trust),
  );
  ground.executionRole = Role.Arn;
  const policy = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';
  await longshore.aws('iam', 'attach-role-policy', '--role-name', 'exec', '--policy-arn', policy);
  await longshore.aws('logs', 'create-log-group', '--log-group-name', '/ecs/e2e');
  const { Vpcs } = await longshore.aws('ec2', 'describe-vpcs', '--filters', 'Name=is-default,Values=true');
  vpcId = Vpcs[0].VpcId;
  const { Subnets } = await longshore.aws('ec2', 'describe-subnets', '--filters', `Name=vpc-id,Values=${vpcId}`);
  ground.subnets = Subnets.map((subnet: { SubnetId: string }) => subnet.SubnetId).slice(0, 2);
  const created = await longshore.aws(
    'ec2',
    'create-security-group',
    '--group-name',
    'web',
    '--description',
    'web',
    '--vpc-id',
    vpcId,
  );
  ground.groupId = created.GroupId;
  assert.match(ground.groupId, /^sg-[0-9a-f]{17}$/);
});

test('a task runs with its own address, its security group really filters, its limits are its cgroup’s, its words are in the logs', async () => {
  await definition('pair', [
    {
      name: 'web',
      image: `${repositoryUri}:v1`,
      portMappings: [{ containerPort: 80 }],
      logConfiguration: logging('pair'),
    },
    {
      name: 'helper',
      image: `${repositoryUri}:v1`,
      essential: false,
      entryPoint: ['/bin/sh', '-c'],
      command: ['echo "colour $COLOUR"; wget -q -O - http://127.0.0.1/health; exit 3'],
      environment: [{ name: 'COLOUR', value: 'teal' }],
      dependsOn: [{ containerName: 'web', condition: 'START' }],
      logConfiguration: logging('pair'),
    },
  ]);
  const started = await runTask('pair');
  assert.equal(started.lastStatus, 'PROVISIONING');
  await longshore.aws('ecs', 'wait', 'tasks-running', '--cluster', cluster, '--tasks', started.taskArn ?? '');
  const task = await taskIn(started, 'RUNNING');
  const publicAddress = (
    await longshore.aws(
      'ec2',
      'describe-network-interfaces',
      '--filters',
      `Name=private-ip-address,Values=${addressOf(task)}`,
    )
  ).NetworkInterfaces[0].Association.PublicIp;

  const reach = () => run('curl', ['-s', '-m', '2', `http://${publicAddress}/health`]);
  assert.notEqual((await reach()).code, 0, 'no rule lets anyone in yet');
  await longshore.aws(
    'ec2',
    'authorize-security-group-ingress',
    '--group-id',
    ground.groupId,
    '--protocol',
    'tcp',
    '--port',
    '80',
    '--cidr',
    '0.0.0.0/0',
  );
  await until('the new rule to let us in', 10_000, async () => (await reach()).stdout.startsWith('ok'));

  const helper = await until('the helper’s exit code', 10_000, async () =>
    (await describe(task.taskArn ?? '')).containers?.find(
      (container) => container.name === 'helper' && container.exitCode !== undefined,
    ),
  );
  assert.equal(helper.exitCode, 3);
  assert.equal((await describe(task.taskArn ?? '')).lastStatus, 'RUNNING', 'a container that is not essential may end');

  const id = task.taskArn?.split('/').at(-1);
  assert.deepEqual(await cgroupLimits(id ?? ''), { cpus: 0.25, memoryMiB: 512 });

  await until('the helper’s words', 10_000, async () => {
    const said = (await longshore.aws('logs', 'tail', '/ecs/e2e', '--since', '1h')) as string | undefined;
    return said?.includes('colour teal') && said.includes('ok');
  });
  const { events } = await longshore.aws(
    'logs',
    'get-log-events',
    '--log-group-name',
    '/ecs/e2e',
    '--log-stream-name',
    `pair/web/${id}`,
  );
  assert.equal(events[0].message, 'serving v1');

  await longshore.aws('ecs', 'stop-task', '--cluster', cluster, '--task', task.taskArn ?? '', '--reason', 'enough');
  const stopped = await taskIn(task, 'STOPPED');
  assert.equal(stopped.stopCode, 'UserInitiated');
  assert.equal(stopped.stoppedReason, 'enough');
  assert.equal(
    stopped.containers?.find((container) => container.name === 'web')?.exitCode,
    7,
    'SIGTERM reached it and it ended by itself',
  );
});

test('a task that ignores SIGTERM is killed when its stop timeout is over', async () => {
  await definition('deaf', [
    {
      name: 'deaf',
      image: `${repositoryUri}:v1`,
      entryPoint: ['/bin/sh', '-c'],
      command: ["trap '' TERM; while true; do sleep 1; done"],
      stopTimeout: 2,
    },
  ]);
  const task = await taskIn(await runTask('deaf'), 'RUNNING');
  const from = Date.now();
  await ecs.send(new StopTaskCommand({ cluster, task: task.taskArn }));
  const stopped = await taskIn(task, 'STOPPED');
  assert.equal(stopped.containers?.[0]?.exitCode, 137);
  const took = Date.now() - from;
  assert.ok(took >= 1_900 && took < 10_000, `took ${took} ms`);
});

test('what can’t run ends quickly, with ECS’s own reason', async () => {
  await definition('missing', [{ name: 'a', image: `${repositoryUri}:nowhere` }]);
  const missing = await taskIn(await runTask('missing'), 'STOPPED', 10_000);
  assert.equal(missing.stopCode, 'TaskFailedToStart');
  assert.match(missing.stoppedReason ?? '', /CannotPullContainerError/);
  assert.match(missing.stoppedReason ?? '', /not found/);

  await definition('nocommand', [{ name: 'a', image: `${repositoryUri}:v1`, entryPoint: ['/no/such/program'] }]);
  const nocommand = await taskIn(await runTask('nocommand'), 'STOPPED', 10_000);
  assert.equal(nocommand.stopCode, 'TaskFailedToStart');
  assert.match(
    `${nocommand.stoppedReason} ${nocommand.containers?.[0]?.reason}`,
    /CannotStartContainerError.*no such file/is,
  );

  await definition('exits', [{ name: 'a', image: `${repositoryUri}:v1`, entryPoint: ['/bin/sh', '-c', 'exit 5'] }]);
  const exits = await taskIn(await runTask('exits'), 'STOPPED', 10_000);
  assert.equal(exits.stopCode, 'EssentialContainerExited');
  assert.equal(exits.stoppedReason, 'Essential container in task exited');
  assert.equal(exits.containers?.[0]?.exitCode, 5);

  await definition('hungry', [
    { name: 'a', image: `${repositoryUri}:v1`, entryPoint: ['/bin/sh', '-c', 'tail /dev/zero'] },
  ]);
  const hungry = await taskIn(await runTask('hungry'), 'STOPPED', 20_000);
  assert.match(
    `${hungry.stoppedReason} ${hungry.containers?.[0]?.reason}`,
    /OutOfMemoryError: Container killed due to memory usage/,
  );
  assert.equal(hungry.containers?.[0]?.exitCode, 137);

  await definition('huge', [{ name: 'a', image: `${repositoryUri}:v1` }], { cpu: '16384', memory: String(120 * 1024) });
  const answer = await ecs
    .send(
      new RunTaskCommand({
        cluster,
        taskDefinition: 'huge',
        launchType: 'FARGATE',
        networkConfiguration: { awsvpcConfiguration: { subnets: ground.subnets } },
      }),
    )
    .catch((error: Error) => error);
  const said =
    answer instanceof Error
      ? answer.message
      : JSON.stringify(
          answer.failures?.[0] ?? (await taskIn(answer.tasks?.[0] as Task, 'STOPPED', 10_000)).stoppedReason,
        );
  assert.match(said, /capacity|RESOURCE/i);
});

test('a service behind a load balancer answers at its name', async () => {
  const created = await longshore.aws(
    'elbv2',
    'create-load-balancer',
    '--name',
    'web',
    '--subnets',
    ...ground.subnets,
    '--security-groups',
    ground.groupId,
  );
  const balancer = created.LoadBalancers[0];
  loadBalancerArn = balancer.LoadBalancerArn;
  const groups = await longshore.aws(
    ...[
      'elbv2',
      'create-target-group',
      '--name',
      'web',
      '--protocol',
      'HTTP',
      '--port',
      '80',
      '--vpc-id',
      vpcId,
      '--target-type',
      'ip',
    ],
    ...[
      '--health-check-path',
      '/health',
      '--health-check-interval-seconds',
      '5',
      '--health-check-timeout-seconds',
      '2',
      '--healthy-threshold-count',
      '2',
    ],
  );
  targetGroupArn = groups.TargetGroups[0].TargetGroupArn;
  const listeners = await longshore.aws(
    ...['elbv2', 'create-listener', '--load-balancer-arn', loadBalancerArn, '--protocol', 'HTTP', '--port', '80'],
    ...['--default-actions', `Type=forward,TargetGroupArn=${targetGroupArn}`],
  );
  listenerArn = listeners.Listeners[0].ListenerArn;
  await longshore.aws('elbv2', 'wait', 'load-balancer-available', '--load-balancer-arns', loadBalancerArn);
  url = `http://${balancer.DNSName}/`;
  assert.match(url, /\.elb\.localhost\/$/);
  assert.equal((await get(url)).status, 503, 'no target yet');

  for (const version of ['v1', 'v2']) {
    await definition('web', [
      {
        name: 'web',
        image: `${repositoryUri}:${version}`,
        portMappings: [{ containerPort: 80 }],
        logConfiguration: logging('web'),
      },
    ]);
  }
  await ecs.send(
    new CreateServiceCommand({
      cluster,
      serviceName: 'web',
      taskDefinition: 'web:1',
      desiredCount: 2,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: network() },
      loadBalancers: [{ targetGroupArn, containerName: 'web', containerPort: 80 }],
    }),
  );
  await stable();
  await until(
    'two healthy targets',
    20_000,
    async () => (await health()).filter((target) => target.TargetHealth.State === 'healthy').length === 2,
  );
  assert.match(await must('curl', ['-s', '-m', '5', url]), /^v1 /);
});

test('target health tells the truth: a target that fails its check is unhealthy, and why', async () => {
  await longshore.aws(
    'elbv2',
    'modify-target-group',
    '--target-group-arn',
    targetGroupArn,
    '--health-check-path',
    '/nothing-here',
  );
  await until('unhealthy targets', 30_000, async () =>
    (await health()).some((target) => target.TargetHealth.State === 'unhealthy'),
  );
  const sick = (await health()).find((target) => target.TargetHealth.State === 'unhealthy');
  assert.equal(sick?.TargetHealth.Reason, 'Target.ResponseCodeMismatch');
  await longshore.aws(
    'elbv2',
    'modify-target-group',
    '--target-group-arn',
    targetGroupArn,
    '--health-check-path',
    '/health',
  );
  await until(
    'two healthy targets again',
    60_000,
    async () => (await health()).filter((target) => target.TargetHealth.State === 'healthy').length === 2,
  );
});

test('more tasks, fewer tasks, and a killed container replaced', async () => {
  await ecs.send(new UpdateServiceCommand({ cluster, service: 'web', desiredCount: 4 }));
  await stable();
  assert.equal((await service())?.runningCount, 4);
  await ecs.send(new UpdateServiceCommand({ cluster, service: 'web', desiredCount: 2 }));
  await stable();
  assert.equal((await service())?.runningCount, 2);

  const { taskArns } = await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }));
  const victim = await describe(taskArns?.[0] ?? '');
  await killContainersOf(victim);
  const dead = await taskIn(victim, 'STOPPED');
  assert.equal(dead.containers?.[0]?.exitCode, 137);
  await until('a replacement', 30_000, async () => {
    const now = await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }));
    return (
      now.taskArns?.length === 2 &&
      !now.taskArns.includes(victim.taskArn ?? '') &&
      (await service())?.runningCount === 2
    );
  });
  await stable();
});

test('rolling deployments of new images, one after another and under load, lose no request', async () => {
  const load = startLoad(url, 8);
  for (const [revision, version] of [
    ['web:2', 'v2'],
    ['web:1', 'v1'],
    ['web:2', 'v2'],
  ] as const) {
    await ecs.send(new UpdateServiceCommand({ cluster, service: 'web', taskDefinition: revision }));
    await stable(90);
    assert.match((await get(url)).body, new RegExp(`^${version} `), 'steady means that only the new version answers');
  }
  const result = await load.stop();
  assert.deepEqual(result.failures.slice(0, 5), [], `${result.failures.length} of ${result.requests} requests failed`);
  assert.ok((result.bodies.get('v1') ?? 0) > 0 && (result.bodies.get('v2') ?? 0) > 0);
  console.log(
    `# three rolling deployments: ${result.requests} requests, 0 failed, ${JSON.stringify([...result.bodies])}`,
  );
  const deployments = (await service())?.deployments;
  assert.equal(deployments?.length, 1);
  assert.equal(deployments?.[0]?.rolloutState, 'COMPLETED');
});

test('containerd dies: what runs goes on running and answering, and new tasks start', async () => {
  const before = (await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }))).taskArns?.toSorted();
  const load = startLoad(url);
  const pid = Number((await must('pgrep', ['-f', `^\\S*containerd .*${longshore.dataDir}`])).trim().split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  const task = await taskIn(await runTask('web'), 'RUNNING', 20_000);
  const result = await load.stop();
  assert.deepEqual(result.failures.slice(0, 5), [], `${result.failures.length} of ${result.requests} requests failed`);
  assert.deepEqual(
    (await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }))).taskArns?.toSorted(),
    before,
  );
  await ecs.send(new StopTaskCommand({ cluster, task: task.taskArn }));
  assert.equal((await taskIn(task, 'STOPPED')).containers?.[0]?.exitCode, 7);
});

test('kill -9 of Longshore stops no container and fails no request; started again it takes everything up', async () => {
  const before = (await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }))).taskArns?.toSorted();
  const load = startLoad(url);
  await longshore.kill();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await longshore.up();
  await until(
    'the load balancer’s targets to be known again',
    20_000,
    async () => (await health()).filter((target) => target.TargetHealth.State === 'healthy').length === 2,
  );
  const result = await load.stop();
  assert.deepEqual(result.failures.slice(0, 5), [], `${result.failures.length} of ${result.requests} requests failed`);
  console.log(`# kill -9: ${result.requests} requests, 0 failed`);
  assert.deepEqual(
    (await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }))).taskArns?.toSorted(),
    before,
  );
});

test('a task that dies while Longshore is away is reported and replaced', async () => {
  const { taskArns } = await ecs.send(new ListTasksCommand({ cluster, serviceName: 'web' }));
  const victim = await describe(taskArns?.[0] ?? '');
  await longshore.kill();
  await killContainersOf(victim);
  await longshore.up();
  const dead = await taskIn(victim, 'STOPPED', 30_000);
  assert.equal(dead.containers?.[0]?.exitCode, 137);
  await until('two running tasks', 30_000, async () => (await service())?.runningCount === 2);
  await stable();
});

test('status shows it all in one look', async () => {
  const text = await longshore.cli('status');
  for (const word of [cluster, 'web', 'RUNNING', '.elb.localhost'])
    assert.ok(text.includes(word), `${word} in:\n${text}`);
  assert.ok(
    text.split('\n').every((line) => line.length <= 80),
    'fits in 80 columns',
  );
  assert.equal(typeof JSON.parse(await longshore.cli('status', '--json')), 'object');
});

test('everything is deleted again, in an order that AWS allows, and refused in one that it does not', async () => {
  assert.match(
    await longshore.awsRefused('elbv2', 'delete-target-group', '--target-group-arn', targetGroupArn),
    /ResourceInUse/,
  );
  assert.match(
    await longshore.awsRefused('ecs', 'delete-cluster', '--cluster', cluster),
    /ClusterContainsServicesException|ClusterContainsTasksException/,
  );
  assert.match(
    await longshore.awsRefused('ec2', 'delete-security-group', '--group-id', ground.groupId),
    /DependencyViolation/,
  );
  assert.match(await longshore.awsRefused('iam', 'delete-role', '--role-name', 'exec'), /DeleteConflict/);
  await longshore.aws('ecs', 'delete-service', '--cluster', cluster, '--service', 'web', '--force');
  await longshore.aws('ecs', 'wait', 'services-inactive', '--cluster', cluster, '--services', 'web');
  await longshore.aws('elbv2', 'delete-listener', '--listener-arn', listenerArn);
  await longshore.aws('elbv2', 'delete-target-group', '--target-group-arn', targetGroupArn);
  await longshore.aws('elbv2', 'delete-load-balancer', '--load-balancer-arn', loadBalancerArn);
  await until(
    'every task to be gone',
    30_000,
    async () => (await ecs.send(new ListTasksCommand({ cluster }))).taskArns?.length === 0,
  );
  await longshore.aws('ecs', 'delete-cluster', '--cluster', cluster);
  await until('the security group to be free', 10_000, async () => {
    const { code } = await run(
      '/usr/bin/aws',
      ['--endpoint-url', longshore.endpoint, 'ec2', 'delete-security-group', '--group-id', ground.groupId],
      { env: longshore.environment() },
    );
    return code === 0;
  });
  await longshore.aws('ecr', 'delete-repository', '--repository-name', 'web', '--force');
  await longshore.aws('logs', 'delete-log-group', '--log-group-name', '/ecs/e2e');
});

test('after `longshore down` nothing of ours is left on the machine', async () => {
  await longshore.cli('down');
  const { instanceId } = JSON.parse(readFileSync(join(longshore.dataDir, 'settings.json'), 'utf8')) as {
    instanceId: string;
  };
  const left = await must('sh', [
    '-c',
    `ip netns list; ip -o link; ip route; nft list tables; mount; ps -e -o args; find /sys/fs/cgroup -type d -name '*longshore*'; true`,
  ]);
  const ours = left
    .split('\n')
    .filter((line) => (line.includes(instanceId) || line.includes(longshore.dataDir)) && !line.includes('sh -c'));
  assert.deepEqual(ours, []);
});
