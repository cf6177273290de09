import type {
  DeleteServiceRequest,
  DeleteServiceResponse,
  DescribeServicesRequest,
  DescribeServicesResponse,
  ListServicesRequest,
  ListServicesResponse,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { activeCluster, findService, placeOf } from '../lookups.ts';
import { toArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import { serviceDocument } from '../services/document.ts';
import { renderService, renderServices } from '../services/render.ts';
import { createService } from './create-service.ts';
import { operation, within } from './table.ts';
import { updateService } from './update-service.ts';

/** Services: how many tasks of a definition are to run, and behind which load balancers. */
export function serviceOperations(parts: EcsParts): Record<string, AnyOperation> {
  const { store } = parts;
  return {
    CreateService: createService(parts),
    UpdateService: updateService(parts),

    DeleteService: operation<DeleteServiceRequest, DeleteServiceResponse>(
      (input, place) => within('service', input, [input.service ?? ''], place),
      async (input, context) => {
        const service = await findService(store.db, context, input.cluster, input.service);
        if (service.status !== 'ACTIVE') {
          if (service.status === 'INACTIVE') throw fault('ServiceNotActiveException', 'Service was not ACTIVE.');
          return { service: await renderService(parts, service.arn) };
        }
        await store.transaction(async (tx) => {
          const now = await tx.db
            .selectFrom('ecs_services')
            .selectAll()
            .where('arn', '=', service.arn)
            .executeTakeFirstOrThrow();
          if (now.desiredCount > 0 && !input.force)
            throw fault('InvalidParameterException', 'The service cannot be stopped while it is scaled above 0.');
          await tx.db
            .updateTable('ecs_services')
            .set({ status: 'DRAINING', desiredCount: 0, steady: 0 })
            .where('arn', '=', now.arn)
            .execute();
          tx.changed('ecs.service', now.arn);
        });
        return { service: await renderService(parts, service.arn) };
      },
    ),

    DescribeServices: operation<DescribeServicesRequest, DescribeServicesResponse>(
      (input, place) => within('service', input, input.services ?? [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const given = input.services ?? [];
        if (given.length === 0) throw fault('InvalidParameterException', 'Services cannot be empty.');
        if (given.length > 10) throw fault('InvalidParameterException', 'Services cannot have more than 10 entries.');
        const arns = given.map((one) => toArn(placeOf(context), 'service', cluster.name, one));
        const rows = await store.db
          .selectFrom('ecs_services')
          .selectAll()
          .where('arn', 'in', arns)
          .where('clusterArn', '=', cluster.arn)
          .execute();
        return {
          services: await renderServices(parts, rows, input.include?.includes('TAGS') ?? false),
          failures: arns
            .filter((arn) => !rows.some((row) => row.arn === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),

    ListServices: operation<ListServicesRequest, ListServicesResponse>(
      (input, place) => within('service', input, [], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const rows = await store.db
          .selectFrom('ecs_services')
          .selectAll()
          .where('clusterArn', '=', cluster.arn)
          .where('status', '!=', 'INACTIVE')
          .orderBy('arn')
          .execute();
        const fitting = rows.filter(
          (row) =>
            (!input.launchType || serviceDocument(row).launchType === input.launchType) &&
            (!input.schedulingStrategy || input.schedulingStrategy === 'REPLICA'),
        );
        const page = pageOf(fitting, (row) => row.arn, input);
        return { serviceArns: page.items.map((row) => row.arn), nextToken: page.nextToken };
      },
    ),
  };
}
