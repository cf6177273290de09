import type { ContainerDefinition, ContainerOverride } from '@aws-sdk/client-ecs';
import type { PayloadContainer, PayloadTask, RoleCredentials } from '../../../protocol/payload.ts';
import { lastPart } from '../names.ts';
import type { TaskRow } from '../tables.ts';
import type { Definition } from '../task-definition/definition.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { taskDocument } from '../tasks/document.ts';

/** What a payload says that neither the task nor its definition knows. */
export interface PayloadFacts {
  readonly region: string;
  readonly accountId: string;
  /** Where the API answers for the agent, e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** The API's port: `localhost:PORT/…` images are our registry's. */
  readonly port: number;
  readonly roleCredentials?: RoleCredentials;
  readonly executionRoleCredentials?: RoleCredentials;
}

/** The order to run a task: what an agent needs to know, and nothing that it must ask for. */
export function runPayload(row: TaskRow, definition: Definition, revision: number, facts: PayloadFacts): PayloadTask {
  const document = taskDocument(row);
  const overrides = new Map((document.overrides.containerOverrides ?? []).map((override) => [override.name, override]));
  const containerArns = new Map(document.containers.map((container) => [container.name, container.containerArn ?? '']));
  return withoutUndefined<PayloadTask>({
    arn: row.arn,
    taskClusterArn: row.clusterArn,
    desiredStatus: 'RUNNING',
    family: row.family,
    version: String(revision),
    taskDefinitionAccountId: facts.accountId,
    containers: (definition.containerDefinitions ?? []).map((container) =>
      payloadContainer(container, overrides.get(container.name), row, facts, containerArns.get(container.name) ?? ''),
    ),
    overrides: JSON.stringify(document.overrides),
    ...(facts.roleCredentials && { roleCredentials: facts.roleCredentials }),
    ...(facts.executionRoleCredentials && { executionRoleCredentials: facts.executionRoleCredentials }),
    ...(document.network &&
      row.interfaceId &&
      row.privateAddress && {
        elasticNetworkInterfaces: [
          {
            attachmentArn: document.network.attachmentArn,
            ec2Id: row.interfaceId,
            macAddress: document.network.macAddress,
            index: 0,
            ipv4Addresses: [{ primary: true, privateAddress: row.privateAddress }],
            subnetGatewayIpv4Address: document.network.subnetGateway,
            domainName: [],
            domainNameServers: ['169.254.169.253'],
            privateDnsName: document.network.privateDnsName,
          },
        ],
      }),
    cpu: row.cpu / 1024,
    memory: row.memory,
    launchType: row.launchType,
    networkMode: (definition.networkMode ?? 'bridge') as PayloadTask['networkMode'],
    ...(document.serviceName && { serviceName: document.serviceName }),
    ...(row.taskGroup && { group: row.taskGroup }),
  });
}

/** The order to stop a task. */
export function stopPayload(row: TaskRow, revision: number, accountId: string): PayloadTask {
  return {
    arn: row.arn,
    taskClusterArn: row.clusterArn,
    desiredStatus: 'STOPPED',
    family: row.family,
    version: String(revision),
    taskDefinitionAccountId: accountId,
    containers: [],
    launchType: row.launchType,
    networkMode: 'awsvpc',
  };
}

function payloadContainer(
  container: ContainerDefinition,
  override: ContainerOverride | undefined,
  row: TaskRow,
  facts: PayloadFacts,
  containerArn: string,
): PayloadContainer {
  const environment = Object.fromEntries(
    [...(container.environment ?? []), ...(override?.environment ?? [])].map(({ name, value }) => [
      name ?? '',
      value ?? '',
    ]),
  );
  const image = container.image ?? '';
  const registryId = ecrRegistry(image, facts);
  return withoutUndefined({
    name: container.name ?? '',
    image,
    cpu: override?.cpu ?? container.cpu ?? 0,
    memory: override?.memory ?? container.memory ?? 0,
    command: override?.command ?? container.command,
    entryPoint: container.entryPoint,
    environment,
    essential: container.essential ?? true,
    portMappings: (container.portMappings ?? [])
      .filter((port) => port.containerPort !== undefined)
      .map((port) =>
        withoutUndefined({
          containerPort: port.containerPort ?? 0,
          hostPort: port.hostPort,
          protocol: port.protocol ?? 'tcp',
          name: port.name,
        }),
      ),
    dependsOn: container.dependsOn?.map(({ containerName, condition }) => ({
      containerName: containerName ?? '',
      condition: condition ?? 'START',
    })),
    startTimeout: container.startTimeout,
    stopTimeout: container.stopTimeout,
    dockerConfig: {
      config: dockerConfig(container, row),
      hostConfig: hostConfig(container, row, facts),
      version: '1.19',
    },
    registryAuthentication: registryId
      ? {
          type: 'ecr' as const,
          ecrAuthData: {
            registryId,
            region: facts.region,
            endpointOverride: facts.endpoint,
            useExecutionRole: facts.executionRoleCredentials !== undefined,
          },
        }
      : undefined,
    logsAuthStrategy: facts.executionRoleCredentials && container.logConfiguration ? 'ExecutionRole' : undefined,
    containerArn,
  }) as PayloadContainer;
}

