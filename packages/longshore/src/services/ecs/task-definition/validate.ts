import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { fault } from '../faults.ts';
import { type DefinitionRequest, isEcrImage } from './definition.ts';
import { isFargateSize, parseCpu, parseMemory } from './sizes.ts';

const wrong = (message: string) => fault('ClientException', message);
const maxContainers = 10;
const maxBytes = 65_536;

/**
 * The rules that the model can't say
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html and the Fargate page
 * beside it). Throws ClientException with AWS's wording where AWS's wording is known.
 */
export function validateDefinition(request: DefinitionRequest): void {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(request.family)) throw wrong('Family contains invalid characters.');
  const bytes = Buffer.byteLength(JSON.stringify(request));
  if (bytes > maxBytes) throw wrong(`Actual length: '${bytes}'. Max allowed length is '${maxBytes}' bytes.`);
  const containers = request.containerDefinitions;
  if (containers.length === 0) throw wrong('Container list cannot be empty.');
  if (containers.length > maxContainers) throw wrong(`Task definition has more than ${maxContainers} containers.`);
  for (const compatibility of request.requiresCompatibilities ?? [])
    if (!['EC2', 'FARGATE', 'EXTERNAL', 'MANAGED_INSTANCES'].includes(compatibility))
      throw wrong(`Invalid value '${compatibility}' for requiresCompatibilities.`);
  const names = new Set<string>();
  for (const container of containers) {
    validateContainer(container);
    if (names.has(container.name ?? '')) throw wrong(`Duplicate container name: ${container.name}.`);
    names.add(container.name ?? '');
  }
  if (!containers.some((container) => container.essential ?? true))
    throw wrong('Task definition does not have an essential container. At least one container must be essential.');
  validateReferences(request, names);
  if (request.cpu !== undefined && parseCpu(request.cpu) === undefined)
    throw wrong(`Invalid 'cpu' setting for task. '${request.cpu}' is neither CPU units nor vCPUs.`);
  if (request.memory !== undefined && parseMemory(request.memory) === undefined)
    throw wrong(`Invalid 'memory' setting for task. '${request.memory}' is neither MiB nor GB.`);
  if (request.networkMode === 'awsvpc') validateAwsvpc(containers);
  if (request.requiresCompatibilities?.includes('FARGATE')) validateFargate(request);
  else validateMemory(request);
}

function validateContainer(container: ContainerDefinition): void {
  if (!container.name) throw wrong('Container.name should not be null or empty.');
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(container.name))
    throw wrong(`Container.name contains invalid characters: ${container.name}`);
  if (!container.image) throw wrong('Container.image should not be null or empty.');
  if (/\s/.test(container.image)) throw wrong('Container.image contains invalid characters.');
  for (const port of container.portMappings ?? []) {
    for (const value of [port.containerPort, port.hostPort])
      if (value !== undefined && (value < 0 || value > 65_535))
        throw wrong(`Invalid port ${value}: ports are between 0 and 65535.`);
  }
  const { memory, memoryReservation } = container;
  if (memory !== undefined && memory < 6)
    throw wrong(`Invalid setting for container '${container.name}'. 'memory' must be at least 6 MiB.`);
  if (memory !== undefined && memoryReservation !== undefined && memoryReservation > memory)
    throw wrong(
      `Invalid setting for container '${container.name}'. 'memory' should be greater than or equal to 'memoryReservation'.`,
    );
  const check = container.healthCheck;
  if (check) {
    if (!check.command?.length) throw wrong('Health check command must not be empty.');
    between(check.interval, 5, 300, 'Health check interval', 'seconds');
    between(check.timeout, 2, 60, 'Health check timeout', 'seconds');
    between(check.retries, 1, 10, 'Health check retries', '');
    between(check.startPeriod, 0, 300, 'Health check startPeriod', 'seconds');
  }
}

function between(value: number | undefined, low: number, high: number, what: string, unit: string): void {
  if (value !== undefined && (value < low || value > high))
    throw wrong(`${what} must be between ${low} and ${high}${unit && ` ${unit}`}.`);
}

function validateReferences(request: DefinitionRequest, names: ReadonlySet<string>): void {
  const volumes = new Set((request.volumes ?? []).map((volume) => volume.name));
  const essential = new Map(request.containerDefinitions.map((c) => [c.name, c.essential ?? true]));
  for (const container of request.containerDefinitions) {
    for (const mount of container.mountPoints ?? [])
      if (!volumes.has(mount.sourceVolume)) throw wrong(`Unknown volume '${mount.sourceVolume}'.`);
    for (const { containerName, condition } of container.dependsOn ?? []) {
      if (!containerName || !names.has(containerName) || containerName === container.name)
        throw wrong(
          `Invalid dependency: container '${container.name}' depends on '${containerName}', which is not another container of the task definition.`,
        );
      if ((condition === 'COMPLETE' || condition === 'SUCCESS') && essential.get(containerName))
        throw wrong(
          `Invalid dependency: the essential container '${containerName}' cannot be depended on with condition ${condition}.`,
        );
      if (condition === 'HEALTHY' && !request.containerDefinitions.find((c) => c.name === containerName)?.healthCheck)
        throw wrong(`Invalid dependency: container '${containerName}' has no health check for condition HEALTHY.`);
    }
  }
  const cycle = dependencyCycle(request.containerDefinitions);
  if (cycle) throw wrong(`Container dependencies form a cycle: ${cycle.join(' -> ')}.`);
}

