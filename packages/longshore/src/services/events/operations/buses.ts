import type {
  CreateEventBusRequest,
  CreateEventBusResponse,
  DeleteEventBusRequest,
  DescribeEventBusRequest,
  DescribeEventBusResponse,
  ListEventBusesRequest,
  ListEventBusesResponse,
} from '@aws-sdk/client-eventbridge';
import { pageByKey } from '../../../wire/pagination.ts';
import type { Operation } from '../../../wire/service.ts';
import {
  busNameOf,
  defaultBus,
  type EventsState,
  fault,
  limitExceeded,
  limits,
  pageRequest,
  requireBus,
  tail,
  topics,
} from '../state.ts';
import type { BusRow } from '../tables.ts';
import { dropTags, putTags, tagContext } from './tags.ts';

export function busOperations(state: EventsState) {
  const { store, db, clock } = state;

  const shape = (row: BusRow) => ({
    Name: row.name,
    Arn: row.arn,
    ...(row.description === null ? {} : { Description: row.description }),
    CreationTime: new Date(Number(row.created_at)),
    LastModifiedTime: new Date(Number(row.modified_at)),
  });

  const CreateEventBus: Operation<CreateEventBusRequest, CreateEventBusResponse> = {
    access: ({ Name, Tags }) => [{ resource: state.busArn(Name!), ...tagContext(Tags) }],
    handle: (input) =>
      store.transaction(async (tx) => {
        const name = input.Name!;
        for (const [member, given] of [
          ['EventSourceName', input.EventSourceName],
          ['KmsKeyIdentifier', input.KmsKeyIdentifier],
          ['DeadLetterConfig', input.DeadLetterConfig?.Arn],
          ['LogConfig', input.LogConfig],
        ] as const) {
          if (given !== undefined)
            throw fault('NotImplementedException', `Longshore's event buses have no ${member} yet.`);
        }
        if (name.includes('/')) {
          throw fault('ValidationException', "Event bus name must not contain '/' unless it is a partner event bus.");
        }
        const buses = await tx.db.selectFrom('events_bus').select('name').execute();
        if (buses.some((bus) => bus.name === name)) {
          throw fault('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
        }
        if (buses.length >= limits.buses) throw limitExceeded();
        const arn = state.busArn(name);
        const now = clock.now();
        await tx.db
          .insertInto('events_bus')
          .values({ arn, name, description: input.Description ?? null, created_at: now, modified_at: now })
          .execute();
        await putTags(tx.db, arn, input.Tags ?? []);
        tx.changed(topics.bus, arn);
        return { EventBusArn: arn, ...(input.Description === undefined ? {} : { Description: input.Description }) };
      }),
  };

  const DescribeEventBus: Operation<DescribeEventBusRequest, DescribeEventBusResponse> = {
    access: ({ Name }) => [{ resource: state.busArn(busNameOf(Name)) }],
    handle: async ({ Name }) => shape(await requireBus(db, busNameOf(Name))),
  };

  const ListEventBuses: Operation<ListEventBusesRequest, ListEventBusesResponse> = {
    access: () => [{ resource: '*' }],
    async handle(input) {
      const rows = await db.selectFrom('events_bus').selectAll().execute();
      const chosen = rows.filter((row) => row.name.startsWith(input.NamePrefix ?? ''));
      const page = pageByKey(chosen, (row) => row.name, pageRequest(input));
      return { EventBuses: page.items.map(shape), ...tail(page.nextToken) };
    },
  };

  const DeleteEventBus: Operation<DeleteEventBusRequest, object> = {
    access: ({ Name }) => [{ resource: state.busArn(busNameOf(Name)) }],
    handle: (input) =>
      store.transaction(async (tx) => {
        const name = busNameOf(input.Name);
        if (name === defaultBus) throw fault('ValidationException', 'Cannot delete event bus default.');
        const bus = await requireBus(tx.db, name);
        const rule = await tx.db.selectFrom('events_rule').select('arn').where('bus', '=', name).executeTakeFirst();
        if (rule) {
          throw fault('ValidationException', `Event bus ${name} can't be deleted since it has rules.`);
        }
        await tx.db.deleteFrom('events_bus').where('arn', '=', bus.arn).execute();
        await dropTags(tx.db, bus.arn);
        tx.changed(topics.bus, bus.arn);
        return {};
      }),
  };

  return { CreateEventBus, DescribeEventBus, ListEventBuses, DeleteEventBus };
}
