import type { ColumnDataType, Selectable } from 'kysely';
import type { Migrations } from '../../state/store.ts';

/**
 * ECS's rows. Times are milliseconds since the epoch, booleans 0 or 1, `document` JSON of what no query asks for.
 * Topics of the change feed: `ecs.cluster`, `ecs.instance`, `ecs.task`, `ecs.service`, each keyed by ARN.
 */
export interface EcsTables {
  /** Numbers that only grow, e.g. how often the agent gateway was started. */
  ecs_counters: { name: string; value: number };
  ecs_clusters: {
    arn: string;
    name: string;
    accountId: string;
    status: 'ACTIVE' | 'INACTIVE';
    /** 1: the cluster of the machines that run Fargate tasks, which callers never see. */
    hidden: number;
    document: string;
    createdAt: number;
  };
  /** Tags of everything of ECS's: JSON array of `{key, value}`. */
  ecs_tags: { arn: string; tags: string };
  /** The last revision that a family was given: numbers are never used again. */
  ecs_families: { accountId: string; family: string; lastRevision: number };
  ecs_task_definitions: {
    arn: string;
    accountId: string;
    family: string;
    revision: number;
    status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
    document: string;
    registeredAt: number;
    registeredBy: string;
    deregisteredAt: number | null;
    deleteRequestedAt: number | null;
  };
  ecs_instances: {
    arn: string;
    clusterArn: string;
    status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
    agentConnected: number;
    /** When the agent's session was last seen to begin or end. */
    agentSeenAt: number;
    /** CPU units and MiB that the agent registered. */
    cpu: number;
    memory: number;
    version: number;
    document: string;
    registeredAt: number;
  };
  ecs_tasks: {
    arn: string;
    clusterArn: string;
    instanceArn: string | null;
    taskDefinitionArn: string;
    family: string;
    serviceArn: string | null;
    deploymentId: string | null;
    startedBy: string | null;
    taskGroup: string | null;
    launchType: 'FARGATE' | 'EC2' | 'EXTERNAL';
    desiredStatus: 'RUNNING' | 'STOPPED';
    lastStatus: TaskStatus;
    /** CPU units and MiB that placement counts. */
    cpu: number;
    memory: number;
    version: number;
    interfaceId: string | null;
    privateAddress: string | null;
    /** Where a service's task stands with its target groups: `none` without one. */
    targets: 'none' | 'waiting' | 'registered' | 'draining' | 'gone';
    drainingSince: number | null;
    healthStatus: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';
    /** 1: the service scheduler has taken note that it stopped. */
    counted: number;
    connectivity: 'CONNECTED' | 'DISCONNECTED' | null;
    connectivityAt: number | null;
    createdAt: number;
    pullStartedAt: number | null;
    pullStoppedAt: number | null;
    startedAt: number | null;
    executionStoppedAt: number | null;
    stoppingAt: number | null;
    stoppedAt: number | null;
    stopCode: string | null;
    stoppedReason: string | null;
    document: string;
  };
  ecs_services: {
    arn: string;
    clusterArn: string;
    name: string;
    status: 'ACTIVE' | 'DRAINING' | 'INACTIVE';
    desiredCount: number;
    /** 1: it was said to have reached a steady state. */
    steady: number;
    document: string;
    createdAt: number;
    createdBy: string;
  };
  ecs_service_events: { id: string; serviceArn: string; createdAt: number; place: number; message: string };
  /** A deployment, its service revision and its service deployment: all three are made and named together. */
  ecs_deployments: {
    /** `ecs-svc/N`. */
    id: string;
    serviceArn: string;
    status: 'PRIMARY' | 'ACTIVE' | 'INACTIVE';
    taskDefinitionArn: string;
    rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
    rolloutStateReason: string;
    /** 1: it was COMPLETED once, so that a failing successor may roll back to it. */
    everCompleted: number;
    failedTasks: number;
    /** Tasks in a row that never came to run, or not for long. */
    startFailures: number;
    lastFailureAt: number | null;
    /** 1: the last attempt to start tasks found no room. */
    placementFailed: number;
    serviceDeploymentArn: string;
    serviceDeploymentStatus: string;
    serviceDeploymentReason: string | null;
    /** The deployment that this one replaced. */
    sourceDeploymentId: string | null;
    rollbackAt: number | null;
    createdAt: number;
    updatedAt: number;
    finishedAt: number | null;
    document: string;
  };
  ecs_client_tokens: { token: string; request: string; answer: string; createdAt: number };
  ecs_settings: { principalArn: string; name: string; value: string };
}

export type TaskStatus =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED';

export type ClusterRow = Selectable<EcsTables['ecs_clusters']>;
export type TaskDefinitionRow = Selectable<EcsTables['ecs_task_definitions']>;
export type InstanceRow = Selectable<EcsTables['ecs_instances']>;
export type TaskRow = Selectable<EcsTables['ecs_tasks']>;
export type ServiceRow = Selectable<EcsTables['ecs_services']>;
export type DeploymentRow = Selectable<EcsTables['ecs_deployments']>;

/** A column: its type, and `?` where it may be null. */
type Column = ColumnDataType | `${'text' | 'integer'}?`;

const tables: Record<
  string,
  { columns: Record<string, Column>; key: readonly string[]; indexes?: readonly (readonly string[])[] }
