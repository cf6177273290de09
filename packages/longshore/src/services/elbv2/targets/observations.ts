import type { LoadBalancerObservation, TargetObservation } from '../../../protocol/documents.ts';
import type { Elbv2Parts, Elbv2Tx } from '../operation.ts';
import type { LoadBalancerRow, TargetRow } from '../tables.ts';
import { announce } from './targets.ts';

/**
 * Takes what a node saw: whether load balancers serve, how targets are, which have drained. Writes only what differs from
 * what is known, so that a node may repeat itself.
 */
export async function takeObservations(
  parts: Elbv2Parts,
  observations: readonly LoadBalancerObservation[],
): Promise<void> {
  if (observations.length === 0) return;
  const known = await readKnown(parts, observations);
  const news = observations.flatMap((observation): LoadBalancerObservation[] => {
    const row = known.loadBalancers.get(observation.arn);
    if (!row) return [];
    const targets = observation.targets.filter(
      (target) => known.uses(observation.arn, target) && targetDiffers(known.target(target), target),
    );
    return targets.length > 0 || stateDiffers(row, observation) ? [{ ...observation, targets }] : [];
  });
  if (news.length === 0) return;
  await parts.store.transaction(async (tx) => {
    for (const observation of news) await takeObservation(tx, observation);
  });
}

async function readKnown(parts: Elbv2Parts, observations: readonly LoadBalancerObservation[]) {
  const { db } = parts.store;
  const groups = [...new Set(observations.flatMap(({ targets }) => targets.map((target) => target.targetGroupArn)))];
  const arns = observations.map(({ arn }) => arn);
  const [loadBalancers, uses, targets] = await Promise.all([
    db.selectFrom('elbv2_load_balancers').selectAll().where('arn', 'in', arns).execute(),
    db
      .selectFrom('elbv2_rule_target_groups')
      .select(['loadBalancerArn', 'targetGroupArn'])
      .where('loadBalancerArn', 'in', arns)
      .execute(),
    groups.length === 0
      ? []
      : db.selectFrom('elbv2_targets').selectAll().where('targetGroupArn', 'in', groups).execute(),
  ]);
  const used = new Set(uses.map((use) => `${use.loadBalancerArn} ${use.targetGroupArn}`));
  const byKey = new Map(targets.map((row) => [keyOf(row), row]));
  return {
    loadBalancers: new Map(loadBalancers.map((row) => [row.arn, row])),
    /** Whether the load balancer still forwards to the target's group: what it saw before says nothing of now. */
    uses: (arn: string, target: TargetObservation) => used.has(`${arn} ${target.targetGroupArn}`),
    target: (target: TargetObservation) => byKey.get(keyOf(target)),
  };
}

function keyOf(target: { readonly targetGroupArn: string; readonly id: string; readonly port: number }): string {
  return `${target.targetGroupArn} ${target.id} ${target.port}`;
}

function stateDiffers(row: LoadBalancerRow, { state, error }: LoadBalancerObservation): boolean {
  return row.state !== state || row.reason !== (state === 'failed' ? (error ?? null) : null);
}

/** What was seen of a target before it was deregistered, or taken back, says nothing of it now. */
function targetDiffers(row: TargetRow | undefined, target: TargetObservation): boolean {
  if (!row) return false;
  if (row.draining === 1) return target.state === 'drained';
  if (target.state === 'drained' || target.state === 'draining') return false;
  return (
    row.state !== target.state ||
    row.reason !== (target.reason ?? null) ||
    row.description !== (target.description ?? null)
  );
}

async function takeObservation(tx: Elbv2Tx, observation: LoadBalancerObservation): Promise<void> {
  const { arn, state, error, targets } = observation;
  const row = await tx.db.selectFrom('elbv2_load_balancers').selectAll().where('arn', '=', arn).executeTakeFirst();
  if (!row) return;
  if (stateDiffers(row, observation)) {
    await tx.db
      .updateTable('elbv2_load_balancers')
      .set({ state, reason: state === 'failed' ? (error ?? null) : null })
      .where('arn', '=', arn)
      .execute();
    tx.changed('elbv2.load-balancer-state', arn);
  }
  for (const target of targets) await takeTarget(tx, target);
}

async function takeTarget(tx: Elbv2Tx, target: TargetObservation): Promise<void> {
  const { targetGroupArn, id, port } = target;
  const row = await tx.db
    .selectFrom('elbv2_targets')
    .selectAll()
    .where('targetGroupArn', '=', targetGroupArn)
    .where('id', '=', id)
    .where('port', '=', port)
    .executeTakeFirst();
  if (!row || !targetDiffers(row, target)) return;
  if (target.state === 'drained' || target.state === 'draining') {
    await tx.db
      .deleteFrom('elbv2_targets')
      .where('targetGroupArn', '=', targetGroupArn)
      .where('id', '=', id)
      .where('port', '=', port)
      .execute();
    announce(tx, targetGroupArn);
    return;
  }
  await tx.db
    .updateTable('elbv2_targets')
    .set({ state: target.state, reason: target.reason ?? null, description: target.description ?? null })
    .where('targetGroupArn', '=', targetGroupArn)
    .where('id', '=', id)
    .where('port', '=', port)
    .execute();
  tx.changed('elbv2.target-health', targetGroupArn);
}
