import type {
  ListRuleNamesByTargetRequest,
  ListRuleNamesByTargetResponse,
  ListTargetsByRuleRequest,
  ListTargetsByRuleResponse,
  PutTargetsRequest,
  PutTargetsResponse,
  RemoveTargetsRequest,
  RemoveTargetsResponse,
  Target,
} from '@aws-sdk/client-eventbridge';
import { pageByKey } from '../../../wire/pagination.ts';
import type { Operation } from '../../../wire/service.ts';
import type { IamContract } from '../../iam/contract.ts';
import { inputProblem } from '../input/input.ts';
import {
  busNameOf,
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
import { destinationOf, isArn } from '../targets/kinds.ts';

/** Parameters of targets that are not served. */
const unserved = [
  'KinesisParameters',
  'RunCommandParameters',
  'BatchParameters',
  'SqsParameters',
  'RedshiftDataParameters',
  'SageMakerPipelineParameters',
  'DeadLetterConfig',
  'AppSyncParameters',
] as const;

/** Throws ValidationException, NotImplementedException. */
function checkTarget(target: Target, runsTasks: boolean): void {
  const { Id: id = '', Arn: arn = '' } = target;
  const invalid = (message: string) => fault('ValidationException', message);
  if (!isArn(arn)) throw invalid(`Parameter ${arn} is not valid. Reason: Provided Arn is not in correct format.`);
  const destination = destinationOf(target);
  if (!destination || (destination.kind === 'ecs' && !runsTasks)) {
    throw fault(
      'NotImplementedException',
      `Longshore does not deliver events to ${arn} yet: log groups, ECS clusters and webhooks (arn:aws:events:REGION:ACCOUNT:webhook/URL) are served.`,
    );
  }
  for (const member of unserved) {
    if (target[member] !== undefined) {
      throw fault('NotImplementedException', `Longshore does not serve ${member} of a target yet.`);
    }
  }
  const problem = inputProblem(id, target);
  if (problem) throw invalid(problem);
  if (destination.kind === 'log-group') {
    if (target.RoleArn) throw invalid(`RoleArn is not supported for target ${arn}.`);
    if (target.Input !== undefined || target.InputPath !== undefined) {
      throw invalid(
        `Input and InputPath are not valid forms of input for target ${id}. The only valid form of input is InputTransformer.`,
      );
    }
  }
  if (destination.kind === 'ecs') {
    if (!target.RoleArn) throw invalid(`RoleArn is required for target ${arn}.`);
    if (!target.EcsParameters) throw invalid(`Parameter(s) EcsParameters must be specified for target: ${id}.`);
  }
}

export function targetOperations(state: EventsState, iam: Pick<IamContract, 'checkPassRole'>, runsTasks: boolean) {
  const { store, db } = state;

  const PutTargets: Operation<PutTargetsRequest, PutTargetsResponse> = {
    access: ({ Rule, EventBusName, Targets }) => [
      {
        ...state.ruleAccess(Rule!, EventBusName)[0]!,
        context: { 'events:TargetArn': (Targets ?? []).map((target) => target.Arn ?? '') },
      },
    ],
    async handle(input, context) {
      const targets = input.Targets ?? [];
      for (const target of targets) {
        checkTarget(target, runsTasks);
        if (target.RoleArn) await iam.checkPassRole(context, target.RoleArn, 'events.amazonaws.com');
      }
      return store.transaction(async (tx) => {
        const bus = await requireBus(tx.db, busNameOf(input.EventBusName));
        const rule = await requireRule(tx.db, bus.name, input.Rule!);
        for (const target of targets) {
          const row = { rule_arn: rule.arn, id: target.Id!, arn: target.Arn!, document: JSON.stringify(target) };
          await tx.db
            .insertInto('events_target')
            .values(row)
            .onConflict((conflict) =>
              conflict.columns(['rule_arn', 'id']).doUpdateSet({ arn: row.arn, document: row.document }),
            )
            .execute();
        }
        const all = await tx.db.selectFrom('events_target').select('id').where('rule_arn', '=', rule.arn).execute();
        if (all.length > limits.targetsPerRule) throw limitExceeded();
        tx.changed(topics.rule, rule.arn);
        return { FailedEntryCount: 0, FailedEntries: [] };
      });
    },
  };

  const RemoveTargets: Operation<RemoveTargetsRequest, RemoveTargetsResponse> = {
    access: ({ Rule, EventBusName }) => state.ruleAccess(Rule!, EventBusName),
    handle: (input) =>
      store.transaction(async (tx) => {
        const bus = await requireBus(tx.db, busNameOf(input.EventBusName));
        const rule = await requireRule(tx.db, bus.name, input.Rule!);
        for (const table of ['events_target', 'events_delivery'] as const) {
          const id = table === 'events_target' ? 'id' : 'target_id';
          await tx.db
            .deleteFrom(table)
            .where('rule_arn', '=', rule.arn)
            .where(id as 'id', 'in', input.Ids ?? [])
            .execute();
        }
        tx.changed(topics.rule, rule.arn);
        return { FailedEntryCount: 0, FailedEntries: [] };
      }),
  };

  const ListTargetsByRule: Operation<ListTargetsByRuleRequest, ListTargetsByRuleResponse> = {
    access: ({ Rule, EventBusName }) => state.ruleAccess(Rule!, EventBusName),
    async handle(input) {
      const bus = await requireBus(db, busNameOf(input.EventBusName));
      const rule = await requireRule(db, bus.name, input.Rule!);
      const rows = await db.selectFrom('events_target').selectAll().where('rule_arn', '=', rule.arn).execute();
      const page = pageByKey(rows, (row) => row.id, pageRequest(input));
      return { Targets: page.items.map((row) => JSON.parse(row.document) as Target), ...tail(page.nextToken) };
    },
  };

  const ListRuleNamesByTarget: Operation<ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse> = {
    access: ({ EventBusName }) => state.ruleAccess('*', EventBusName),
    async handle(input) {
      const bus = await requireBus(db, busNameOf(input.EventBusName));
      const rows = await db
        .selectFrom('events_target')
        .innerJoin('events_rule', 'events_rule.arn', 'events_target.rule_arn')
        .select('events_rule.name')
        .distinct()
        .where('events_target.arn', '=', input.TargetArn!)
        .where('events_rule.bus', '=', bus.name)
        .execute();
      const page = pageByKey(rows, (row) => row.name, pageRequest(input));
      return { RuleNames: page.items.map((row) => row.name), ...tail(page.nextToken) };
    },
  };

  return { PutTargets, RemoveTargets, ListTargetsByRule, ListRuleNamesByTarget };
}