> = {
  ecs_counters: { columns: { name: 'text', value: 'bigint' }, key: ['name'] },
  ecs_clusters: {
    columns: {
      arn: 'text',
      name: 'text',
      accountId: 'text',
      status: 'text',
      hidden: 'integer',
      document: 'text',
      createdAt: 'bigint',
    },
    key: ['arn'],
  },
  ecs_tags: { columns: { arn: 'text', tags: 'text' }, key: ['arn'] },
  ecs_families: {
    columns: { accountId: 'text', family: 'text', lastRevision: 'integer' },
    key: ['accountId', 'family'],
  },
  ecs_task_definitions: {
    columns: {
      arn: 'text',
      accountId: 'text',
      family: 'text',
      revision: 'integer',
      status: 'text',
      document: 'text',
      registeredAt: 'bigint',
      registeredBy: 'text',
      deregisteredAt: 'integer?',
      deleteRequestedAt: 'integer?',
    },
    key: ['arn'],
    indexes: [['accountId', 'family', 'revision']],
  },
  ecs_instances: {
    columns: {
      arn: 'text',
      clusterArn: 'text',
      status: 'text',
      agentConnected: 'integer',
      agentSeenAt: 'bigint',
      cpu: 'integer',
      memory: 'integer',
      version: 'integer',
      document: 'text',
      registeredAt: 'bigint',
    },
    key: ['arn'],
    indexes: [['clusterArn']],
  },
  ecs_tasks: {
    columns: {
      arn: 'text',
      clusterArn: 'text',
      instanceArn: 'text?',
      taskDefinitionArn: 'text',
      family: 'text',
      serviceArn: 'text?',
      deploymentId: 'text?',
      startedBy: 'text?',
      taskGroup: 'text?',
      launchType: 'text',
      desiredStatus: 'text',
      lastStatus: 'text',
      cpu: 'integer',
      memory: 'integer',
      version: 'integer',
      interfaceId: 'text?',
      privateAddress: 'text?',
      targets: 'text',
      drainingSince: 'integer?',
      healthStatus: 'text',
      counted: 'integer',
      connectivity: 'text?',
      connectivityAt: 'integer?',
      createdAt: 'bigint',
      pullStartedAt: 'integer?',
      pullStoppedAt: 'integer?',
      startedAt: 'integer?',
      executionStoppedAt: 'integer?',
      stoppingAt: 'integer?',
      stoppedAt: 'integer?',
      stopCode: 'text?',
      stoppedReason: 'text?',
      document: 'text',
    },
    key: ['arn'],
    indexes: [
      ['clusterArn', 'lastStatus'],
      ['instanceArn', 'lastStatus'],
      ['serviceArn', 'counted'],
      ['stoppedAt'],
      ['targets'],
    ],
  },
  ecs_services: {
    columns: {
      arn: 'text',
      clusterArn: 'text',
      name: 'text',
      status: 'text',
      desiredCount: 'integer',
      steady: 'integer',
      document: 'text',
      createdAt: 'bigint',
      createdBy: 'text',
    },
    key: ['arn'],
    indexes: [['clusterArn']],
  },
  ecs_service_events: {
    columns: { id: 'text', serviceArn: 'text', createdAt: 'bigint', place: 'integer', message: 'text' },
    key: ['id'],
    indexes: [['serviceArn', 'place']],
  },
  ecs_deployments: {
    columns: {
      id: 'text',
      serviceArn: 'text',
      status: 'text',
      taskDefinitionArn: 'text',
      rolloutState: 'text',
      rolloutStateReason: 'text',
      everCompleted: 'integer',
      failedTasks: 'integer',
      startFailures: 'integer',
      lastFailureAt: 'integer?',
      placementFailed: 'integer',
      serviceDeploymentArn: 'text',
      serviceDeploymentStatus: 'text',
      serviceDeploymentReason: 'text?',
      sourceDeploymentId: 'text?',
      rollbackAt: 'integer?',
      createdAt: 'bigint',
      updatedAt: 'bigint',
      finishedAt: 'integer?',
      document: 'text',
    },
    key: ['id'],
    indexes: [['serviceArn', 'status'], ['serviceDeploymentArn']],
  },
  ecs_client_tokens: {
    columns: { token: 'text', request: 'text', answer: 'text', createdAt: 'bigint' },
    key: ['token'],
  },
  ecs_settings: { columns: { principalArn: 'text', name: 'text', value: 'text' }, key: ['principalArn', 'name'] },
};

export const ecsMigrations: Migrations = {
  'ecs-001-tables': {
    async up(db) {
      for (const [name, { columns, key, indexes = [] }] of Object.entries(tables)) {
        let table = db.schema.createTable(name);
        for (const [column, type] of Object.entries(columns)) {
          const nullable = typeof type === 'string' && type.endsWith('?');
          // `integer?` holds times: PostgreSQL's integer is too small for milliseconds.
          const plain: ColumnDataType = nullable ? (type === 'integer?' ? 'bigint' : 'text') : (type as ColumnDataType);
          table = table.addColumn(column, plain, (made) => (nullable ? made : made.notNull()));
        }
        await table.addPrimaryKeyConstraint(`${name}_key`, key as never).execute();
        for (const index of indexes)
          await db.schema
            .createIndex(`${name}_by_${index.join('_')}`)
            .on(name)
            .columns([...index])
            .execute();
      }
    },
  },
};
