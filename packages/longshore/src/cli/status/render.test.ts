import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from './gather.ts';
import { render } from './render.ts';

const plain = { heading: (text: string) => text, dim: (text: string) => text, trouble: (text: string) => text };
const now = 1_000_000_000;
// awsJson's times are numbers on the wire, where the SDK's types have Date.
const seconds = (ago: number) => (now / 1000 - ago) as unknown as Date;

const status: Status = {
  clusters: [
    {
      cluster: { clusterName: 'default', runningTasksCount: 2, pendingTasksCount: 1 },
      services: [
        {
          serviceName: 'hello',
          deployments: [
            {
              status: 'PRIMARY',
              rolloutState: 'IN_PROGRESS',
              desiredCount: 2,
              runningCount: 1,
              pendingCount: 1,
              taskDefinition: 'arn:aws:ecs:r:1:task-definition/hello:4',
            },
            {
              status: 'ACTIVE',
              rolloutState: 'COMPLETED',
              desiredCount: 2,
              runningCount: 1,
              pendingCount: 0,
              taskDefinition: 'arn:aws:ecs:r:1:task-definition/hello:3',
            },
          ],
        },
      ],
      tasks: [
        {
          taskArn: 'arn:aws:ecs:us-east-1:1:task/default/0123456789abcdef0123456789abcdef',
          group: 'service:hello',
          lastStatus: 'RUNNING',
          healthStatus: 'UNKNOWN',
          startedAt: seconds(300),
          attachments: [
            { type: 'ElasticNetworkInterface', details: [{ name: 'privateIPv4Address', value: '172.31.5.9' }] },
          ],
        },
        {
          taskArn: 'arn:aws:ecs:us-east-1:1:task/default/fedcba98',
          group: 'service:hello',
          lastStatus: 'STOPPED',
          stopCode: 'TaskFailedToStart',
          stoppedAt: seconds(30),
          stoppedReason: `CannotPullContainerError: ${'pull image manifest has been retried '.repeat(5)}`,
        },
      ],
    },
  ],
  balancers: [
    {
      name: 'hello',
      state: 'active',
      url: `http://hello-${'1'.repeat(60)}.us-east-1.elb.localhost/`,
      healthy: 1,
      targets: 2,
      reasons: ['Health checks failed'],
    },
  ],
  nodes: [
    {
      containerInstanceArn: 'arn:aws:ecs:us-east-1:1:container-instance/longshore-fargate/0123456789abcdef',
      status: 'ACTIVE',
      agentConnected: true,
      runningTasksCount: 2,
      registeredResources: [{ name: 'CPU', integerValue: 2048 }],
      remainingResources: [{ name: 'CPU', integerValue: 1536 }],
    },
  ],
};

test('everything at one look, in 80 columns but for URLs, which are copied', () => {
  const lines = render(status, 80, now, plain);
  for (const line of lines) assert.ok(line.length <= 80 || line.includes('http://'), `too wide: ${line}`);
  const text = lines.join('\n');
  for (const words of [
    'Cluster default  1 service, 2 running, 1 pending',
    /hello +2 +1 +1 +PRIMARY IN_PROGRESS +hello:4/,
    /ACTIVE COMPLETED +hello:3/,
    /0123456789ab +hello +RUNNING +- +172\.31\.5\.9 +5 min/,
    /fedcba98 +hello +30 s ago +CannotPullContainerError/,
    '1 of 2 targets healthy',
    'Health checks failed',
    /0123456789ab +ACTIVE +2 +512 of 2048/,
  ]) {
    assert.ok(typeof words === 'string' ? text.includes(words) : words.test(text), `${words} in\n${text}`);
  }
});

test('with nothing there it says what comes next', () => {
  const text = render({ clusters: [], balancers: [], nodes: [] }, 80, now, plain).join('\n');
  assert.match(text, /longshore deploy/);
  assert.match(text, /No node is connected/);
});
