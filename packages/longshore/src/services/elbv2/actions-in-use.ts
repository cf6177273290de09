import type { Action } from '@aws-sdk/client-elastic-load-balancing-v2';
import { fault, targetGroupNotFound } from './errors.ts';
import type { Elbv2Tx } from './operation.ts';
import { targetGroupsOf } from './rules/actions.ts';
import { announce, settleUnused } from './targets/targets.ts';

interface RulePlace {
  readonly ruleArn: string;
  readonly listenerArn: string;
  readonly loadBalancerArn: string;
  readonly vpcId: string;
}

/**
 * Notes which target groups a rule's actions name, in place of those that it named before. Throws TargetGroupNotFound,
 * TargetGroupAssociationLimit (in use by another load balancer), InvalidConfigurationRequest (other VPC).
 */
export async function noteTargetGroups(tx: Elbv2Tx, place: RulePlace, actions: readonly Action[]): Promise<void> {
  const { ruleArn, listenerArn, loadBalancerArn } = place;
  const before = await tx.db
    .deleteFrom('elbv2_rule_target_groups')
    .where('ruleArn', '=', ruleArn)
    .returning('targetGroupArn')
    .execute();
  for (const targetGroupArn of targetGroupsOf(actions)) {
    const group = await tx.db
      .selectFrom('elbv2_target_groups')
      .select('vpcId')
      .where('arn', '=', targetGroupArn)
      .executeTakeFirst();
    if (!group) throw targetGroupNotFound();
    if (group.vpcId !== place.vpcId) {
      throw fault(
        'InvalidConfigurationRequest',
        `The target group '${targetGroupArn}' is not in the VPC of the load balancer, '${place.vpcId}'`,
      );
    }
    const elsewhere = await tx.db
      .selectFrom('elbv2_rule_target_groups')
      .select('ruleArn')
      .where('targetGroupArn', '=', targetGroupArn)
      .where('loadBalancerArn', '!=', loadBalancerArn)
      .executeTakeFirst();
    if (elsewhere) {
      throw fault(
        'TargetGroupAssociationLimit',
        `The following target groups cannot be associated with more than one load balancer: ${targetGroupArn}`,
      );
    }
    await tx.db
      .insertInto('elbv2_rule_target_groups')
      .values({ ruleArn, listenerArn, loadBalancerArn, targetGroupArn })
      .execute();
    announce(tx, targetGroupArn);
  }
  await settleUnused(
    tx,
    before.map((use) => use.targetGroupArn),
  );
}
