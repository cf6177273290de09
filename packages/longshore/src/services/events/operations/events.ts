import type {
  PutEventsRequest,
  PutEventsRequestEntry,
  PutEventsResponse,
  PutEventsResultEntry,
  TestEventPatternRequest,
  TestEventPatternResponse,
} from '@aws-sdk/client-eventbridge';
import type { Operation } from '../../../wire/service.ts';
import { ingest } from '../ingest.ts';
import { busNameOf, type EventsState, fault } from '../state.ts';
import { parseObject } from './json.ts';
import { requirePattern } from './rules.ts';

/** Bytes that the entries of one request may come to. */
const mostBytes = 262_144;
/** The year 10000: later times have no four digits for it. */
const endOfTime = Date.UTC(10_000, 0);

/** As AWS counts them (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html). */
function sizeOf({ Time, Source, DetailType, Detail, Resources }: PutEventsRequestEntry): number {
  const texts = [Source, DetailType, Detail, ...(Resources ?? [])];
  return (Time ? 14 : 0) + texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
}

/** Why an entry is not taken; undefined where it is. */
function entryProblem({ Source, DetailType, Detail, Time }: PutEventsRequestEntry): PutEventsResultEntry | undefined {
  for (const [member, value] of Object.entries({ Source, DetailType, Detail })) {
    if (!value) {
      return {
        ErrorCode: 'InvalidArgument',
        ErrorMessage: `Parameter ${member} is not valid. Reason: ${member} is a required argument.`,
      };
    }
  }
  if (Time && !(Time.getTime() >= 0 && Time.getTime() < endOfTime)) {
    return { ErrorCode: 'InvalidArgument', ErrorMessage: 'Parameter Time is not valid.' };
  }
  if (/^aws\./.test(Source!)) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  if (!parseObject(Detail!)) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  return undefined;
}

export function eventOperations(state: EventsState) {
  const PutEvents: Operation<PutEventsRequest, PutEventsResponse> = {
    access: ({ Entries }) =>
      (Entries ?? []).map(({ EventBusName, Source, DetailType }) => ({
        resource: state.busArn(busNameOf(EventBusName)),
        context: { 'events:source': Source ?? '', 'events:detail-type': DetailType ?? '' },
      })),
    async handle({ Entries: entries = [], EndpointId }) {
      if (EndpointId !== undefined) {
        throw fault('NotImplementedException', 'Longshore has no global endpoints: leave EndpointId out.');
      }
      if (entries.reduce((sum, entry) => sum + sizeOf(entry), 0) > mostBytes) {
        throw fault('ValidationException', 'Total size of the entries in the request is over the limit.');
      }
      const checked = entries.map((entry) => ({ entry, problem: entryProblem(entry) }));
      const results = await state.store.transaction(async (tx) => {
        const buses = new Set((await tx.db.selectFrom('events_bus').select('name').execute()).map((bus) => bus.name));
        const answers: PutEventsResultEntry[] = [];
        for (const { entry, problem } of checked) {
          const bus = busNameOf(entry.EventBusName);
          if (problem) answers.push(problem);
          // An event for a bus that is not there is taken and goes nowhere.
          else if (!buses.has(bus)) answers.push({ EventId: state.random.uuid() });
          else {
            const { id } = await ingest(state, tx, {
              source: entry.Source!,
              detailType: entry.DetailType!,
              resources: entry.Resources ?? [],
              detail: entry.Detail!,
              time: entry.Time?.getTime(),
              bus,
            });
            answers.push({ EventId: id });
          }
        }
        return answers;
      });
      return { FailedEntryCount: results.filter((result) => result.ErrorCode).length, Entries: results };
    },
  };

  const TestEventPattern: Operation<TestEventPatternRequest, TestEventPatternResponse> = {
    access: () => [{ resource: '*' }],
    async handle(input) {
      const event = parseObject(input.Event!);
      const whole = ['id', 'account', 'source', 'time', 'region', 'detail-type'];
      if (!event || !whole.every((member) => Object.hasOwn(event, member))) {
        throw fault('ValidationException', 'Parameter Event is not valid.');
      }
      return { Result: requirePattern(input.EventPattern!)(event) };
    },
  };

  return { PutEvents, TestEventPattern };
}
