import type { Kysely } from 'kysely';
import type { LogsErrorCode } from '../../models/errors.ts';
import type { Store } from '../../state/store.ts';
import { formatArn, parseArn } from '../../wire/arn.ts';
import { faults } from '../../wire/fault.ts';
import type { Access } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { GroupRow, LogsTables, StreamRow } from './tables.ts';

export const fault = faults<LogsErrorCode>();

/** Announced when a group is made, changed or deleted; the key is its name. */
export const groupTopic = 'logs.group';

/** What every operation of Logs works with. */
export interface LogsState extends Pick<ServiceParts<LogsTables>, 'clock' | 'random'> {
  readonly db: Kysely<LogsTables>;
  readonly store: Store<LogsTables>;
  /** Without the trailing `:*`. */
  groupArn(name: string): string;
  streamArn(group: string, stream: string): string;
  /** What IAM policies are asked about: `…:log-group:NAME:log-stream:STREAM`, the stream empty for the group itself. */
  access(group: string, stream?: string): readonly Access[];
}

/** What every part of CloudWatch Logs works on. */
export function createState({ store, clock, random, settings }: ServiceParts<LogsTables>): LogsState {
  const arn = (resource: string) => formatArn('logs', settings.region, settings.accountId, resource);
  const streamArn = (group: string, stream: string) => arn(`log-group:${group}:log-stream:${stream}`);
  return {
    store,
    db: store.db,
    clock,
    random,
    groupArn: (name) => arn(`log-group:${name}`),
    streamArn,
    access: (group, stream = '') => [{ resource: streamArn(group, stream) }],
  };
}

/** Throws ResourceNotFoundException. */
export async function requireGroup(db: Kysely<LogsTables>, name: string): Promise<GroupRow> {
  const row = await db.selectFrom('logs_group').selectAll().where('name', '=', name).executeTakeFirst();
  if (!row) throw fault('ResourceNotFoundException', 'The specified log group does not exist.');
  return row;
}

/** Throws ResourceNotFoundException. */
export async function requireStream(db: Kysely<LogsTables>, group: GroupRow, name: string): Promise<StreamRow> {
  const row = await db
    .selectFrom('logs_stream')
    .selectAll()
    .where('group_id', '=', group.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (!row) throw fault('ResourceNotFoundException', 'The specified log stream does not exist.');
  return row;
}

export interface GroupReference {
  readonly logGroupName?: string | undefined;
  /** A name or an ARN. */
  readonly logGroupIdentifier?: string | undefined;
}

/** The group that a request names one way or the other. Throws InvalidParameterException for both or neither. */
export function groupNameOf({ logGroupName, logGroupIdentifier }: GroupReference): string {
  if ((logGroupName === undefined) === (logGroupIdentifier === undefined)) {
    throw fault(
      'InvalidParameterException',
      'Exactly one of logGroupName or logGroupIdentifier must be given in the request.',
    );
  }
  return logGroupName ?? nameFromIdentifier(logGroupIdentifier!);
}

/** `…:log-group:NAME[:*]` or a plain name. */
export function nameFromIdentifier(identifier: string): string {
  const arn = parseArn(identifier);
  if (!arn) return identifier;
  const name = /^log-group:([^:]+)(:\*)?$/.exec(arn.resource)?.[1];
  if (arn.service !== 'logs' || name === undefined) {
    throw fault('InvalidParameterException', `Invalid log group ARN: ${identifier}`);
  }
  return name;
}

const dayMs = 86_400_000;

/** Events of a group from before this have expired; 0 where nothing does. */
export const expiryOf = (group: Pick<GroupRow, 'retention_days'>, now: number): number =>
  group.retention_days === null ? 0 : now - group.retention_days * dayMs;