function dependencyCycle(containers: readonly ContainerDefinition[]): readonly string[] | undefined {
  const next = new Map(containers.map((c) => [c.name ?? '', (c.dependsOn ?? []).map((d) => d.containerName ?? '')]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(name)) return [...path, name];
    if (done.has(name)) return undefined;
    for (const other of next.get(name) ?? []) {
      const cycle = visit(other, [...path, name]);
      if (cycle) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of next.keys()) {
    const cycle = visit(name, []);
    if (cycle) return cycle;
  }
  return undefined;
}

function validateAwsvpc(containers: readonly ContainerDefinition[]): void {
  const used = new Map<string, string>();
  for (const container of containers) {
    if (container.links?.length) throw wrong('Links are not supported when networkMode=awsvpc.');
    if (container.hostname) throw wrong('Hostname is not supported on container when networkMode=awsvpc.');
    for (const { containerPort, hostPort, protocol = 'tcp' } of container.portMappings ?? []) {
      if (hostPort && hostPort !== containerPort)
        throw wrong('When networkMode=awsvpc, the host ports and container ports in port mappings must match.');
      const key = `${protocol}/${containerPort}`;
      if (used.has(key))
        throw wrong(
          `Port ${containerPort}/${protocol} is mapped more than once: containers '${used.get(key)}' and '${container.name}' share the task's network.`,
        );
      used.set(key, container.name ?? '');
    }
  }
}

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html */
function validateFargate(request: DefinitionRequest): void {
  if (request.networkMode !== 'awsvpc') throw wrong("Fargate only supports network mode 'awsvpc'.");
  if (request.cpu === undefined) throw wrong("Fargate requires that 'cpu' be defined at the task level.");
  if (request.memory === undefined) throw wrong("Fargate requires that 'memory' be defined at the task level.");
  const cpu = parseCpu(request.cpu) ?? 0;
  const memory = parseMemory(request.memory) ?? 0;
  if (!isFargateSize(cpu, memory)) throw wrong('No Fargate configuration exists for given values.');
  const containers = request.containerDefinitions;
  for (const container of containers) {
    if (container.privileged) throw wrong("Fargate does not support 'privileged' containers.");
    const driver = container.logConfiguration?.logDriver;
    if (driver && !['awslogs', 'splunk', 'awsfirelens'].includes(driver))
      throw wrong(`Fargate does not support log driver '${driver}'.`);
    between(container.stopTimeout, 0, 120, 'stopTimeout', 'seconds');
    if ((container.memory ?? container.memoryReservation ?? 0) > memory)
      throw wrong(`Invalid setting for container '${container.name}'. The container's memory is more than the task's.`);
  }
  const reserved = containers.reduce(
    (sum, container) => sum + (container.memoryReservation ?? container.memory ?? 0),
    0,
  );
  if (reserved > memory) throw wrong("The sum of the containers' memory is more than the task's 'memory'.");
  if (containers.reduce((sum, container) => sum + (container.cpu ?? 0), 0) > cpu)
    throw wrong("The sum of the containers' cpu is more than the task's 'cpu'.");
  if (!request.executionRoleArn) {
    if (containers.some((container) => isEcrImage(container.image ?? '')))
      throw wrong('Fargate requires task definition to have execution role ARN to support ECR images.');
    if (containers.some((container) => container.logConfiguration?.logDriver === 'awslogs'))
      throw wrong('Fargate requires task definition to have execution role ARN to support log driver awslogs.');
    if (containers.some((container) => container.secrets?.length))
      throw wrong('Fargate requires task definition to have execution role ARN to support secrets.');
  }
  for (const container of containers)
    if (container.logConfiguration?.logDriver === 'awslogs')
      for (const option of ['awslogs-group', 'awslogs-region', 'awslogs-stream-prefix'])
        if (!container.logConfiguration.options?.[option])
          throw wrong(
            `Log driver awslogs requires options: awslogs-group, awslogs-region, awslogs-stream-prefix; container '${container.name}' has no ${option}.`,
          );
  const disk = request.ephemeralStorage?.sizeInGiB;
  if (disk !== undefined && (disk < 21 || disk > 200))
    throw wrong('ephemeralStorage.sizeInGiB must be between 21 and 200.');
}

function validateMemory(request: DefinitionRequest): void {
  if (request.memory !== undefined) return;
  for (const container of request.containerDefinitions)
    if (container.memory === undefined && container.memoryReservation === undefined)
      throw wrong(
        `Invalid setting for container '${container.name}'. At least one of 'memory' or 'memoryReservation' must be specified.`,
      );
}
