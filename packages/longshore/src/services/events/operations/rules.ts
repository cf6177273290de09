import type {
  DeleteRuleRequest,
  DescribeRuleRequest,
  DescribeRuleResponse,
  DisableRuleRequest,
  EnableRuleRequest,
  ListRulesRequest,
  ListRulesResponse,
  PutRuleRequest,
  PutRuleResponse,
  Rule,
} from '@aws-sdk/client-eventbridge';
import { pageByKey } from '../../../wire/pagination.ts';
import type { Operation } from '../../../wire/service.ts';
import type { IamContract } from '../../iam/contract.ts';
import { compilePattern, type EventMatcher, PatternError } from '../pattern/pattern.ts';
import { nextRun, parseSchedule } from '../schedule/schedule.ts';
import {
  busNameOf,
  defaultBus,
  type EventsState,
  fault,
  limitExceeded,
  limits,
  pageRequest,
  requireBus,
  requireRule,
  tail,
  topics,
} from '../state.ts';
import type { RuleRow } from '../tables.ts';
import { dropTags, putTags, tagContext } from './tags.ts';

/** Throws InvalidEventPatternException. */
export function requirePattern(pattern: string): EventMatcher {
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw fault('InvalidEventPatternException', `Event pattern is not valid. Reason: ${error.message}`);
  }
}

const shape = (row: RuleRow): Rule => ({
  Name: row.name,
  Arn: row.arn,
  ...(row.pattern === null ? {} : { EventPattern: row.pattern }),
  ...(row.schedule === null ? {} : { ScheduleExpression: row.schedule }),
  State: row.state as 'ENABLED',
  ...(row.description === null ? {} : { Description: row.description }),
  ...(row.role_arn === null ? {} : { RoleArn: row.role_arn }),
  EventBusName: row.bus,
});

/** When a rule that is enabled now runs first. */
function firstRun(schedule: string | null, state: string, now: number): number | null {
  const parsed = schedule === null || state === 'DISABLED' ? undefined : parseSchedule(schedule);
  return (parsed && nextRun(parsed, now, now)) ?? null;
}

export function ruleOperations(state: EventsState, iam: Pick<IamContract, 'checkPassRole'>) {
  const { store, db, clock } = state;

  const PutRule: Operation<PutRuleRequest, PutRuleResponse> = {
    access: (input) => [
      { resource: state.ruleArn(busNameOf(input.EventBusName), input.Name!), ...tagContext(input.Tags) },
    ],
    async handle(input, context) {
      const { Name: name = '', EventPattern: pattern, ScheduleExpression: schedule, RoleArn: role } = input;
      const bus = busNameOf(input.EventBusName);
      if (!pattern && !schedule) {
        throw fault('ValidationException', 'Parameter(s) EventPattern or ScheduleExpression must be specified.');
      }
      if (schedule && bus !== defaultBus) {
        throw fault('ValidationException', 'ScheduleExpression is supported only on the default event bus.');
      }
      if (schedule && !parseSchedule(schedule)) {
        throw fault('ValidationException', 'Parameter ScheduleExpression is not valid.');
      }
      if (pattern) requirePattern(pattern);
      if (role) await iam.checkPassRole(context, role, 'events.amazonaws.com');
      return store.transaction(async (tx) => {
        await requireBus(tx.db, bus);
        const arn = state.ruleArn(bus, name);
        const before = await tx.db.selectFrom('events_rule').selectAll().where('arn', '=', arn).executeTakeFirst();
        if (!before) {
          const count = await tx.db
            .selectFrom('events_rule')
            .select((eb) => eb.fn.countAll<number>().as('rules'))
            .where('bus', '=', bus)
            .executeTakeFirstOrThrow();
          if (Number(count.rules) >= limits.rulesPerBus) throw limitExceeded();
        }
        const now = clock.now();
        const row: RuleRow = {
          arn,
          bus,
          name,
          pattern: pattern || null,
          schedule: schedule || null,
          state: input.State ?? 'ENABLED',
          description: input.Description ?? null,
          role_arn: role ?? null,
          created_by: before?.created_by ?? context.accountId,
          created_at: before?.created_at ?? now,
          next_at: null,
        };
        // A rule that is put again as it was goes on with the run that it waits for.
        const same = before?.schedule === row.schedule && before?.state === row.state;
        const next_at = same ? before.next_at : firstRun(row.schedule, row.state, now);
        await tx.db.deleteFrom('events_rule').where('arn', '=', arn).execute();
        await tx.db
          .insertInto('events_rule')
          .values({ ...row, next_at })
          .execute();
        if (!before) await putTags(tx.db, arn, input.Tags ?? []);
        tx.changed(topics.rule, arn);
        return { RuleArn: arn };
      });
    },
  };

  const DescribeRule: Operation<DescribeRuleRequest, DescribeRuleResponse> = {
    access: ({ Name, EventBusName }) => state.ruleAccess(Name!, EventBusName),
    async handle({ Name, EventBusName }) {
      const bus = busNameOf(EventBusName);
      await requireBus(db, bus);
      const row = await requireRule(db, bus, Name!);
      return { ...shape(row), CreatedBy: row.created_by };
    },
  };

  const ListRules: Operation<ListRulesRequest, ListRulesResponse> = {
    access: ({ EventBusName }) => state.ruleAccess('*', EventBusName),
    async handle(input) {
      const bus = await requireBus(db, busNameOf(input.EventBusName));
      const rows = await db.selectFrom('events_rule').selectAll().where('bus', '=', bus.name).execute();
      const chosen = rows.filter((row) => row.name.startsWith(input.NamePrefix ?? ''));
      const page = pageByKey(chosen, (row) => row.name, pageRequest(input));
      return { Rules: page.items.map(shape), ...tail(page.nextToken) };
    },
  };

  const DeleteRule: Operation<DeleteRuleRequest, object> = {
    access: ({ Name, EventBusName }) => state.ruleAccess(Name!, EventBusName),
    handle: ({ Name, EventBusName }) =>
      store.transaction(async (tx) => {
        const bus = await requireBus(tx.db, busNameOf(EventBusName));
        const arn = state.ruleArn(bus.name, Name!);
        const target = await tx.db
          .selectFrom('events_target')
          .select('id')
          .where('rule_arn', '=', arn)
          .executeTakeFirst();
        if (target) throw fault('ValidationException', "Rule can't be deleted since it has targets.");
        await tx.db.deleteFrom('events_rule').where('arn', '=', arn).execute();
        await dropTags(tx.db, arn);
        tx.changed(topics.rule, arn);
        return {};
      }),
  };

  const setState = (to: 'ENABLED' | 'DISABLED'): Operation<EnableRuleRequest & DisableRuleRequest, object> => ({
    access: ({ Name, EventBusName }) => state.ruleAccess(Name!, EventBusName),
    handle: ({ Name, EventBusName }) =>
      store.transaction(async (tx) => {
        const bus = await requireBus(tx.db, busNameOf(EventBusName));
        const row = await requireRule(tx.db, bus.name, Name!);
        if (row.state === to) return {};
        await tx.db
          .updateTable('events_rule')
          .set({ state: to, next_at: firstRun(row.schedule, to, clock.now()) })
          .where('arn', '=', row.arn)
          .execute();
        tx.changed(topics.rule, row.arn);
        return {};
      }),
  });

  return {
    PutRule,
    DescribeRule,
    ListRules,
    DeleteRule,
    EnableRule: setState('ENABLED'),
    DisableRule: setState('DISABLED'),
  };
}
