import { createHash } from 'node:crypto';
import type {
  DescribeTasksRequest,
  DescribeTasksResponse,
  Failure,
  ListTasksRequest,
  ListTasksResponse,
  RunTaskRequest,
  RunTaskResponse,
  StopTaskRequest,
  StopTaskResponse,
  Tag,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import type { AgentGateway } from '../agents/gateway.ts';
import { fault, notYet } from '../faults.ts';
import { activeCluster, launchableDefinition, mergeTags, placeOf, tagsOf } from '../lookups.ts';
import { lastPart, serviceArn, taskDefinitionArn, toArn, toClusterArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import type { TaskRow } from '../tables.ts';
import type { Launched, Launcher } from '../tasks/launch.ts';
import { renderTask } from '../tasks/render.ts';
import type { Transitions } from '../tasks/transitions.ts';
import { checkDefinition, checkNetwork, chosenGroups, howToLaunch } from './launching.ts';
import { operation, within } from './table.ts';

const mostTasks = 10;

/** Tasks: run, stopped, described, listed. */
export function taskOperations(
  parts: EcsParts,
  launcher: Launcher,
  moves: Transitions,
  gateway: AgentGateway,
): Record<string, AnyOperation> {
  const { store, clock, log } = parts;

  /** Stops wait for their targets to drain; those without targets go to their agents at once. */
  const stopNow = (row: TaskRow) =>
    gateway
      .dispatch([row.arn])
      .catch((error: unknown) => log.error({ err: error, task: row.arn }, 'a stop could not be sent'));

  return {
    RunTask: operation<RunTaskRequest, RunTaskResponse>(
      (input, place) => {
        const given = input.taskDefinition ?? '';
        const [family = '', revision] = (given.split('/').at(-1) ?? '').split(':');
        const resource = given.startsWith('arn:')
          ? given
          : revision
            ? taskDefinitionArn(place, family, Number(revision))
            : `${taskDefinitionArn(place, family, 0).slice(0, -1)}*`;
        const context = {
          'ecs:cluster': toClusterArn(place, input.cluster),
          ...(input.enableExecuteCommand !== undefined && {
            'ecs:enable-execute-command': String(input.enableExecuteCommand),
          }),
        };
        return [{ resource, context }];
      },
      async (input, context) => {
        const count = input.count ?? 1;
        if (count < 1 || count > mostTasks)
          throw fault('InvalidParameterException', `count must be between 1 and ${mostTasks}.`);
        if ((input.startedBy?.length ?? 0) > 128)
          throw fault('InvalidParameterException', 'startedBy can have at most 128 characters.');
        if (input.group?.startsWith('service:'))
          throw fault('InvalidParameterException', 'Invalid namespace for group.');
        if (input.propagateTags === 'SERVICE')
          throw fault('InvalidParameterException', 'SERVICE is not a valid value for propagateTags of RunTask.');
        if (input.volumeConfigurations?.length) throw notYet('volumeConfigurations');
        const cluster = await activeCluster(store.db, context, input.cluster);
        if (cluster.hidden) throw fault('ClusterNotFoundException', 'Cluster not found.');
        const definition = await launchableDefinition(store.db, context, input.taskDefinition ?? '');
        const how = howToLaunch(input, cluster, definition);
        const [network] = await Promise.all([
          checkNetwork(parts, input.networkConfiguration),
          checkDefinition(parts, context, definition, input.overrides),
        ]);
        const inherited =
          input.propagateTags === 'TASK_DEFINITION'
            ? ((await tagsOf(store.db, [definition.arn])).get(definition.arn) ?? [])
            : [];
        const managed: Tag[] = input.enableECSManagedTags ? [{ key: 'aws:ecs:clusterName', value: cluster.name }] : [];
        const tags = [...mergeTags(inherited, input.tags ?? []), ...managed];
        const provider = how.strategy?.[0]?.capacityProvider;
        const vpc = input.networkConfiguration?.awsvpcConfiguration;
        const launch = await launcher.prepare({
          cluster,
          definition,
          count,
          overrides: input.overrides ?? {},
          subnets: vpc?.subnets ?? [],
          securityGroups: await chosenGroups(parts, vpc?.securityGroups, network.vpcId),
          assignPublicIp: vpc?.assignPublicIp === 'ENABLED',
          group: input.group ?? `family:${definition.family}`,
          ...(input.startedBy && { startedBy: input.startedBy }),
          tags,
          enableExecuteCommand: input.enableExecuteCommand ?? false,
          platformVersion: how.platformVersion,
          ...(provider && { capacityProviderName: provider }),
        });
        const { clientToken, ...request } = input;
        const digest = createHash('sha256').update(JSON.stringify(request)).digest('hex');
        const token = clientToken && `${cluster.arn} ${clientToken}`;
        const launched = await store.transaction(async (tx): Promise<Launched> => {
          const before = token
            ? await tx.db.selectFrom('ecs_client_tokens').selectAll().where('token', '=', token).executeTakeFirst()
            : undefined;
          if (before && clock.now() - Number(before.createdAt) < 86_400_000) {
            const arns = JSON.parse(before.answer) as string[];
            if (before.request !== digest)
              throw fault('ConflictException', 'The clientToken was already used by another request.', {
                resourceIds: arns.map(lastPart),
              });
            const tasks = await tx.db.selectFrom('ecs_tasks').selectAll().where('arn', 'in', arns).execute();
            return { tasks, failures: [] };
          }
          const made = await launcher.commit(tx, launch);
          if (token && made.tasks.length > 0)
            await tx.db
              .insertInto('ecs_client_tokens')
              .values({
                token,
                request: digest,
                answer: JSON.stringify(made.tasks.map((task) => task.arn)),
                createdAt: clock.now(),
              })
              .onConflict((conflict) =>
                conflict.column('token').doUpdateSet((eb) => ({
                  request: eb.ref('excluded.request'),
                  answer: eb.ref('excluded.answer'),
                  createdAt: eb.ref('excluded.createdAt'),
                })),
              )
              .execute();
          return made;
        });
        launcher.committed(launch, launched);
        // On its way while the caller gets the answer; where it fails, the agent is told when it connects again.
        gateway
          .dispatch(launched.tasks.map((task) => task.arn))
          .catch((error: unknown) => log.error({ err: error }, 'tasks could not be sent to their agents'));
        return {
          tasks: launched.tasks.map((task) => renderTask(task, tags)),
          failures: launched.failures.map(({ reason, detail }) => ({ arn: cluster.arn, reason, detail })),
        };
      },
    ),

    StopTask: operation<StopTaskRequest, StopTaskResponse>(
      (input, place) => within('task', input, [input.task ?? ''], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const arn = toArn(placeOf(context), 'task', cluster.name, input.task ?? '');
        const row = await store.transaction(async (tx) => {
          const found = await tx.db
            .selectFrom('ecs_tasks')
            .selectAll()
            .where('arn', '=', arn)
            .where('clusterArn', '=', cluster.arn)
            .executeTakeFirst();
          if (!found) throw fault('InvalidParameterException', 'The referenced task was not found.');
          return moves.requestStop(tx, found, 'UserInitiated', input.reason ?? 'Task stopped by user');
        });
        void stopNow(row);
        return { task: renderTask(row, (await tagsOf(store.db, [arn])).get(arn)) };
      },
    ),

    DescribeTasks: operation<DescribeTasksRequest, DescribeTasksResponse>(
      (input, place) => within('task', input, input.tasks ?? [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const given = input.tasks ?? [];
        if (given.length === 0) throw fault('InvalidParameterException', 'Tasks cannot be empty.');
        if (given.length > 100) throw fault('InvalidParameterException', 'Tasks cannot have more than 100 entries.');
        const arns = given.map((one) => toArn(placeOf(context), 'task', cluster.name, one));
        const rows = await store.db
          .selectFrom('ecs_tasks')
          .selectAll()
          .where('arn', 'in', arns)
          .where('clusterArn', '=', cluster.arn)
          .execute();
        const tags = input.include?.includes('TAGS') ? await tagsOf(store.db, arns) : new Map<string, Tag[]>();
        const found = new Map(rows.map((row) => [row.arn, row]));
        const failures: Failure[] = arns.filter((arn) => !found.has(arn)).map((arn) => ({ arn, reason: 'MISSING' }));
        return {
          tasks: [...new Set(arns)]
            .flatMap((arn) => found.get(arn) ?? [])
            .map((row) => renderTask(row, tags.get(row.arn))),
          failures,
        };
      },
    ),

    ListTasks: operation<ListTasksRequest, ListTasksResponse>(
      (input, place) =>
        within('container-instance', input, input.containerInstance ? [input.containerInstance] : [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const place = placeOf(context);
        let query = store.db
          .selectFrom('ecs_tasks')
          .select('arn')
          .where('clusterArn', '=', cluster.arn)
          .where('desiredStatus', '=', input.desiredStatus === 'STOPPED' ? 'STOPPED' : 'RUNNING');
        if (input.family) query = query.where('family', '=', input.family);
        if (input.startedBy) query = query.where('startedBy', '=', input.startedBy);
        if (input.launchType) query = query.where('launchType', '=', input.launchType as TaskRow['launchType']);
        if (input.serviceName) {
          const arn = toArn(place, 'service', cluster.name, input.serviceName);
          const service = await store.db
            .selectFrom('ecs_services')
            .select('status')
            .where('arn', '=', arn)
            .executeTakeFirst();
          if (!service) throw fault('ServiceNotFoundException', 'Service not found.');
          query = query.where('serviceArn', '=', serviceArn(place, cluster.name, lastPart(arn)));
        }
        if (input.containerInstance)
          query = query
            .where('instanceArn', '=', toArn(place, 'container-instance', cluster.name, input.containerInstance))
            .where('launchType', '!=', 'FARGATE');
        const page = pageOf(await query.orderBy('arn').execute(), (row) => row.arn, input);
        return { taskArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
      },
    ),
  };
}
