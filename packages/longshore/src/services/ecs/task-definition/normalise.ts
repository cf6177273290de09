import type { Attribute, Compatibility, ContainerDefinition } from '@aws-sdk/client-ecs';
import { type Definition, type DefinitionRequest, isEcrImage } from './definition.ts';
import { isFargateSize, parseCpu, parseMemory } from './sizes.ts';

/**
 * A valid request as AWS echoes it: sizes as plain numbers, empty lists where none was given, and what follows from
 * the rest. Terraform plans never converge where this differs from AWS.
 */
export function normaliseDefinition(request: DefinitionRequest): Definition {
  const cpu = request.cpu === undefined ? undefined : parseCpu(request.cpu);
  const memory = request.memory === undefined ? undefined : parseMemory(request.memory);
  const awsvpc = request.networkMode === 'awsvpc';
  return withoutUndefined({
    family: request.family,
    containerDefinitions: request.containerDefinitions.map((container) =>
      normaliseContainer(container, request.networkMode),
    ),
    taskRoleArn: request.taskRoleArn || undefined,
    executionRoleArn: request.executionRoleArn || undefined,
    networkMode: request.networkMode,
    volumes: (request.volumes ?? []).map((volume) => ({
      ...volume,
      ...(Object.keys(volume).some((key) => key !== 'name') ? {} : { host: {} }),
    })),
    requiresAttributes: requiredAttributes(request),
    placementConstraints: request.placementConstraints ?? [],
    compatibilities: compatibilities(request, cpu, memory, awsvpc),
    runtimePlatform: request.runtimePlatform,
    requiresCompatibilities: request.requiresCompatibilities?.length ? request.requiresCompatibilities : undefined,
    cpu: cpu === undefined ? undefined : String(cpu),
    memory: memory === undefined ? undefined : String(memory),
    inferenceAccelerators: request.inferenceAccelerators,
    pidMode: request.pidMode,
    ipcMode: request.ipcMode,
    proxyConfiguration: request.proxyConfiguration,
    ephemeralStorage: request.ephemeralStorage,
    enableFaultInjection: request.enableFaultInjection,
  });
}

function normaliseContainer(container: ContainerDefinition, networkMode: string | undefined): ContainerDefinition {
  return withoutUndefined({
    ...container,
    cpu: container.cpu ?? 0,
    essential: container.essential ?? true,
    portMappings: (container.portMappings ?? []).map((port) =>
      withoutUndefined({
        ...port,
        hostPort:
          port.containerPortRange !== undefined
            ? undefined
            : networkMode === 'awsvpc' || networkMode === 'host'
              ? port.hostPort || port.containerPort
              : (port.hostPort ?? 0),
        protocol: port.protocol ?? 'tcp',
      }),
    ),
    environment: container.environment ?? [],
    mountPoints: (container.mountPoints ?? []).map((mount) => withoutUndefined(mount)),
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
    ...(container.healthCheck && {
      healthCheck: withoutUndefined({
        ...container.healthCheck,
        interval: container.healthCheck.interval ?? 30,
        timeout: container.healthCheck.timeout ?? 5,
        retries: container.healthCheck.retries ?? 3,
      }),
    }),
  });
}

function compatibilities(
  request: DefinitionRequest,
  cpu: number | undefined,
  memory: number | undefined,
  awsvpc: boolean,
): Compatibility[] {
  const fargate = awsvpc && cpu !== undefined && memory !== undefined && isFargateSize(cpu, memory);
  const external = !awsvpc && !request.volumes?.some((volume) => volume.efsVolumeConfiguration);
  return [...(external ? (['EXTERNAL'] as const) : []), 'EC2', ...(fargate ? (['FARGATE'] as const) : [])];
}

/** What an agent must be able to do, as attributes of its instance. */
function requiredAttributes(request: DefinitionRequest): Attribute[] {
  const names = new Set<string>();
  const docker = (version: string) => names.add(`com.amazonaws.ecs.capability.docker-remote-api.${version}`);
  for (const container of request.containerDefinitions) {
    const driver = container.logConfiguration?.logDriver;
    if (driver) {
      names.add(
        driver === 'awsfirelens'
          ? 'ecs.capability.logging-driver.awsfirelens'
          : `com.amazonaws.ecs.capability.logging-driver.${driver}`,
      );
      docker('1.18');
      if (driver === 'awslogs') {
        docker('1.19');
        if (request.executionRoleArn) names.add('ecs.capability.execution-role-awslogs');
      }
    }
    if (isEcrImage(container.image ?? '')) {
      names.add('com.amazonaws.ecs.capability.ecr-auth');
      docker('1.19');
      if (request.executionRoleArn) names.add('ecs.capability.execution-role-ecr-pull');
    }
    if (container.healthCheck) {
      names.add('ecs.capability.container-health-check');
      docker('1.29');
    }
    if (container.privileged) names.add('com.amazonaws.ecs.capability.privileged-container');
    if (container.dependsOn?.length) names.add('ecs.capability.container-ordering');
    for (const secret of container.secrets ?? [])
      names.add(
        secret.valueFrom?.startsWith('arn:aws:secretsmanager:')
          ? 'ecs.capability.secrets.asm.environment-variables'
          : 'ecs.capability.secrets.ssm.environment-variables',
      );
  }
  if (request.taskRoleArn) {
    names.add('com.amazonaws.ecs.capability.task-iam-role');
    docker('1.17');
  }
  if (request.networkMode === 'awsvpc') {
    docker('1.18');
    names.add('ecs.capability.task-eni');
  }
  if (request.volumes?.some((volume) => volume.efsVolumeConfiguration)) names.add('ecs.capability.efs');
  if (request.pidMode || request.ipcMode) names.add('ecs.capability.pid-ipc-namespace-sharing');
  return [...names].map((name) => ({ name }));
}

/** The object without the members that are undefined, as it comes back from JSON. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
