import assert from 'node:assert/strict';
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Task,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import { until } from './longshore.ts';

/** What tasks stand on, as far as the journey has come. */
export interface Ground {
  executionRole: string;
  subnets: string[];
  groupId: string;
}

export const logging = (prefix: string) => ({
  logDriver: 'awslogs',
  options: { 'awslogs-group': '/ecs/e2e', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': prefix },
});
export const addressOf = (task: Task) =>
  task.attachments?.[0]?.details?.find((detail) => detail.name === 'privateIPv4Address')?.value ?? '';

/** Fargate tasks and the service `web` of one cluster, by the genuine SDK. */
export function fargate(ecs: () => ECSClient, cluster: string, ground: Ground) {
  const network = () => ({
    subnets: ground.subnets,
    securityGroups: [ground.groupId],
    assignPublicIp: 'ENABLED' as const,
  });
  const definition = (family: string, containers: object[], extra: object = {}) =>
    ecs().send(
      new RegisterTaskDefinitionCommand({
        family,
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        executionRoleArn: ground.executionRole,
        containerDefinitions: containers as never,
        ...extra,
      }),
    );
  const runTask = async (family: string, extra: object = {}): Promise<Task> => {
    const answer = await ecs().send(
      new RunTaskCommand({
        cluster,
        taskDefinition: family,
        launchType: 'FARGATE',
        networkConfiguration: { awsvpcConfiguration: network() },
        ...extra,
      }),
    );
    assert.deepEqual(answer.failures, []);
    return answer.tasks?.[0] as Task;
  };
  const describe = async (task: string): Promise<Task> => {
    const { tasks } = await ecs().send(new DescribeTasksCommand({ cluster, tasks: [task] }));
    return tasks?.[0] as Task;
  };
  const taskIn = (task: Task, status: string, timeoutMs = 30_000) =>
    until(`${task.taskArn} to be ${status}`, timeoutMs, async () => {
      const now = await describe(task.taskArn ?? '');
      if (now.lastStatus === 'STOPPED' && status !== 'STOPPED')
        throw new Error(`stopped: ${JSON.stringify(now, null, 1)}`);
      return now.lastStatus === status && now;
    });
  const service = async (name = 'web') =>
    (await ecs().send(new DescribeServicesCommand({ cluster, services: [name] }))).services?.[0];
  const stable = (seconds = 60) =>
    waitUntilServicesStable(
      { client: ecs(), maxWaitTime: seconds, minDelay: 1, maxDelay: 1 },
      { cluster, services: ['web'] },
    );
  return { network, definition, runTask, describe, taskIn, service, stable };
}
