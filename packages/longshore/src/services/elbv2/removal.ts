import { type Elbv2Parts, type Elbv2Tx, shared } from './operation.ts';
import { dropTags } from './tags.ts';
import { settleUnused } from './targets/targets.ts';

/** Removes rules and what refers to them; groups that no rule names any more are settled. */
export async function removeRules(tx: Elbv2Tx, ruleArns: readonly string[]): Promise<void> {
  if (ruleArns.length === 0) return;
  const uses = await tx.db
    .deleteFrom('elbv2_rule_target_groups')
    .where('ruleArn', 'in', ruleArns)
    .returning('targetGroupArn')
    .execute();
  await tx.db.deleteFrom('elbv2_rules').where('arn', 'in', ruleArns).execute();
  await dropTags(tx, ruleArns);
  await settleUnused(
    tx,
    uses.map((use) => use.targetGroupArn),
  );
}

/** Removes a listener with its rules. */
export async function removeListener(tx: Elbv2Tx, listenerArn: string): Promise<void> {
  const rules = await tx.db.selectFrom('elbv2_rules').select('arn').where('listenerArn', '=', listenerArn).execute();
  await removeRules(
    tx,
    rules.map(({ arn }) => arn),
  );
  await tx.db.deleteFrom('elbv2_listeners').where('arn', '=', listenerArn).execute();
  await dropTags(tx, [listenerArn]);
  tx.changed('elbv2.listener', listenerArn);
}

/** Removes a load balancer with its listeners and interfaces. */
export async function removeLoadBalancer(tx: Elbv2Tx, parts: Elbv2Parts, arn: string): Promise<void> {
  const listeners = await tx.db
    .selectFrom('elbv2_listeners')
    .select('arn')
    .where('loadBalancerArn', '=', arn)
    .execute();
  for (const listener of listeners) await removeListener(tx, listener.arn);
  const zones = await tx.db
    .deleteFrom('elbv2_zones')
    .where('loadBalancerArn', '=', arn)
    .returning('interfaceId')
    .execute();
  for (const { interfaceId } of zones) await parts.ec2.deleteInterface(shared(tx), interfaceId);
  await tx.db.deleteFrom('elbv2_load_balancers').where('arn', '=', arn).execute();
  await dropTags(tx, [arn]);
  tx.changed('elbv2.load-balancer', arn);
}
