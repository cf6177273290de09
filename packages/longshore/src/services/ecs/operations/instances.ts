import type {
  Attribute,
  DeleteAttributesRequest,
  DeleteAttributesResponse,
  DeregisterContainerInstanceRequest,
  DeregisterContainerInstanceResponse,
  DescribeContainerInstancesRequest,
  DescribeContainerInstancesResponse,
  ListAttributesRequest,
  ListAttributesResponse,
  ListContainerInstancesRequest,
  ListContainerInstancesResponse,
  PutAttributesRequest,
  PutAttributesResponse,
  RegisterContainerInstanceRequest,
  RegisterContainerInstanceResponse,
  Resource,
} from '@aws-sdk/client-ecs';
import type { AnyOperation, RequestContext } from '../../../wire/service.ts';
import { instanceChanged, taskChanged } from '../announce.ts';
import { fault } from '../faults.ts';
import { activeCluster, mergeTags, placeOf, setTags } from '../lookups.ts';
import { instanceArn, lastPart, toArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts, EcsTx } from '../parts.ts';
import type { ClusterRow, InstanceRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import type { Transitions } from '../tasks/transitions.ts';
import { documentOf, type InstanceDocument, renderInstances } from './instance-shape.ts';
import { onCluster, operation, within } from './table.ts';

const amount = (resources: readonly Resource[], name: string) =>
  resources.find((one) => one.name === name)?.integerValue ?? 0;
/**
 * Whether a registration without an ARN comes from the machine of an instance that is there: it says so itself, or it comes from
 * the same address while that instance's agent is away. The agent lost its state then, and the instance's tasks with it.
 */
function isSameMachine(fresh: InstanceDocument, other: InstanceRow): boolean {
  const id = (document: InstanceDocument) =>
    document.attributes.find((one) => one.name === 'longshore.machine-id')?.value;
  const before = documentOf(other);
  const mine = id(fresh);
  return mine ? id(before) === mine : other.agentConnected === 0 && before.sourceIp === fresh.sourceIp;
}

/** Container instances and their attributes; agents register themselves here. */
export function instanceOperations(parts: EcsParts, moves: Transitions): Record<string, AnyOperation> {
  const { store, clock, random } = parts;

  const render = (rows: readonly InstanceRow[]) => renderInstances(store.db, rows);

  async function find(context: RequestContext, cluster: ClusterRow, given: string | undefined): Promise<InstanceRow> {
    const arn = toArn(placeOf(context), 'container-instance', cluster.name, given ?? '');
    const row = await store.db
      .selectFrom('ecs_instances')
      .selectAll()
      .where('arn', '=', arn)
      .where('clusterArn', '=', cluster.arn)
      .executeTakeFirst();
    if (!row || row.status === 'INACTIVE')
      throw fault('InvalidParameterException', 'Referenced container instance not found.');
    return row;
  }

  /** Ends an instance: its tasks are lost with it. */
  async function retire(tx: EcsTx, row: InstanceRow): Promise<void> {
    const retired = await tx.db
      .updateTable('ecs_instances')
      .set({ status: 'INACTIVE', agentConnected: 0, version: row.version + 1 })
      .where('arn', '=', row.arn)
      .returningAll()
      .executeTakeFirstOrThrow();
    const tasks = await tx.db
      .selectFrom('ecs_tasks')
      .selectAll()
      .where('instanceArn', '=', row.arn)
      .where('lastStatus', '!=', 'STOPPED')
      .execute();
    for (const task of tasks) {
      await moves.requestStop(tx, task, 'InfrastructureHealth', 'The machine that the task ran on is gone.');
      const lost = await tx.db
        .updateTable('ecs_tasks')
        .set((eb) => ({
          lastStatus: 'DEPROVISIONING' as const,
          executionStoppedAt: clock.now(),
          version: eb('version', '+', 1),
        }))
        .where('arn', '=', task.arn)
        .returningAll()
        .executeTakeFirstOrThrow();
      await taskChanged(parts, tx, lost);
    }
    tx.changed('ecs.instance', row.arn);
    await instanceChanged(parts, tx, retired);
  }

  return {
    RegisterContainerInstance: operation<RegisterContainerInstanceRequest, RegisterContainerInstanceResponse>(
      onCluster,
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const given = input.containerInstanceArn;
        const zone = `${context.region}a`;
        const attributes = [...(input.attributes ?? [])];
        for (const [name, value] of [
          ['ecs.availability-zone', zone],
          ['ecs.os-type', 'linux'],
        ] as const)
          if (!attributes.some((one) => one.name === name)) attributes.push({ name, value });
        const resources = (input.totalResources ?? []).map((one) => withoutUndefined(one));
        const document: InstanceDocument = {
          attributes,
          resources,
          versionInfo: input.versionInfo ?? {},
          sourceIp: context.sourceIp,
        };
        const row = await store.transaction(async (tx) => {
          const before = given
            ? await tx.db.selectFrom('ecs_instances').selectAll().where('arn', '=', given).executeTakeFirst()
            : undefined;
          if (given && !before)
            throw fault(
              'InvalidParameterException',
              `The container instance ${given} is not known here: register without an ARN.`,
            );
          if (before?.status === 'INACTIVE')
            throw fault('ClientException', `The container instance ${given} is deregistered: register without an ARN.`);
          if (before && before.clusterArn !== cluster.arn)
            throw fault('InvalidParameterException', 'Container instance belongs to another cluster.');
          if (!before && cluster.hidden) {
            const others = await tx.db
              .selectFrom('ecs_instances')
              .selectAll()
              .where('clusterArn', '=', cluster.arn)
              .where('status', '!=', 'INACTIVE')
              .execute();
            for (const other of others) if (isSameMachine(document, other)) await retire(tx, other);
          }
          const next: InstanceRow = {
            arn: before?.arn ?? instanceArn(placeOf(context), cluster.name, random.hex(32)),
            clusterArn: cluster.arn,
            status: before?.status ?? 'ACTIVE',
            agentConnected: before?.agentConnected ?? 0,
            agentSeenAt: clock.now(),
            cpu: amount(resources, 'CPU'),
            memory: amount(resources, 'MEMORY'),
            version: (before?.version ?? 0) + 1,
            document: JSON.stringify(document),
            registeredAt: before?.registeredAt ?? clock.now(),
          };
          await tx.db.deleteFrom('ecs_instances').where('arn', '=', next.arn).execute();
          await tx.db.insertInto('ecs_instances').values(next).execute();
          if (input.tags?.length) await setTags(tx.db, next.arn, mergeTags([], input.tags));
          tx.changed('ecs.instance', next.arn);
          await instanceChanged(parts, tx, next);
          return next;
        });
        return { containerInstance: (await render([row]))[0] };
      },
    ),

    DescribeContainerInstances: operation<DescribeContainerInstancesRequest, DescribeContainerInstancesResponse>(
      (input, place) => within('container-instance', input, input.containerInstances ?? [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const arns = (input.containerInstances ?? []).map((given) =>
          toArn(placeOf(context), 'container-instance', cluster.name, given),
        );
        if (arns.length === 0) throw fault('InvalidParameterException', 'Container instances cannot be empty.');
        const rows = await store.db
          .selectFrom('ecs_instances')
          .selectAll()
          .where('arn', 'in', arns)
          .where('clusterArn', '=', cluster.arn)
          .execute();
        return {
          containerInstances: await render(rows),
          failures: arns
            .filter((arn) => !rows.some((row) => row.arn === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),

    ListContainerInstances: operation<ListContainerInstancesRequest, ListContainerInstancesResponse>(
      onCluster,
      async (input, context) => {
        if (input.filter)
          throw fault(
            'NotImplementedException',
            'Longshore does not filter container instances by the cluster query language yet.',
          );
        const cluster = await activeCluster(store.db, context, input.cluster);
        let query = store.db
          .selectFrom('ecs_instances')
          .select('arn')
          .where('clusterArn', '=', cluster.arn)
          .where('status', '!=', 'INACTIVE');
        if (input.status) query = query.where('status', '=', input.status === 'DRAINING' ? 'DRAINING' : 'ACTIVE');
        const page = pageOf(await query.orderBy('arn').execute(), (row) => row.arn, input);
        return { containerInstanceArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
      },
    ),

    DeregisterContainerInstance: operation<DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse>(
      (input, place) => within('container-instance', input, [input.containerInstance ?? ''], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const row = await find(context, cluster, input.containerInstance);
        await store.transaction(async (tx) => {
          const busy = await tx.db
            .selectFrom('ecs_tasks')
            .select('arn')
            .where('instanceArn', '=', row.arn)
            .where('lastStatus', '!=', 'STOPPED')
            .executeTakeFirst();
          if (busy && !input.force) throw fault('InvalidParameterException', 'Found running tasks on the instance.');
          await retire(tx, row);
        });
        return { containerInstance: (await render([{ ...row, status: 'INACTIVE', agentConnected: 0 }]))[0] };
      },
    ),

    PutAttributes: operation<PutAttributesRequest, PutAttributesResponse>(onCluster, async (input, context) => {
      await changeAttributes(context, input.cluster, input.attributes ?? [], (mine, change) => [
        ...mine.filter((one) => one.name !== change.name),
        withoutUndefined({ name: change.name ?? '', value: change.value }) as Attribute,
      ]);
      return { attributes: input.attributes };
    }),

    DeleteAttributes: operation<DeleteAttributesRequest, DeleteAttributesResponse>(
      onCluster,
      async (input, context) => {
        await changeAttributes(context, input.cluster, input.attributes ?? [], (mine, change) =>
          mine.filter((one) => one.name !== change.name),
        );
        return { attributes: input.attributes };
      },
    ),

    ListAttributes: operation<ListAttributesRequest, ListAttributesResponse>(onCluster, async (input, context) => {
      const cluster = await activeCluster(store.db, context, input.cluster);
      const rows = await store.db
        .selectFrom('ecs_instances')
        .selectAll()
        .where('clusterArn', '=', cluster.arn)
        .where('status', '!=', 'INACTIVE')
        .orderBy('arn')
        .execute();
      const all = rows.flatMap((row) =>
        documentOf(row)
          .attributes.filter(
            (one) =>
              (!input.attributeName || one.name === input.attributeName) &&
              (!input.attributeValue || one.value === input.attributeValue),
          )
          .map((one): Attribute => ({ ...one, targetId: row.arn })),
      );
      const page = pageOf(all, (one) => `${one.targetId} ${one.name}`, input);
      return { attributes: page.items, nextToken: page.nextToken };
    }),
  };

  async function changeAttributes(
    context: RequestContext,
    cluster: string | undefined,
    changes: readonly Attribute[],
    apply: (mine: readonly Attribute[], change: Attribute) => readonly Attribute[],
  ): Promise<void> {
    const row = await activeCluster(store.db, context, cluster);
    for (const change of changes) {
      const instance = await find(context, row, change.targetId).catch(() => {
        throw fault('TargetNotFoundException', `Unable to find the target ${lastPart(change.targetId ?? '')}.`);
      });
      await store.transaction(async (tx) => {
        const now = await tx.db
          .selectFrom('ecs_instances')
          .selectAll()
          .where('arn', '=', instance.arn)
          .executeTakeFirstOrThrow();
        const document = documentOf(now);
        const text = JSON.stringify({ ...document, attributes: apply(document.attributes, change) });
        const next = { ...now, document: text, version: now.version + 1 };
        await tx.db
          .updateTable('ecs_instances')
          .set({ document: next.document, version: next.version })
          .where('arn', '=', now.arn)
          .execute();
        tx.changed('ecs.instance', now.arn);
        await instanceChanged(parts, tx, next);
      });
    }
  }
}
