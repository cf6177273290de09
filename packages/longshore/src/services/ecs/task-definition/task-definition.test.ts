import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DefinitionRequest } from './definition.ts';
import { normaliseDefinition } from './normalise.ts';
import { isFargateSize, parseCpu, parseMemory } from './sizes.ts';
import { checkRunnable } from './supported.ts';
import { validateDefinition } from './validate.ts';

const request = (over: Partial<DefinitionRequest> = {}): DefinitionRequest => ({
  family: 'web',
  networkMode: 'awsvpc',
  requiresCompatibilities: ['FARGATE'],
  cpu: '256',
  memory: '512',
  containerDefinitions: [{ name: 'app', image: 'app:1' }],
  ...over,
});
const container = (over: object) => request({ containerDefinitions: [{ name: 'app', image: 'app:1', ...over }] });

test('sizes are read as AWS reads them', () => {
  assert.deepEqual(['256', '.5 vCPU', '1vcpu', '0.25 VCPU'].map(parseCpu), [256, 512, 1024, 256]);
  assert.deepEqual(['512', '1 GB', '.5gb', '30GB', '1024 MB'].map(parseMemory), [512, 1024, 512, 30720, 1024]);
  assert.deepEqual(['', 'x', '-1', '1 core'].map(parseCpu), [undefined, undefined, undefined, undefined]);
  const fitting: [number, number][] = [
    [256, 2048],
    [512, 4096],
    [1024, 8192],
    [2048, 16384],
    [4096, 30720],
    [8192, 61440],
    [16384, 122880],
    [32768, 249856],
  ];
  for (const [cpu, memory] of fitting) assert.ok(isFargateSize(cpu, memory), `${cpu}/${memory}`);
  const wrong: [number, number][] = [
    [256, 3072],
    [512, 512],
    [1024, 1024],
    [8192, 17408],
    [300, 512],
  ];
  for (const [cpu, memory] of wrong) assert.ok(!isFargateSize(cpu, memory), `${cpu}/${memory}`);
});

test('what is registered comes back as AWS echoes it', () => {
  const definition = normaliseDefinition(
    request({
      cpu: '.25 vCPU',
      memory: '0.5 GB',
      executionRoleArn: 'arn:aws:iam::111122223333:role/e',
      containerDefinitions: [
        {
          name: 'app',
          image: '111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1',
          portMappings: [{ containerPort: 80 }],
          logConfiguration: { logDriver: 'awslogs', options: {} },
        },
      ],
    }),
  );
  const [app] = definition.containerDefinitions ?? [];
  assert.deepEqual(
    [definition.cpu, definition.memory, definition.volumes, definition.placementConstraints],
    ['256', '512', [], []],
  );
  assert.deepEqual(definition.compatibilities, ['EC2', 'FARGATE']);
  assert.deepEqual(
    [app?.cpu, app?.essential, app?.environment, app?.mountPoints, app?.volumesFrom, app?.systemControls],
    [0, true, [], [], [], []],
  );
  assert.deepEqual(app?.portMappings, [{ containerPort: 80, hostPort: 80, protocol: 'tcp' }]);
  const required = definition.requiresAttributes?.map((one) => one.name);
  for (const name of [
    'ecs.capability.task-eni',
    'com.amazonaws.ecs.capability.ecr-auth',
    'ecs.capability.execution-role-ecr-pull',
    'ecs.capability.execution-role-awslogs',
    'com.amazonaws.ecs.capability.logging-driver.awslogs',
  ])
    assert.ok(required?.includes(name), name);
  assert.ok(!('taskRoleArn' in definition));
});

test('a definition without Fargate may leave out its sizes', () => {
  const bridge: DefinitionRequest = {
    family: 'old',
    containerDefinitions: [{ name: 'app', image: 'app', memory: 128 }],
  };
  validateDefinition(bridge);
  assert.deepEqual(normaliseDefinition(bridge).compatibilities, ['EXTERNAL', 'EC2']);
  assert.throws(() => validateDefinition({ family: 'old', containerDefinitions: [{ name: 'app', image: 'app' }] }), {
    message: /At least one of 'memory' or 'memoryReservation' must be specified/,
  });
});