/** The account whose registry an image is in, where it is one of ours. */
function ecrRegistry(image: string, facts: PayloadFacts): string | undefined {
  const ecr = /^(\d{12})\.dkr\.ecr\.[^./]+\./.exec(image);
  if (ecr) return ecr[1];
  const host = image.split('/')[0] ?? '';
  return host === `localhost:${facts.port}` || host === `127.0.0.1:${facts.port}` ? facts.accountId : undefined;
}

/** Docker's container config (https://docs.docker.com/reference/api/engine/, ContainerConfig), durations in nanoseconds. */
function dockerConfig(container: ContainerDefinition, row: TaskRow): string {
  const seconds = (value: number | undefined) => (value === undefined ? undefined : value * 1e9);
  const check = container.healthCheck;
  return JSON.stringify({
    User: container.user,
    WorkingDir: container.workingDirectory,
    Tty: container.pseudoTerminal,
    OpenStdin: container.interactive,
    Labels: {
      ...container.dockerLabels,
      'com.amazonaws.ecs.cluster': row.clusterArn,
      'com.amazonaws.ecs.container-name': container.name,
      'com.amazonaws.ecs.task-arn': row.arn,
      'com.amazonaws.ecs.task-definition-family': row.family,
      'com.amazonaws.ecs.task-definition-version': row.taskDefinitionArn.split(':').at(-1),
    },
    Healthcheck: check && {
      Test: check.command,
      Interval: seconds(check.interval),
      Timeout: seconds(check.timeout),
      Retries: check.retries,
      StartPeriod: seconds(check.startPeriod),
    },
  });
}

/** Docker's host config. The log stream is named as ECS names it: `PREFIX/CONTAINER/TASK-ID`. */
function hostConfig(container: ContainerDefinition, row: TaskRow, facts: PayloadFacts): string {
  const log = container.logConfiguration;
  const linux = container.linuxParameters;
  const { 'awslogs-stream-prefix': prefix, ...options } = log?.options ?? {};
  return JSON.stringify({
    ReadonlyRootfs: container.readonlyRootFilesystem,
    Privileged: container.privileged,
    CapAdd: linux?.capabilities?.add,
    CapDrop: linux?.capabilities?.drop,
    Init: linux?.initProcessEnabled,
    ShmSize: linux?.sharedMemorySize === undefined ? undefined : linux.sharedMemorySize * 1024 * 1024,
    Tmpfs:
      linux?.tmpfs &&
      Object.fromEntries(
        linux.tmpfs.map((mount) => [
          mount.containerPath,
          [`size=${mount.size}m`, ...(mount.mountOptions ?? [])].join(','),
        ]),
      ),
    Ulimits: container.ulimits?.map((limit) => ({ Name: limit.name, Soft: limit.softLimit, Hard: limit.hardLimit })),
    Sysctls: container.systemControls?.length
      ? Object.fromEntries(container.systemControls.map((control) => [control.namespace, control.value]))
      : undefined,
    ExtraHosts: container.extraHosts?.map((host) => `${host.hostname}:${host.ipAddress}`),
    Dns: container.dnsServers,
    DnsSearch: container.dnsSearchDomains,
    LogConfig: log && {
      Type: log.logDriver,
      Config:
        log.logDriver === 'awslogs'
          ? {
              ...options,
              'awslogs-stream': `${prefix}/${container.name}/${lastPart(row.arn)}`,
              'awslogs-endpoint': facts.endpoint,
            }
          : { ...log.options },
    },
  });
}
