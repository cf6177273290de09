import type { EcsParameters } from '@aws-sdk/client-eventbridge';
import { Fault } from '../../../wire/fault.ts';
import type { IamContract, SessionCredentials } from '../../iam/contract.ts';
import { done, type Outcome } from './attempt.ts';

/** Runs tasks as the role of a target: RunTask's input in ECS's own shape, and its answer's failures. */
export type RunTask = (
  credentials: SessionCredentials,
  input: Readonly<Record<string, unknown>>,
) => Promise<{ readonly failures?: readonly { readonly reason?: string | undefined }[] | undefined }>;

/** What would go wrong the next time too. */
const final: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'ClientException',
  'ClusterNotFoundException',
  'InvalidParameterException',
  'NoSuchEntity',
  'NotImplementedException',
  'PlatformUnknownException',
  'UnsupportedFeatureException',
]);

const sessionSeconds = 900;

/** RunTask as the target's role. A delivery that comes twice runs once: its id is the request's token. */
export async function startTasks(
  parts: { readonly iam: Pick<IamContract, 'sessionFor'>; readonly runTask: RunTask },
  request: {
    readonly clusterArn: string;
    readonly roleArn: string;
    readonly ruleName: string;
    readonly parameters: EcsParameters;
    readonly delivery: { readonly id: string; readonly payload: string };
  },
): Promise<Outcome> {
  try {
    const input = runTaskInput(request);
    const credentials = await parts.iam.sessionFor(
      request.roleArn,
      'events.amazonaws.com',
      request.delivery.id,
      sessionSeconds,
    );
    const { failures = [] } = await parts.runTask(credentials, input);
    if (failures.length === 0) return done;
    return { kind: 'again', reason: failures.map(({ reason }) => reason).join('; ') };
  } catch (error) {
    if (!(error instanceof Fault)) return { kind: 'again', reason: (error as Error).message };
    const reason = `${error.code}: ${error.message}`;
    return { kind: final.has(error.code) ? 'never' : 'again', reason };
  }
}

/** EventBridge's parameters in ECS's shape; an object as payload is the task's overrides. */
function runTaskInput({
  clusterArn,
  ruleName,
  parameters,
  delivery,
}: Parameters<typeof startTasks>[1]): Record<string, unknown> {
  const network = parameters.NetworkConfiguration?.awsvpcConfiguration;
  const overrides = delivery.payload === '' ? undefined : (JSON.parse(delivery.payload) as unknown);
  const isObject = typeof overrides === 'object' && overrides !== null && !Array.isArray(overrides);
  return clean({
    cluster: clusterArn,
    taskDefinition: parameters.TaskDefinitionArn,
    count: parameters.TaskCount ?? 1,
    launchType: parameters.LaunchType,
    networkConfiguration: network && {
      awsvpcConfiguration: clean({
        subnets: network.Subnets,
        securityGroups: network.SecurityGroups,
        assignPublicIp: network.AssignPublicIp,
      }),
    },
    platformVersion: parameters.PlatformVersion,
    group: parameters.Group,
    capacityProviderStrategy: parameters.CapacityProviderStrategy,
    enableECSManagedTags: parameters.EnableECSManagedTags,
    enableExecuteCommand: parameters.EnableExecuteCommand,
    placementConstraints: parameters.PlacementConstraints,
    placementStrategy: parameters.PlacementStrategy,
    propagateTags: parameters.PropagateTags,
    referenceId: parameters.ReferenceId,
    tags: parameters.Tags?.map(({ Key, Value }) => ({ key: Key, value: Value })),
    overrides: isObject ? overrides : undefined,
    startedBy: `events-rule/${ruleName}`.slice(0, 36),
    clientToken: delivery.id,
  });
}

const clean = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
