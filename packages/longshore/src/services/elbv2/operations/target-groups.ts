import type {
  CreateTargetGroupInput,
  CreateTargetGroupOutput,
  DeleteTargetGroupInput,
  DeleteTargetGroupOutput,
  DescribeTargetGroupAttributesInput,
  DescribeTargetGroupAttributesOutput,
  DescribeTargetGroupsInput,
  DescribeTargetGroupsOutput,
  ModifyTargetGroupAttributesInput,
  ModifyTargetGroupAttributesOutput,
  ModifyTargetGroupInput,
  ModifyTargetGroupOutput,
  TargetGroup,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kysely } from 'kysely';
import { targetGroupArn } from '../arns.ts';
import { allAttributes, attributeList, changeAttributes, targetGroupAttributes } from '../attributes/attributes.ts';
import {
  changeHealthCheck,
  defaultHealthCheck,
  healthCheckMembers,
  refuseUnserved,
} from '../attributes/health-check.ts';
import { fault, invalid, notYet, required, targetGroupNotFound } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import { page } from '../pages.ts';
import type { Elbv2Tables, TargetGroupRow } from '../tables.ts';
import { checkedTags, dropTags, putTags } from '../tags.ts';
import { takeTargetGroup } from '../targets/targets.ts';
import { takeLoadBalancer } from './load-balancers.ts';

/** Target groups: what load balancers forward to, and how its targets are checked. */
export function targetGroupOperations(parts: Elbv2Parts): Operations {
  const { store, settings } = parts;
  const arnOf = (input: { TargetGroupArn?: string | undefined }) => [input.TargetGroupArn];

  const create = async (input: CreateTargetGroupInput): Promise<CreateTargetGroupOutput> => {
    const wanted = parseNew(input);
    const tags = checkedTags(input.Tags);
    if (!(await parts.ec2.vpc(wanted.vpcId))) throw invalid(`The VPC ID '${wanted.vpcId}' is not found`);
    const row = await store.transaction(async (tx) => {
      const existing = await tx.db
        .selectFrom('elbv2_target_groups')
        .selectAll()
        .where('name', '=', wanted.name)
        .executeTakeFirst();
      if (existing) {
        const { arn: _, attributes: __, ...settled } = existing;
        if (sameFields(settled, wanted)) return existing;
        throw fault(
          'DuplicateTargetGroupName',
          `A target group with the same name '${wanted.name}' exists, but with different settings`,
        );
      }
      const made: TargetGroupRow = {
        ...wanted,
        arn: targetGroupArn(settings, wanted.name, parts.random.hex(16)),
        attributes: '{}',
      };
      await tx.db.insertInto('elbv2_target_groups').values(made).execute();
      await putTags(tx, made.arn, tags);
      tx.changed('elbv2.target-group', made.arn);
      return made;
    });
    return { TargetGroups: await targetGroupViews(store.db, [row]) };
  };

  const describe = async (input: DescribeTargetGroupsInput): Promise<DescribeTargetGroupsOutput> => {
    const { TargetGroupArns: arns = [], Names: names = [], LoadBalancerArn: loadBalancer } = input;
    const given = [arns.length > 0, names.length > 0, loadBalancer !== undefined].filter(Boolean).length;
    if (given > 1) throw invalid('Only one of load balancer ARN, target group ARNs and names can be specified');
    if (loadBalancer !== undefined) await takeLoadBalancer(store.db, loadBalancer);
    let query = store.db.selectFrom('elbv2_target_groups').selectAll().orderBy('arn');
    if (arns.length > 0) query = query.where('arn', 'in', arns);
    if (names.length > 0) query = query.where('name', 'in', names);
    if (loadBalancer !== undefined) {
      query = query.where('arn', 'in', (eb) =>
        eb.selectFrom('elbv2_rule_target_groups').select('targetGroupArn').where('loadBalancerArn', '=', loadBalancer),
      );
    }
    const rows = await query.execute();
    const missing =
      arns.some((arn) => !rows.some((row) => row.arn === arn)) ||
      names.some((name) => !rows.some((row) => row.name === name));
    if (missing) throw targetGroupNotFound();
    const { items, next } = page(rows, (row) => row.arn, input);
    return { TargetGroups: await targetGroupViews(store.db, items), ...next };
  };

  const modify = async (input: ModifyTargetGroupInput): Promise<ModifyTargetGroupOutput> => {
    const row = await store.transaction(async (tx) => {
      const before = await takeTargetGroup(tx.db, input.TargetGroupArn);
      const health = changeHealthCheck(JSON.parse(before.healthCheck), before.protocolVersion, input);
      const healthCheck = JSON.stringify(health);
      await tx.db.updateTable('elbv2_target_groups').set({ healthCheck }).where('arn', '=', before.arn).execute();
      tx.changed('elbv2.target-group', before.arn);
      return { ...before, healthCheck };
    });
    return { TargetGroups: await targetGroupViews(store.db, [row]) };
  };

  /** AWS answers success where the group is gone already. */
  const remove = async ({ TargetGroupArn: arn = '' }: DeleteTargetGroupInput): Promise<DeleteTargetGroupOutput> => {
    await store.transaction(async (tx) => {
      const used = await tx.db
        .selectFrom('elbv2_rule_target_groups')
        .select('ruleArn')
        .where('targetGroupArn', '=', arn)
        .executeTakeFirst();
      if (used) {
        throw fault('ResourceInUse', `Target group '${arn}' is currently in use by a listener or a rule`);
      }
      await tx.db.deleteFrom('elbv2_targets').where('targetGroupArn', '=', arn).execute();
      await tx.db.deleteFrom('elbv2_target_groups').where('arn', '=', arn).execute();
      await dropTags(tx, [arn]);
      tx.changed('elbv2.target-group', arn);
    });
    return {};
  };

  const describeAttributes = async (
    input: DescribeTargetGroupAttributesInput,
  ): Promise<DescribeTargetGroupAttributesOutput> => {
    const row = await takeTargetGroup(store.db, input.TargetGroupArn);
    return { Attributes: attributeList(allAttributes(targetGroupAttributes, JSON.parse(row.attributes))) };
  };

  const modifyAttributes = async (
    input: ModifyTargetGroupAttributesInput,
  ): Promise<ModifyTargetGroupAttributesOutput> =>
    store.transaction(async (tx) => {
      const row = await takeTargetGroup(tx.db, input.TargetGroupArn);
      const set = changeAttributes(
        targetGroupAttributes,
        'Target group',
        JSON.parse(row.attributes),
        input.Attributes ?? [],
      );
      await tx.db
        .updateTable('elbv2_target_groups')
        .set({ attributes: JSON.stringify(set) })
        .where('arn', '=', row.arn)
        .execute();
      tx.changed('elbv2.target-group', row.arn);
      tx.changed('elbv2.target', row.arn);
      return { Attributes: attributeList(allAttributes(targetGroupAttributes, set)) };
    });

  return {
    CreateTargetGroup: operation(create, (input) => [targetGroupArn(settings, input.Name ?? '', '*')]),
    DescribeTargetGroups: operation(describe),
    ModifyTargetGroup: operation(modify, arnOf),
    DeleteTargetGroup: operation(remove, arnOf),
    DescribeTargetGroupAttributes: operation(describeAttributes),
    ModifyTargetGroupAttributes: operation(modifyAttributes, arnOf),
  };
}

