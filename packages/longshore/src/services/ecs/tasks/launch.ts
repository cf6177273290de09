import type { LoadBalancer, Tag, TaskOverride } from '@aws-sdk/client-ecs';
import { sql } from 'kysely';
import { fargateCluster } from '../../../protocol/fargate.ts';
import { Fault } from '../../../wire/fault.ts';
import type { CredentialsKeeper, TaskCredentials } from '../agents/credentials.ts';
import { taskChanged } from '../announce.ts';
import { fault } from '../faults.ts';
import { definitionOf, setTags } from '../lookups.ts';
import { attachmentArn, clusterArn, containerArn, lastPart, type Place, taskArn } from '../names.ts';
import { type EcsParts, type EcsTx, foreign } from '../parts.ts';
import { type Machine, place } from '../scheduler/place.ts';
import type { ClusterRow, TaskDefinitionRow, TaskRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { parseCpu, parseMemory } from '../task-definition/sizes.ts';
import type { TaskDocument } from './document.ts';

/** Machines whose agent went away less than this ago still get tasks: it is most likely coming back. */
const awayMs = 60_000;

export interface LaunchRequest {
  readonly cluster: ClusterRow;
  readonly definition: TaskDefinitionRow;
  readonly count: number;
  readonly overrides: TaskOverride;
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly assignPublicIp: boolean;
  readonly group: string;
  readonly startedBy?: string;
  readonly tags: readonly Tag[];
  readonly enableExecuteCommand: boolean;
  readonly platformVersion: string;
  readonly capacityProviderName?: string;
  readonly service?: {
    readonly arn: string;
    readonly name: string;
    readonly deploymentId: string;
    readonly loadBalancers: readonly LoadBalancer[];
  };
}

/** Tasks that are about to be made: their names and credentials, got before the transaction. */
export interface Launch {
  readonly request: LaunchRequest;
  readonly tasks: readonly {
    readonly arn: string;
    readonly credentials: TaskCredentials;
    readonly credentialIds: TaskDocument['credentialIds'];
  }[];
}

export interface Launched {
  readonly tasks: readonly TaskRow[];
  readonly failures: readonly { readonly reason: string; readonly detail: string }[];
}

export interface Launcher {
  /** Throws ClientException where a role can't be assumed. */
  prepare(request: LaunchRequest): Promise<Launch>;
  /** Places the tasks and makes their rows and interfaces. Tasks that find no room are failures; nothing of them stays. */
  commit(tx: EcsTx, launch: Launch): Promise<Launched>;
  /** Keeps the credentials of what was made, for the payload. */
  committed(launch: Launch, launched: Launched): void;
}

/** Makes tasks: their roles, network interfaces and places. */
export function launcher(parts: EcsParts, credentials: CredentialsKeeper): Launcher {
  const { clock, random, ec2, settings } = parts;
  return {
    async prepare(request) {
      const where: Place = { region: settings.region, accountId: request.cluster.accountId };
      const roles = rolesOf(request);
      const tasks = await Promise.all(
        Array.from({ length: request.count }, async () => {
          const arn = taskArn(where, request.cluster.name, random.hex(32));
          const credentialIds = { task: random.uuid(), execution: random.uuid() };
          return { arn, credentialIds, credentials: await assume(credentials, arn, { ...roles, credentialIds }) };
        }),
      );
      return { request, tasks };
    },

    async commit(tx, { request, tasks }) {
      const definition = definitionOf(request.definition);
      const where: Place = { region: settings.region, accountId: request.cluster.accountId };
      const cpu = parseCpu(request.overrides.cpu ?? definition.cpu ?? '') ?? 256;
      const memory = parseMemory(request.overrides.memory ?? definition.memory ?? '') ?? 512;
      const now = clock.now();
      const machines = await machinesNow(tx, clusterArn(where, fargateCluster), now - awayMs);
      const made: TaskRow[] = [];
      const failures: { reason: string; detail: string }[] = [];
      for (const [index, task] of tasks.entries()) {
        const placement = place(machines, { cpu, memory });
        if ('reason' in placement) {
          failures.push(placement);
          continue;
        }
        const machine = machines.find((one) => one.arn === placement.arn) as {
          committedCpu: number;
          committedMemory: number;
        };
        machine.committedCpu += cpu;
        machine.committedMemory += memory;
        const id = lastPart(task.arn);
        const attachmentId = random.uuid();
        const attachment = attachmentArn(where, attachmentId);
        const card = await ec2
          .createInterface(foreign(tx), {
            subnetId: request.subnets[index % request.subnets.length] ?? '',
            groupIds: request.securityGroups,
            assignPublicIp: request.assignPublicIp,
            description: attachment,
            requesterId: 'amazon-ecs',
          })
          .catch((error: unknown) => {
            if (error instanceof Fault && error.code === 'InsufficientFreeAddressesInSubnet') return error;
            throw asEcs(error);
          });
        if (card instanceof Fault) {
          failures.push({ reason: 'RESOURCE:ENI', detail: card.message });
          continue;
        }
        const details = [
          { name: 'subnetId', value: card.subnetId },
          { name: 'networkInterfaceId', value: card.interfaceId },
          { name: 'macAddress', value: card.macAddress },
          { name: 'privateDnsName', value: card.privateDnsName },
          { name: 'privateIPv4Address', value: card.privateAddress },
        ];
        const overridden = new Map((request.overrides.containerOverrides ?? []).map((one) => [one.name, one]));
        const document: TaskDocument = withoutUndefined({
          overrides: withoutUndefined({
            ...request.overrides,
            containerOverrides: (definition.containerDefinitions ?? []).map(
              (container) => overridden.get(container.name) ?? withoutUndefined({ name: container.name }),
            ),
            inferenceAcceleratorOverrides: [],
          }),
          containers: (definition.containerDefinitions ?? []).map((container) =>
            withoutUndefined({
              containerArn: containerArn(where, request.cluster.name, id, random.uuid()),
              taskArn: task.arn,
              name: container.name,
              image: container.image,
              lastStatus: 'PENDING',
              networkInterfaces: [{ attachmentId, privateIpv4Address: card.privateAddress }],
              healthStatus: 'UNKNOWN' as const,
              managedAgents: undefined,
              cpu: String(overridden.get(container.name)?.cpu ?? container.cpu ?? 0),
              memory: text(overridden.get(container.name)?.memory ?? container.memory),
              memoryReservation: text(overridden.get(container.name)?.memoryReservation ?? container.memoryReservation),
            }),
          ),
          attachments: [{ id: attachmentId, type: 'ElasticNetworkInterface', status: 'PRECREATED', details }],
          attributes: [
            {
              name: 'ecs.cpu-architecture',
              value: definition.runtimePlatform?.cpuArchitecture?.toLowerCase() ?? 'x86_64',
            },
          ],
          availabilityZone: card.availabilityZone,
          ...(request.capacityProviderName && { capacityProviderName: request.capacityProviderName }),
          platformVersion: request.platformVersion,
          enableExecuteCommand: request.enableExecuteCommand,
          ...(definition.ephemeralStorage && { ephemeralStorage: definition.ephemeralStorage }),
          network: {
            attachmentArn: attachment,
            macAddress: card.macAddress,
            subnetGateway: card.subnetGateway,
            privateDnsName: card.privateDnsName,
          },
          loadBalancers: request.service?.loadBalancers ?? [],
          ...(request.service && { serviceName: request.service.name }),
          ...rolesOf(request),
          credentialIds: task.credentialIds,
        });
        const row: TaskRow = {
          arn: task.arn,
          clusterArn: request.cluster.arn,
          instanceArn: placement.arn,
          taskDefinitionArn: request.definition.arn,
          family: request.definition.family,
          serviceArn: request.service?.arn ?? null,
          deploymentId: request.service?.deploymentId ?? null,
          startedBy: request.service?.deploymentId ?? request.startedBy ?? null,
          taskGroup: request.group,
          launchType: 'FARGATE',
          desiredStatus: 'RUNNING',
          lastStatus: 'PROVISIONING',
          cpu,
          memory,
          version: 1,
          interfaceId: card.interfaceId,
          privateAddress: card.privateAddress,
          targets: request.service?.loadBalancers.length ? 'waiting' : 'none',
          drainingSince: null,
          healthStatus: 'UNKNOWN',
          counted: 0,
          connectivity: null,
          connectivityAt: null,
          createdAt: now,
          pullStartedAt: null,
          pullStoppedAt: null,
          startedAt: null,
          executionStoppedAt: null,
          stoppingAt: null,
          stoppedAt: null,
          stopCode: null,
          stoppedReason: null,
          document: JSON.stringify(document),
        };
        await tx.db.insertInto('ecs_tasks').values(row).execute();
        if (request.tags.length > 0) await setTags(tx.db, task.arn, request.tags);
        tx.changed('ecs.task', task.arn);
        await taskChanged(parts, tx, row);
        made.push(row);
      }
      return { tasks: made, failures };
    },

    committed(launch, launched) {
      const made = new Set(launched.tasks.map((task) => task.arn));
      for (const task of launch.tasks) if (made.has(task.arn)) credentials.keep(task.arn, task.credentials);
    },
  };
}

const text = (value: number | undefined) => (value === undefined ? undefined : String(value));

function rolesOf(request: LaunchRequest): { taskRoleArn?: string; executionRoleArn?: string } {
  const definition = definitionOf(request.definition);
  const taskRoleArn = request.overrides.taskRoleArn ?? definition.taskRoleArn;
  const executionRoleArn = request.overrides.executionRoleArn ?? definition.executionRoleArn;
  return { ...(taskRoleArn && { taskRoleArn }), ...(executionRoleArn && { executionRoleArn }) };
}

async function assume(
  credentials: CredentialsKeeper,
  arn: string,
  task: Pick<TaskDocument, 'taskRoleArn' | 'executionRoleArn' | 'credentialIds'>,
): Promise<TaskCredentials> {
  try {
    return await credentials.mint(arn, task);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const roles = [task.taskRoleArn, task.executionRoleArn].filter(Boolean).join("' or '");
    throw fault(
      'ClientException',
      `ECS was unable to assume the role '${roles}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role. (${error.message})`,
    );
  }
}

/** The Fargate machines and what is committed of them. */
async function machinesNow(tx: EcsTx, cluster: string, awaySince: number): Promise<Machine[]> {
  const rows = await tx.db
    .selectFrom('ecs_instances')
    .leftJoin('ecs_tasks', (join) =>
      join.onRef('ecs_tasks.instanceArn', '=', 'ecs_instances.arn').on('ecs_tasks.lastStatus', '!=', 'STOPPED'),
    )
    .where('ecs_instances.clusterArn', '=', cluster)
    .where('ecs_instances.status', '=', 'ACTIVE')
    .where((eb) => eb.or([eb('agentConnected', '=', 1), eb('agentSeenAt', '>', awaySince)]))
    .groupBy(['ecs_instances.arn', 'ecs_instances.cpu', 'ecs_instances.memory', 'ecs_instances.agentConnected'])
    .select([
      'ecs_instances.arn',
      'ecs_instances.cpu',
      'ecs_instances.memory',
      'ecs_instances.agentConnected',
      sql<number>`coalesce(sum(${sql.ref('ecs_tasks.cpu')}), 0)`.as('committedCpu'),
      sql<number>`coalesce(sum(${sql.ref('ecs_tasks.memory')}), 0)`.as('committedMemory'),
    ])
    .execute();
  return rows.map((row) => ({
    arn: row.arn,
    cpu: row.cpu,
    memory: row.memory,
    committedCpu: Number(row.committedCpu),
    committedMemory: Number(row.committedMemory),
    connected: row.agentConnected === 1,
  }));
}

/** EC2's faults as ECS passes them on. */
export function asEcs(error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  return fault('InvalidParameterException', `${error.message} (ErrorCode: ${error.code})`);
}
