import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateClusterCommand,
  DeleteClusterCommand,
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  ListAccountSettingsCommand,
  ListAttributesCommand,
  ListClustersCommand,
  ListTagsForResourceCommand,
  ListTaskDefinitionFamiliesCommand,
  ListTaskDefinitionsCommand,
  PutAccountSettingCommand,
  PutAttributesCommand,
  PutClusterCapacityProvidersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-ecs';
import { joinAgent } from '../agents/agent.testing.ts';
import { type EcsBench, openEcs } from '../ecs.testing.ts';

let bench: EcsBench;
before(async () => {
  bench = await openEcs();
});
after(async () => {
  await bench?.close();
});

test('clusters are made once, described, listed in pages and deleted', async () => {
  const { ecs } = bench;
  const { cluster } = await ecs.send(
    new CreateClusterCommand({
      clusterName: 'one',
      tags: [{ key: 'k', value: 'v' }],
      settings: [{ name: 'containerInsights', value: 'enabled' }],
    }),
  );
  assert.deepEqual(
    [cluster?.status, cluster?.settings?.[0]?.value, cluster?.tags],
    ['ACTIVE', 'enabled', [{ key: 'k', value: 'v' }]],
  );
  const again = await ecs.send(new CreateClusterCommand({ clusterName: 'one' }));
  assert.equal(again.cluster?.settings?.[0]?.value, 'enabled');
  const described = await ecs.send(
    new DescribeClustersCommand({ clusters: ['one', 'none'], include: ['TAGS', 'STATISTICS'] }),
  );
  assert.deepEqual(
    [described.clusters?.length, described.failures?.[0]?.reason, described.clusters?.[0]?.statistics?.length],
    [1, 'MISSING', 3],
  );
  const first = await ecs.send(new ListClustersCommand({ maxResults: 1 }));
  const second = await ecs.send(new ListClustersCommand({ maxResults: 1, nextToken: first.nextToken }));
  assert.deepEqual(
    [first.clusterArns?.[0]?.split('/')[1], second.clusterArns?.[0]?.split('/')[1], second.nextToken],
    ['default', 'one', undefined],
  );
  const providers = await ecs.send(
    new PutClusterCapacityProvidersCommand({
      cluster: 'one',
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
    }),
  );
  assert.deepEqual(providers.cluster?.capacityProviders, ['FARGATE', 'FARGATE_SPOT']);
  await assert.rejects(
    ecs.send(
      new PutClusterCapacityProvidersCommand({
        cluster: 'one',
        capacityProviders: ['X'],
        defaultCapacityProviderStrategy: [],
      }),
    ),
    { name: 'InvalidParameterException' },
  );
  const deleted = await ecs.send(new DeleteClusterCommand({ cluster: 'one' }));
  assert.equal(deleted.cluster?.status, 'INACTIVE');
  assert.equal((await ecs.send(new DescribeClustersCommand({ clusters: ['one'] }))).clusters?.[0]?.status, 'INACTIVE');
  await assert.rejects(ecs.send(new DeleteClusterCommand({ cluster: 'none' })), {
    name: 'ClusterNotFoundException',
    message: 'Cluster not found.',
  });
});

test('a cluster with tasks is not deleted', async () => {
  const agent = await joinAgent(bench);
  try {
    await bench.ecs.send(new CreateClusterCommand({ clusterName: 'busy' }));
    const taskDefinition = await bench.define('busy');
    await bench.ecs.send(
      new RunTaskCommand({
        cluster: 'busy',
        taskDefinition,
        networkConfiguration: { awsvpcConfiguration: { subnets: [bench.subnetIds[0] ?? ''] } },
      }),
    );
    await assert.rejects(bench.ecs.send(new DeleteClusterCommand({ cluster: 'busy' })), {
      name: 'ClusterContainsTasksException',
    });
  } finally {
    await agent.close();
  }
});