test('each rule refuses with ClientException and says which it is', () => {
  const cases: [DefinitionRequest, RegExp][] = [
    [request({ memory: '3 GB' }), /^No Fargate configuration exists for given values\.$/],
    [request({ cpu: undefined as never }), /^Fargate requires that 'cpu' be defined at the task level\.$/],
    [request({ networkMode: 'bridge' }), /^Fargate only supports network mode 'awsvpc'\.$/],
    [
      container({ image: '111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1' }),
      /^Fargate requires task definition to have execution role ARN to support ECR images\.$/,
    ],
    [
      container({ logConfiguration: { logDriver: 'awslogs', options: {} } }),
      /^Fargate requires task definition to have execution role ARN to support log driver awslogs\.$/,
    ],
    [
      container({ portMappings: [{ containerPort: 80, hostPort: 8080 }] }),
      /^When networkMode=awsvpc, the host ports and container ports in port mappings must match\.$/,
    ],
    [container({ portMappings: [{ containerPort: 80 }, { containerPort: 80 }] }), /mapped more than once/],
    [container({ links: ['other'] }), /^Links are not supported when networkMode=awsvpc\.$/],
    [container({ name: '' }), /^Container\.name should not be null or empty\.$/],
    [container({ image: '' }), /^Container\.image should not be null or empty\.$/],
    [container({ essential: false }), /essential/],
    [container({ privileged: true }), /privileged/],
    [container({ memory: 1024 }), /memory is more than the task's/],
    [container({ mountPoints: [{ sourceVolume: 'data', containerPath: '/d' }] }), /^Unknown volume 'data'\.$/],
    [
      container({ healthCheck: { command: ['CMD', 'true'], interval: 1 } }),
      /interval must be between 5 and 300 seconds/,
    ],
    [container({ dependsOn: [{ containerName: 'none', condition: 'START' }] }), /not another container/],
    [
      container({ environment: [{ name: 'A', value: 'x'.repeat(70_000) }] }),
      /^Actual length: '\d+'\. Max allowed length is '65536' bytes\.$/,
    ],
    [request({ family: 'a b' }), /^Family contains invalid characters\.$/],
    [request({ containerDefinitions: [] }), /empty/],
    [
      request({ containerDefinitions: Array.from({ length: 11 }, (_, index) => ({ name: `c${index}`, image: 'x' })) }),
      /more than 10 containers/,
    ],
    [
      request({
        containerDefinitions: [
          { name: 'a', image: 'x' },
          { name: 'a', image: 'x' },
        ],
      }),
      /Duplicate container name: a/,
    ],
    [
      request({
        containerDefinitions: [
          { name: 'a', image: 'x', dependsOn: [{ containerName: 'b', condition: 'START' }] },
          { name: 'b', image: 'x', dependsOn: [{ containerName: 'a', condition: 'START' }] },
        ],
      }),
      /form a cycle: a -> b -> a/,
    ],
    [
      request({
        containerDefinitions: [
          { name: 'a', image: 'x' },
          { name: 'b', image: 'x', dependsOn: [{ containerName: 'a', condition: 'SUCCESS' }] },
        ],
      }),
      /essential container 'a' cannot be depended on with condition SUCCESS/,
    ],
  ];
  for (const [given, message] of cases)
    assert.throws(() => validateDefinition(given), { code: 'ClientException', message }, String(message));
});

test('what would be left out in silence is refused when it is to run', () => {
  checkRunnable(normaliseDefinition(request()));
  for (const over of [
    { secrets: [{ name: 'A', valueFrom: 'b' }] },
    { mountPoints: [{}] },
    { healthCheck: { command: ['CMD', 'true'] } },
  ])
    assert.throws(() => checkRunnable(normaliseDefinition(container(over))), { code: 'NotImplementedException' });
});
