import type { Tx } from '../../state/store.ts';
import type { Service, ServiceParts } from '../contract.ts';
import type { Ec2Contract } from '../ec2/contract.ts';
import type { IamContract } from '../iam/contract.ts';
import { allAttributes, targetGroupAttributes } from './attributes/attributes.ts';
import type { Elbv2Contract } from './contract.ts';
import { loadBalancersSource, namesSource } from './documents.ts';
import type { Elbv2Parts, Elbv2Tx } from './operation.ts';
import { elbv2Operations } from './operations/operations.ts';
import type { Elbv2Tables } from './tables.ts';
import { drainLimit } from './targets/drain-limit.ts';
import { takeObservations } from './targets/observations.ts';
import { deregisterTargets, registerTargets, targetsWithHealth } from './targets/targets.ts';

/** Elastic Load Balancing v2: application load balancers, whose data plane is on the nodes. */
export function elbv2Service(
  serviceParts: ServiceParts<Elbv2Tables>,
  others: { readonly ec2: Ec2Contract; readonly iam: IamContract },
): Service<Elbv2Contract> {
  const parts: Elbv2Parts = { ...serviceParts, ...others };
  return {
    definition: { name: 'elbv2', iamPrefix: 'elasticloadbalancing', operations: elbv2Operations(parts) },
    controllers: [drainLimit(parts)],
    contract: elbv2Contract(parts),
  };
}

function elbv2Contract(parts: Elbv2Parts): Elbv2Contract {
  const { db } = parts.store;
  return {
    loadBalancers: loadBalancersSource(parts),
    names: namesSource(parts),
    async targetGroup(arn) {
      const row = await db.selectFrom('elbv2_target_groups').selectAll().where('arn', '=', arn).executeTakeFirst();
      if (!row) return undefined;
      const uses = await db
        .selectFrom('elbv2_rule_target_groups')
        .select('loadBalancerArn')
        .distinct()
        .where('targetGroupArn', '=', arn)
        .execute();
      const attributes = allAttributes(targetGroupAttributes, JSON.parse(row.attributes));
      return {
        arn,
        targetType: row.targetType,
        vpcId: row.vpcId,
        protocol: row.protocol,
        loadBalancerArns: uses.map((use) => use.loadBalancerArn),
        deregistrationDelaySeconds: Number(attributes['deregistration_delay.timeout_seconds']),
      };
    },
    registerTargets: (tx, arn, targets) => registerTargets(own(tx), arn, targets),
    deregisterTargets: (tx, arn, targets) => deregisterTargets(own(tx), parts, arn, targets),
    health: async (arn) => (await targetsWithHealth(db, arn)).map(({ zone: _, ...health }) => health),
    observed: (observations) => takeObservations(parts, observations),
  };
}

/** The one store holds every service's tables: a transaction of another service reaches ours too. */
function own(tx: Tx<unknown>): Elbv2Tx {
  return tx as unknown as Elbv2Tx;
}
