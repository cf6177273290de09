import type { Kysely } from 'kysely';
import type { EventsErrorCode } from '../../models/errors.ts';
import type { Store } from '../../state/store.ts';
import { formatArn, parseArn } from '../../wire/arn.ts';
import { faults } from '../../wire/fault.ts';
import type { Access } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { BusRow, EventsTables, RuleRow } from './tables.ts';

export const fault = faults<EventsErrorCode>();

/** Topics of the change feed. */
export const topics = {
  /** Events came in; the key is their bus. */
  event: 'events.event',
  /** A rule or its targets were made, changed or deleted; the key is the rule's ARN. */
  rule: 'events.rule',
  bus: 'events.bus',
} as const;

export const defaultBus = 'default';

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
export const limits = { buses: 100, rulesPerBus: 300, targetsPerRule: 5 } as const;

export const limitExceeded = () =>
  fault('LimitExceededException', 'The requested resource exceeds the maximum number allowed.');

/** What every operation of EventBridge works with. */
export interface EventsState extends Pick<ServiceParts<EventsTables>, 'clock' | 'random' | 'settings' | 'log'> {
  readonly db: Kysely<EventsTables>;
  readonly store: Store<EventsTables>;
  busArn(name: string): string;
  /** A rule's ARN; those of the default bus do not name it. */
  ruleArn(bus: string, name: string): string;
  /** What policies are asked about where a request names a rule. */
  ruleAccess(name: string, bus: string | undefined): readonly Access[];
}

export function createState(parts: ServiceParts<EventsTables>): EventsState {
  const { store, clock, random, settings } = parts;
  const arn = (resource: string) => formatArn('events', settings.region, settings.accountId, resource);
  const ruleArn = (bus: string, name: string) => arn(bus === defaultBus ? `rule/${name}` : `rule/${bus}/${name}`);
  return {
    store,
    db: store.db,
    clock,
    random,
    settings,
    log: parts.log.child({ service: 'events' }),
    busArn: (name) => arn(`event-bus/${name}`),
    ruleArn,
    ruleAccess: (name, bus) => [{ resource: ruleArn(busNameOf(bus), name) }],
  };
}

/** The bus that a request names, by name or ARN. */
export function busNameOf(given: string | undefined): string {
  if (given === undefined) return defaultBus;
  const arn = parseArn(given);
  return arn ? arn.resource.replace(/^event-bus\//, '') : given;
}

/** Throws ResourceNotFoundException. */
export async function requireBus(db: Kysely<EventsTables>, name: string): Promise<BusRow> {
  const row = await db.selectFrom('events_bus').selectAll().where('name', '=', name).executeTakeFirst();
  if (!row) throw fault('ResourceNotFoundException', `Event bus ${name} does not exist.`);
  return row;
}

/** Throws ResourceNotFoundException. */
export async function requireRule(db: Kysely<EventsTables>, bus: string, name: string): Promise<RuleRow> {
  const row = await db
    .selectFrom('events_rule')
    .selectAll()
    .where('bus', '=', bus)
    .where('name', '=', name)
    .executeTakeFirst();
  if (!row) throw fault('ResourceNotFoundException', `Rule ${name} does not exist on EventBus ${bus}.`);
  return row;
}

/** What the wire's page helper needs of a request. */
export const pageRequest = (input: {
  readonly Limit?: number | undefined;
  readonly NextToken?: string | undefined;
}) => ({
  limit: input.Limit ?? 100,
  token: input.NextToken,
  badToken: () => fault('ValidationException', 'Invalid token received.'),
});

/** A page as EventBridge's lists end. */
export const tail = (nextToken: string | undefined): { NextToken?: string } =>
  nextToken === undefined ? {} : { NextToken: nextToken };