test('revisions are numbered in order, and never again', async () => {
  const { ecs } = bench;
  const revision = (arn: string) => Number(arn.split(':').at(-1));
  const arns = [await bench.define('numbered'), await bench.define('numbered'), await bench.define('numbered')];
  assert.deepEqual(arns.map(revision), [1, 2, 3]);
  const newest = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'numbered', include: ['TAGS'] }));
  assert.deepEqual([newest.taskDefinition?.revision, newest.taskDefinition?.status, newest.tags], [3, 'ACTIVE', []]);
  assert.ok(newest.taskDefinition?.registeredAt && newest.taskDefinition.registeredBy?.endsWith(':root'));
  const { taskDefinition } = await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'numbered:3' }));
  assert.deepEqual([taskDefinition?.status, taskDefinition?.deregisteredAt instanceof Date], ['INACTIVE', true]);
  const list = async (input: object) =>
    (await ecs.send(new ListTaskDefinitionsCommand({ familyPrefix: 'numbered', ...input }))).taskDefinitionArns?.map(
      revision,
    );
  assert.deepEqual(
    [await list({}), await list({ sort: 'DESC' }), await list({ status: 'INACTIVE' })],
    [[1, 2], [2, 1], [3]],
  );
  const gone = await ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions: ['numbered:3', 'numbered:1'] }));
  assert.deepEqual([gone.taskDefinitions?.[0]?.status, gone.failures?.length], ['DELETE_IN_PROGRESS', 1]);
  await assert.rejects(ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'numbered:3' })), {
    name: 'ClientException',
    message: 'Unable to describe task definition.',
  });
  assert.equal(revision(await bench.define('numbered')), 4);
  await bench.define('nummer');
  assert.deepEqual((await ecs.send(new ListTaskDefinitionFamiliesCommand({ familyPrefix: 'num' }))).families, [
    'numbered',
    'nummer',
  ]);
});

test('a task definition of 70 KB and one that Fargate has no size for are refused', async () => {
  const register = (over: object) =>
    bench.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'f',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        containerDefinitions: [{ name: 'a', image: 'x' }],
        ...over,
      }),
    );
  await assert.rejects(
    register({
      containerDefinitions: [{ name: 'a', image: 'x', environment: [{ name: 'A', value: 'x'.repeat(70_000) }] }],
    }),
    { name: 'ClientException', message: /Max allowed length is '65536' bytes/ },
  );
  await assert.rejects(register({ memory: '4096' }), {
    name: 'ClientException',
    message: 'No Fargate configuration exists for given values.',
  });
});

test('tags are added, replaced and taken away', async () => {
  const { ecs } = bench;
  const resourceArn = await bench.define('tagged');
  await ecs.send(
    new TagResourceCommand({
      resourceArn,
      tags: [
        { key: 'a', value: '1' },
        { key: 'b', value: '1' },
      ],
    }),
  );
  await ecs.send(new TagResourceCommand({ resourceArn, tags: [{ key: 'a', value: '2' }] }));
  await ecs.send(new UntagResourceCommand({ resourceArn, tagKeys: ['b'] }));
  assert.deepEqual((await ecs.send(new ListTagsForResourceCommand({ resourceArn }))).tags, [{ key: 'a', value: '2' }]);
  await assert.rejects(ecs.send(new TagResourceCommand({ resourceArn: `${resourceArn}9`, tags: [] })), {
    name: 'ResourceNotFoundException',
  });
});

test('account settings have their defaults until they are chosen', async () => {
  const { ecs } = bench;
  const effective = async () =>
    (await ecs.send(new ListAccountSettingsCommand({ effectiveSettings: true, name: 'containerInsights' })))
      .settings?.[0]?.value;
  assert.equal(await effective(), 'disabled');
  await ecs.send(new PutAccountSettingCommand({ name: 'containerInsights', value: 'enabled' }));
  assert.equal(await effective(), 'enabled');
  await assert.rejects(ecs.send(new PutAccountSettingCommand({ name: 'nonsense' as never, value: 'x' })), {
    name: 'InvalidParameterException',
  });
});

test('attributes are put on instances and listed', async () => {
  const agent = await joinAgent(bench);
  try {
    const cluster = 'longshore-fargate';
    await bench.ecs.send(
      new PutAttributesCommand({ cluster, attributes: [{ name: 'rack', value: '7', targetId: agent.arn }] }),
    );
    const { attributes } = await bench.ecs.send(
      new ListAttributesCommand({ cluster, targetType: 'container-instance', attributeName: 'rack' }),
    );
    assert.deepEqual(attributes, [{ name: 'rack', value: '7', targetId: agent.arn }]);
    await assert.rejects(
      bench.ecs.send(new PutAttributesCommand({ cluster, attributes: [{ name: 'x', targetId: '0' }] })),
      { name: 'TargetNotFoundException' },
    );
  } finally {
    await agent.close();
  }
});
