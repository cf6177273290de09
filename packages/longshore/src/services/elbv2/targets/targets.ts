import type { Kysely } from 'kysely';
import type { TargetHealth } from '../contract.ts';
import { fault, targetGroupNotFound } from '../errors.ts';
import type { Elbv2Parts, Elbv2Tx } from '../operation.ts';
import type { Elbv2Tables, TargetGroupRow, TargetRow } from '../tables.ts';

export interface TargetKey {
  readonly id: string;
  readonly port: number;
}

const mostTargets = 1000;

/** The row, or a thrown TargetGroupNotFound. */
export async function takeTargetGroup(db: Kysely<Elbv2Tables>, arn: string | undefined): Promise<TargetGroupRow> {
  const row = await db
    .selectFrom('elbv2_target_groups')
    .selectAll()
    .where('arn', '=', arn ?? '')
    .executeTakeFirst();
  if (!row) throw targetGroupNotFound();
  return row;
}

/**
 * Registers targets, or takes them back from draining with the health that was last seen: a node that never heard of the
 * draining has nothing new to say. Idempotent. Throws TargetGroupNotFound, TooManyTargets.
 */
export async function registerTargets(
  tx: Elbv2Tx,
  targetGroupArn: string,
  targets: readonly (TargetKey & { readonly zone?: string | undefined })[],
): Promise<void> {
  await takeTargetGroup(tx.db, targetGroupArn);
  let changed = false;
  for (const { id, port, zone } of targets) {
    const result = await tx.db
      .insertInto('elbv2_targets')
      .values({
        targetGroupArn,
        id,
        port,
        zone: zone ?? null,
        draining: 0,
        drainingSince: null,
        state: null,
        reason: null,
        description: null,
      })
      .onConflict((oc) =>
        oc
          .columns(['targetGroupArn', 'id', 'port'])
          .doUpdateSet({ draining: 0, drainingSince: null })
          .where('elbv2_targets.draining', '=', 1),
      )
      .executeTakeFirst();
    changed ||= Number(result.numInsertedOrUpdatedRows ?? 0) > 0;
  }
  if (!changed) return;
  const { count } = await tx.db
    .selectFrom('elbv2_targets')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('targetGroupArn', '=', targetGroupArn)
    .executeTakeFirstOrThrow();
  if (Number(count) > mostTargets) {
    throw fault('TooManyTargets', `A target group can have at most ${mostTargets} targets`);
  }
  announce(tx, targetGroupArn);
}

/**
 * Takes targets out of service: they drain while a load balancer serves them, and are forgotten at once where none does.
 * Idempotent. Throws TargetGroupNotFound.
 */
export async function deregisterTargets(
  tx: Elbv2Tx,
  parts: Pick<Elbv2Parts, 'clock'>,
  targetGroupArn: string,
  targets: readonly TargetKey[],
): Promise<void> {
  await takeTargetGroup(tx.db, targetGroupArn);
  const served = await isServed(tx.db, targetGroupArn);
  let changed = false;
  for (const { id, port } of targets) {
    const result = served
      ? await tx.db
          .updateTable('elbv2_targets')
          .set({ draining: 1, drainingSince: parts.clock.now() })
          .where('targetGroupArn', '=', targetGroupArn)
          .where('id', '=', id)
          .where('port', '=', port)
          .where('draining', '=', 0)
          .executeTakeFirst()
      : await tx.db
          .deleteFrom('elbv2_targets')
          .where('targetGroupArn', '=', targetGroupArn)
          .where('id', '=', id)
          .where('port', '=', port)
          .executeTakeFirst();
    const rows = 'numUpdatedRows' in result ? result.numUpdatedRows : result.numDeletedRows;
    changed ||= rows > 0n;
  }
  if (changed) announce(tx, targetGroupArn);
}

/** Whether a load balancer that a node has taken up forwards to the group. */
async function isServed(db: Kysely<Elbv2Tables>, targetGroupArn: string): Promise<boolean> {
  const row = await db
    .selectFrom('elbv2_rule_target_groups')
    .innerJoin('elbv2_load_balancers', 'elbv2_load_balancers.arn', 'elbv2_rule_target_groups.loadBalancerArn')
    .select('elbv2_load_balancers.arn')
    .where('targetGroupArn', '=', targetGroupArn)
    .where('elbv2_load_balancers.state', '=', 'active')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * After rules went: groups that no rule names any more are served by none, so that what drains there is forgotten and what
 * was seen of the others no longer holds.
 */
export async function settleUnused(tx: Elbv2Tx, targetGroupArns: readonly string[]): Promise<void> {
  for (const arn of new Set(targetGroupArns)) {
    const used = await tx.db
      .selectFrom('elbv2_rule_target_groups')
      .select('ruleArn')
      .where('targetGroupArn', '=', arn)
      .executeTakeFirst();
    if (used) continue;
    await tx.db.deleteFrom('elbv2_targets').where('targetGroupArn', '=', arn).where('draining', '=', 1).execute();
    await tx.db
      .updateTable('elbv2_targets')
      .set({ state: null, reason: null, description: null })
      .where('targetGroupArn', '=', arn)
      .execute();
    announce(tx, arn);
  }
}

/** Tells nodes of the group's targets, and others of their health. */
export function announce(tx: Elbv2Tx, targetGroupArn: string): void {
  tx.changed('elbv2.target', targetGroupArn);
  tx.changed('elbv2.target-health', targetGroupArn);
}

/** A target's health in the words of DescribeTargetHealth. `used`: whether some rule names its group. */
export function healthOf(row: TargetRow, used: boolean): TargetHealth {
  const { id, port } = row;
  if (row.draining === 1) {
    return {
      id,
      port,
      state: 'draining',
      reason: 'Target.DeregistrationInProgress',
      description: 'Target deregistration is in progress',
    };
  }
  if (!used) {
    return {
      id,
      port,
      state: 'unused',
      reason: 'Target.NotInUse',
      description: 'Target group is not configured to receive traffic from the load balancer',
    };
  }
  if (row.state === null) {
    return {
      id,
      port,
      state: 'initial',
      reason: 'Elb.RegistrationInProgress',
      description: 'Target registration is in progress',
    };
  }
  return {
    id,
    port,
    state: row.state,
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.description === null ? {} : { description: row.description }),
  };
}

/** Every target of a group with its health. Throws TargetGroupNotFound. */
export async function targetsWithHealth(
  db: Kysely<Elbv2Tables>,
  targetGroupArn: string,
): Promise<readonly (TargetHealth & { readonly zone: string | null })[]> {
  await takeTargetGroup(db, targetGroupArn);
  const [used, rows] = await Promise.all([
    db
      .selectFrom('elbv2_rule_target_groups')
      .select('ruleArn')
      .where('targetGroupArn', '=', targetGroupArn)
      .executeTakeFirst(),
    db
      .selectFrom('elbv2_targets')
      .selectAll()
      .where('targetGroupArn', '=', targetGroupArn)
      .orderBy('id')
      .orderBy('port')
      .execute(),
  ]);
  return rows.map((row) => ({ ...healthOf(row, used !== undefined), zone: row.zone }));
}
