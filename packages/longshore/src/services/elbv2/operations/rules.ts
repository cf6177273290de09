import type {
  CreateRuleInput,
  CreateRuleOutput,
  DeleteRuleInput,
  DeleteRuleOutput,
  DescribeRulesInput,
  DescribeRulesOutput,
  ModifyRuleInput,
  ModifyRuleOutput,
  Rule,
  SetRulePrioritiesInput,
  SetRulePrioritiesOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kysely } from 'kysely';
import { noteTargetGroups } from '../actions-in-use.ts';
import { ruleArn } from '../arns.ts';
import { fault, invalid, notYet, required, ruleNotFound } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import { page } from '../pages.ts';
import { removeRules } from '../removal.ts';
import { parseActions } from '../rules/actions.ts';
import { parseConditions } from '../rules/conditions.ts';
import type { Elbv2Tables, RuleRow } from '../tables.ts';
import { checkedTags, putTags } from '../tags.ts';
import { takeListener } from './listeners.ts';
import { takeLoadBalancer } from './load-balancers.ts';

const mostRules = 100;

/** Rules: where a listener sends which requests. */
export function ruleOperations(parts: Elbv2Parts): Operations {
  const { store } = parts;
  const arnOf = (input: { RuleArn?: string | undefined }) => [input.RuleArn];

  const create = async (input: CreateRuleInput): Promise<CreateRuleOutput> => {
    if (input.Transforms?.length) throw notYet('Transforms of rules are');
    const conditions = parseConditions(input.Conditions ?? []);
    const actions = parseActions(input.Actions ?? []);
    const priority = required(input.Priority, 'priority');
    const tags = checkedTags(input.Tags);
    return store.transaction(async (tx) => {
      const { arn: listenerArn, loadBalancerArn } = await takeListener(tx.db, input.ListenerArn);
      const { vpcId } = await takeLoadBalancer(tx.db, loadBalancerArn);
      const others = await tx.db
        .selectFrom('elbv2_rules')
        .select(['listenerArn', 'priority'])
        .where('loadBalancerArn', '=', loadBalancerArn)
        .where('priority', 'is not', null)
        .execute();
      if (others.some((other) => other.listenerArn === listenerArn && other.priority === priority)) {
        throw priorityInUse(priority);
      }
      if (others.length >= mostRules) {
        throw fault('TooManyRules', `A load balancer can have at most ${mostRules} rules`);
      }
      const row: RuleRow = {
        arn: ruleArn(listenerArn, parts.random.hex(16)),
        listenerArn,
        loadBalancerArn,
        priority,
        conditions: JSON.stringify(conditions),
        actions: JSON.stringify(actions),
      };
      await tx.db.insertInto('elbv2_rules').values(row).execute();
      await noteTargetGroups(tx, { ruleArn: row.arn, listenerArn, loadBalancerArn, vpcId }, actions);
      await putTags(tx, row.arn, tags);
      tx.changed('elbv2.listener', listenerArn);
      return { Rules: [ruleView(row)] };
    });
  };

  const describe = async (input: DescribeRulesInput): Promise<DescribeRulesOutput> => {
    const { ListenerArn: listener, RuleArns: arns = [] } = input;
    if (listener === undefined && arns.length === 0) throw invalid('A listener ARN or rule ARNs must be specified');
    if (listener !== undefined && arns.length > 0)
      throw invalid('A listener ARN and rule ARNs cannot be specified at the same time');
    if (listener !== undefined) await takeListener(store.db, listener);
    let query = store.db.selectFrom('elbv2_rules').selectAll();
    query = listener === undefined ? query.where('arn', 'in', arns) : query.where('listenerArn', '=', listener);
    const rows = (await query.execute()).toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    if (arns.some((arn) => !rows.some((row) => row.arn === arn))) throw ruleNotFound();
    const { items, next } = page(rows, sortKey, input);
    return { Rules: items.map(ruleView), ...next };
  };

  const modify = async (input: ModifyRuleInput): Promise<ModifyRuleOutput> => {
    if (input.Transforms?.length) throw notYet('Transforms of rules are');
    const conditions = input.Conditions?.length ? parseConditions(input.Conditions) : undefined;
    const actions = input.Actions?.length ? parseActions(input.Actions) : undefined;
    return store.transaction(async (tx) => {
      const row = await takeRule(tx.db, input.RuleArn);
      if (row.priority === null) {
        throw fault('OperationNotPermitted', `Default rule '${row.arn}' cannot be modified`);
      }
      const changed: RuleRow = {
        ...row,
        ...(conditions ? { conditions: JSON.stringify(conditions) } : {}),
        ...(actions ? { actions: JSON.stringify(actions) } : {}),
      };
      await tx.db.updateTable('elbv2_rules').set(changed).where('arn', '=', row.arn).execute();
      if (actions) {
        const { vpcId } = await takeLoadBalancer(tx.db, row.loadBalancerArn);
        await noteTargetGroups(tx, { ...row, ruleArn: row.arn, vpcId }, actions);
      }
      tx.changed('elbv2.listener', row.listenerArn);
      return { Rules: [ruleView(changed)] };
    });
  };

  const remove = async (input: DeleteRuleInput): Promise<DeleteRuleOutput> => {
    await store.transaction(async (tx) => {
      const row = await takeRule(tx.db, input.RuleArn);
      if (row.priority === null) throw fault('OperationNotPermitted', `Default rule '${row.arn}' cannot be deleted`);
      await removeRules(tx, [row.arn]);
      tx.changed('elbv2.listener', row.listenerArn);
    });
    return {};
  };

  const setPriorities = async (input: SetRulePrioritiesInput): Promise<SetRulePrioritiesOutput> => {
    const wanted = (input.RulePriorities ?? []).map(({ RuleArn, Priority }) => ({
      arn: required(RuleArn, 'rule ARN'),
      priority: required(Priority, 'priority'),
    }));
    return store.transaction(async (tx) => {
      const changed: RuleRow[] = [];
      for (const { arn, priority } of wanted) {
        const row = await takeRule(tx.db, arn);
        if (row.priority === null) {
          throw fault('OperationNotPermitted', `Priority of default rule '${arn}' cannot be modified`);
        }
        await tx.db.updateTable('elbv2_rules').set({ priority }).where('arn', '=', arn).execute();
        changed.push({ ...row, priority });
      }
      for (const listenerArn of new Set(changed.map((row) => row.listenerArn))) {
        const rows = await tx.db
          .selectFrom('elbv2_rules')
          .select('priority')
          .where('listenerArn', '=', listenerArn)
          .execute();
        const seen = new Set<number | null>();
        for (const { priority } of rows) {
          if (priority !== null && seen.has(priority)) throw priorityInUse(priority);
          seen.add(priority);
        }
        tx.changed('elbv2.listener', listenerArn);
      }
      return { Rules: changed.map(ruleView) };
    });
  };

  return {
    CreateRule: operation(create, (input) => [input.ListenerArn]),
    DescribeRules: operation(describe),
    ModifyRule: operation(modify, arnOf),
    DeleteRule: operation(remove, arnOf),
    SetRulePriorities: operation(setPriorities, (input) => (input.RulePriorities ?? []).map((pair) => pair.RuleArn)),
  };
}

async function takeRule(db: Kysely<Elbv2Tables>, arn: string | undefined): Promise<RuleRow> {
  const row = await db
    .selectFrom('elbv2_rules')
    .selectAll()
    .where('arn', '=', arn ?? '')
    .executeTakeFirst();
  if (!row) throw ruleNotFound();
  return row;
}

function priorityInUse(priority: number) {
  return fault('PriorityInUse', `Priority '${priority}' is currently in use`);
}

/** By priority, the default rule last. */
function sortKey(row: RuleRow): string {
  return `${String(row.priority ?? 99_999).padStart(5, '0')} ${row.arn}`;
}

function ruleView(row: RuleRow): Rule {
  return {
    RuleArn: row.arn,
    Priority: row.priority === null ? 'default' : String(row.priority),
    Conditions: JSON.parse(row.conditions),
    Actions: JSON.parse(row.actions),
    IsDefault: row.priority === null,
  };
}