function parseNew(input: CreateTargetGroupInput): Omit<TargetGroupRow, 'arn' | 'attributes'> {
  const name = checkName(input.Name ?? '');
  const targetType = input.TargetType ?? 'instance';
  if (targetType !== 'ip') throw notYet(`Target groups of target type '${targetType}' are`);
  if ((input.IpAddressType ?? 'ipv4') !== 'ipv4') throw notYet('Target groups of IPv6 addresses are');
  const protocol = required(input.Protocol, 'protocol');
  if (protocol !== 'HTTP' && protocol !== 'HTTPS') throw notYet(`Target groups of protocol '${protocol}' are`);
  const protocolVersion = input.ProtocolVersion ?? 'HTTP1';
  if (protocolVersion !== 'HTTP1' && protocolVersion !== 'HTTP2' && protocolVersion !== 'GRPC') {
    throw invalid(`Protocol version '${protocolVersion}' must be one of '[GRPC, HTTP1, HTTP2]'`);
  }
  refuseUnserved(protocolVersion);
  const healthCheck = changeHealthCheck(defaultHealthCheck('HTTP', protocolVersion), protocolVersion, input);
  return {
    name,
    targetType,
    protocol,
    protocolVersion,
    port: required(input.Port, 'port'),
    vpcId: required(input.VpcId, 'VPC ID'),
    healthCheck: JSON.stringify(healthCheck),
  };
}

function checkName(name: string): string {
  if (name.length > 32) throw invalid(`Target group name '${name}' cannot be longer than '32' characters`);
  if (!/^[a-zA-Z0-9-]+$/.test(name)) {
    throw invalid(
      `Target group name '${name}' can only contain characters that are alphanumeric characters and hyphens(-)`,
    );
  }
  if (name.startsWith('-') || name.endsWith('-')) {
    throw invalid(`Target group name '${name}' cannot begin or end with a hyphen(-)`);
  }
  return name;
}

function sameFields(a: object, b: object): boolean {
  const entries = (object: object) => JSON.stringify(Object.entries(object).sort(([x], [y]) => (x < y ? -1 : 1)));
  return entries(a) === entries(b);
}

async function targetGroupViews(db: Kysely<Elbv2Tables>, rows: readonly TargetGroupRow[]): Promise<TargetGroup[]> {
  if (rows.length === 0) return [];
  const uses = await db
    .selectFrom('elbv2_rule_target_groups')
    .select(['targetGroupArn', 'loadBalancerArn'])
    .distinct()
    .where(
      'targetGroupArn',
      'in',
      rows.map(({ arn }) => arn),
    )
    .execute();
  const usesOf = Map.groupBy(uses, (use) => use.targetGroupArn);
  return rows.map((row) => ({
    TargetGroupArn: row.arn,
    TargetGroupName: row.name,
    Protocol: row.protocol,
    ProtocolVersion: row.protocolVersion,
    Port: row.port,
    VpcId: row.vpcId,
    TargetType: row.targetType,
    IpAddressType: 'ipv4',
    ...healthCheckMembers(JSON.parse(row.healthCheck), row.protocolVersion),
    LoadBalancerArns: (usesOf.get(row.arn) ?? []).map((use) => use.loadBalancerArn),
  }));
}
