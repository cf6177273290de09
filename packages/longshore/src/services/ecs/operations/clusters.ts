import type {
  Cluster,
  CreateClusterRequest,
  CreateClusterResponse,
  DeleteClusterRequest,
  DeleteClusterResponse,
  DescribeClustersRequest,
  DescribeClustersResponse,
  KeyValuePair,
  ListClustersRequest,
  ListClustersResponse,
  PutClusterCapacityProvidersRequest,
  PutClusterCapacityProvidersResponse,
  UpdateClusterRequest,
  UpdateClusterResponse,
  UpdateClusterSettingsRequest,
  UpdateClusterSettingsResponse,
} from '@aws-sdk/client-ecs';
import type { Selectable } from 'kysely';
import type { AnyOperation, RequestContext } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { activeCluster, mergeTags, placeOf, setTags, tagsOf } from '../lookups.ts';
import { clusterArn, lastPart, toClusterArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import type { ClusterRow, EcsTables } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { anywhere, operation } from './table.ts';

type ClusterDocument = Pick<
  Cluster,
  'settings' | 'configuration' | 'capacityProviders' | 'defaultCapacityProviderStrategy' | 'serviceConnectDefaults'
>;

const fargateProviders = ['FARGATE', 'FARGATE_SPOT'];

function checkProviders(
  names: readonly string[] | undefined,
  strategy: readonly { readonly capacityProvider: string | undefined }[] | undefined,
): void {
  for (const name of names ?? [])
    if (!fargateProviders.includes(name))
      throw fault(
        'InvalidParameterException',
        `The specified capacity provider '${name}' was not found. Specify a valid name or ARN and try again.`,
      );
  for (const { capacityProvider } of strategy ?? [])
    if (!capacityProvider || !names?.includes(capacityProvider))
      throw fault(
        'InvalidParameterException',
        `The capacity provider '${capacityProvider}' of the default strategy is not associated with the cluster.`,
      );
}

/** A cluster's row as it is first made. */
export function newCluster(
  arn: string,
  accountId: string,
  createdAt: number,
  document: ClusterDocument = {},
  hidden = false,
): Selectable<EcsTables['ecs_clusters']> {
  return {
    arn,
    name: lastPart(arn),
    accountId,
    status: 'ACTIVE',
    hidden: hidden ? 1 : 0,
    document: JSON.stringify({
      settings: [{ name: 'containerInsights', value: 'disabled' }],
      capacityProviders: [],
      defaultCapacityProviderStrategy: [],
      ...withoutUndefined(document),
    }),
    createdAt,
  };
}

/** Clusters: made, described, changed, deleted. */
export function clusterOperations(parts: EcsParts): Record<string, AnyOperation> {
  const { store, clock } = parts;

  const find = (context: RequestContext, given: string | undefined) =>
    store.db
      .selectFrom('ecs_clusters')
      .selectAll()
      .where('arn', '=', toClusterArn(placeOf(context), given))
      .executeTakeFirst();

  async function render(
    rows: readonly ClusterRow[],
    include: readonly string[] = ['SETTINGS', 'CONFIGURATIONS', 'TAGS'],
  ): Promise<Cluster[]> {
    if (rows.length === 0) return [];
    const arns = rows.map((row) => row.arn);
    const tags = await tagsOf(store.db, arns);
    const [tasks, services, instances] = await Promise.all([
      store.db
        .selectFrom('ecs_tasks')
        .where('clusterArn', 'in', arns)
        .where('lastStatus', '!=', 'STOPPED')
        .groupBy(['clusterArn', 'lastStatus', 'launchType'])
        .select((eb) => ['clusterArn', 'lastStatus', 'launchType', eb.fn.countAll<number>().as('count')])
        .execute(),
      store.db
        .selectFrom('ecs_services')
        .where('clusterArn', 'in', arns)
        .where('status', '=', 'ACTIVE')
        .groupBy('clusterArn')
        .select((eb) => ['clusterArn', eb.fn.countAll<number>().as('count')])
        .execute(),
      store.db
        .selectFrom('ecs_instances')
        .where('clusterArn', 'in', arns)
        .where('status', '!=', 'INACTIVE')
        .groupBy('clusterArn')
        .select((eb) => ['clusterArn', eb.fn.countAll<number>().as('count')])
        .execute(),
    ]);
    const sum = (some: readonly { readonly clusterArn: string; readonly count: number }[], arn: string) =>
      some.filter((one) => one.clusterArn === arn).reduce((total, one) => total + Number(one.count), 0);
    const pending = new Set(['PROVISIONING', 'PENDING', 'ACTIVATING']);
    return rows.map((row) => {
      const { settings, configuration, ...document } = JSON.parse(row.document) as ClusterDocument;
      const running = tasks.filter((one) => one.lastStatus === 'RUNNING');
      const waiting = tasks.filter((one) => pending.has(one.lastStatus));
      const statistics: KeyValuePair[] = [
        {
          name: 'runningFargateTasksCount',
          value: String(
            sum(
              running.filter((one) => one.launchType === 'FARGATE'),
              row.arn,
            ),
          ),
        },
        {
          name: 'pendingFargateTasksCount',
          value: String(
            sum(
              waiting.filter((one) => one.launchType === 'FARGATE'),
              row.arn,
            ),
          ),
        },
        { name: 'activeFargateServiceCount', value: String(sum(services, row.arn)) },
      ];
      return withoutUndefined<Cluster>({
        clusterArn: row.arn,
        clusterName: row.name,
        status: row.status,
        registeredContainerInstancesCount: sum(instances, row.arn),
        runningTasksCount: sum(running, row.arn),
        pendingTasksCount: sum(waiting, row.arn),
        activeServicesCount: sum(services, row.arn),
        statistics: include.includes('STATISTICS') ? statistics : [],
        tags: include.includes('TAGS') ? (tags.get(row.arn) ?? []) : [],
        settings: include.includes('SETTINGS') ? (settings ?? []) : [],
        configuration: include.includes('CONFIGURATIONS') ? configuration : undefined,
        ...document,
      });
    });
  }

  async function save(tx: EcsTx, row: ClusterRow, change: ClusterDocument): Promise<ClusterRow> {
    const document = JSON.stringify({ ...(JSON.parse(row.document) as ClusterDocument), ...withoutUndefined(change) });
    await tx.db.updateTable('ecs_clusters').set({ document }).where('arn', '=', row.arn).execute();
    tx.changed('ecs.cluster', row.arn);
    return { ...row, document };
  }
  const change = async (
    context: RequestContext,
    given: string | undefined,
    document: ClusterDocument,
  ): Promise<Cluster> => {
    const row = await activeCluster(store.db, context, given);
    return (await render([await store.transaction((tx) => save(tx, row, document))]))[0] as Cluster;
  };
  const one = (input: { readonly cluster?: string | undefined }, place: Parameters<typeof toClusterArn>[0]) => [
    { resource: toClusterArn(place, input.cluster) },
  ];

  return {
    CreateCluster: operation<CreateClusterRequest, CreateClusterResponse>(anywhere, async (input, context) => {
      const name = input.clusterName ?? 'default';
      if (!/^[A-Za-z0-9_-]{1,255}$/.test(name))
        throw fault(
          'InvalidParameterException',
          'Invalid cluster name. Cluster names have at most 255 letters, numbers, hyphens and underscores.',
        );
      checkProviders(input.capacityProviders, input.defaultCapacityProviderStrategy);
      const arn = clusterArn(placeOf(context), name);
      const { settings, configuration, capacityProviders, defaultCapacityProviderStrategy } = input;
      const serviceConnectDefaults = input.serviceConnectDefaults?.namespace
        ? { namespace: input.serviceConnectDefaults.namespace }
        : undefined;
      const fresh = newCluster(
        arn,
        context.accountId,
        clock.now(),
        withoutUndefined({
          settings,
          configuration,
          capacityProviders,
          defaultCapacityProviderStrategy,
          serviceConnectDefaults,
        }),
      );
      const row = await store.transaction(async (tx) => {
        const found = await tx.db.selectFrom('ecs_clusters').selectAll().where('arn', '=', arn).executeTakeFirst();
        if (found?.hidden) throw fault('InvalidParameterException', `The cluster name ${name} is reserved.`);
        // Creating a cluster that is there answers it as it is.
        if (found?.status === 'ACTIVE') return found;
        await tx.db.deleteFrom('ecs_clusters').where('arn', '=', arn).execute();
        await tx.db.insertInto('ecs_clusters').values(fresh).execute();
        await setTags(tx.db, arn, mergeTags([], input.tags ?? []));
        tx.changed('ecs.cluster', arn);
        return fresh;
      });
      return { cluster: (await render([row]))[0] };
    }),

    DescribeClusters: operation<DescribeClustersRequest, DescribeClustersResponse>(
      (input, place) =>
        (input.clusters?.length ? input.clusters : ['default']).map((given) => ({
          resource: toClusterArn(place, given),
        })),
      async (input, context) => {
        const arns = (input.clusters?.length ? input.clusters : ['default']).map((given) =>
          toClusterArn(placeOf(context), given),
        );
        const rows = await store.db.selectFrom('ecs_clusters').selectAll().where('arn', 'in', arns).execute();
        return {
          clusters: await render(rows, input.include ?? []),
          failures: arns
            .filter((arn) => !rows.some((row) => row.arn === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),

    ListClusters: operation<ListClustersRequest, ListClustersResponse>(anywhere, async (input, context) => {
      const rows = await store.db
        .selectFrom('ecs_clusters')
        .select('arn')
        .where('accountId', '=', context.accountId)
        .where('status', '=', 'ACTIVE')
        .where('hidden', '=', 0)
        .orderBy('arn')
        .execute();
      const page = pageOf(rows, (row) => row.arn, input);
      return { clusterArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
    }),

    DeleteCluster: operation<DeleteClusterRequest, DeleteClusterResponse>(one, async (input, context) => {
      const row = await find(context, input.cluster);
      if (!row) throw fault('ClusterNotFoundException', 'Cluster not found.');
      if (row.hidden)
        throw fault(
          'InvalidParameterException',
          `The cluster ${row.name} holds the machines of Fargate and can't be deleted.`,
        );
      const after = await store.transaction(async (tx) => {
        const has = async (table: 'ecs_services' | 'ecs_tasks' | 'ecs_instances') => {
          if (table === 'ecs_tasks')
            return tx.db
              .selectFrom('ecs_tasks')
              .select('arn')
              .where('clusterArn', '=', row.arn)
              .where('lastStatus', '!=', 'STOPPED')
              .executeTakeFirst();
          return tx.db
            .selectFrom(table)
            .select('arn')
            .where('clusterArn', '=', row.arn)
            .where('status', '!=', 'INACTIVE')
            .executeTakeFirst();
        };
        if (await has('ecs_instances'))
          throw fault(
            'ClusterContainsContainerInstancesException',
            'The Cluster cannot be deleted while Container Instances are active or draining.',
          );
        if (await has('ecs_services'))
          throw fault('ClusterContainsServicesException', 'The Cluster cannot be deleted while Services are active.');
        if (await has('ecs_tasks'))
          throw fault('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.');
        await tx.db.updateTable('ecs_clusters').set({ status: 'INACTIVE' }).where('arn', '=', row.arn).execute();
        tx.changed('ecs.cluster', row.arn);
        return { ...row, status: 'INACTIVE' as const };
      });
      return { cluster: (await render([after]))[0] };
    }),

    UpdateCluster: operation<UpdateClusterRequest, UpdateClusterResponse>(one, async (input, context) => {
      const { settings, configuration } = input;
      const serviceConnectDefaults = input.serviceConnectDefaults?.namespace
        ? { namespace: input.serviceConnectDefaults.namespace }
        : undefined;
      return {
        cluster: await change(
          context,
          input.cluster,
          withoutUndefined({ settings, configuration, serviceConnectDefaults }),
        ),
      };
    }),

    UpdateClusterSettings: operation<UpdateClusterSettingsRequest, UpdateClusterSettingsResponse>(
      one,
      async (input, context) => ({
        cluster: await change(context, input.cluster, { settings: input.settings }),
      }),
    ),

    PutClusterCapacityProviders: operation<PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse>(
      one,
      async (input, context) => {
        checkProviders(input.capacityProviders, input.defaultCapacityProviderStrategy);
        const { capacityProviders, defaultCapacityProviderStrategy } = input;
        return {
          cluster: await change(context, input.cluster, { capacityProviders, defaultCapacityProviderStrategy }),
        };
      },
    ),
  };
}
