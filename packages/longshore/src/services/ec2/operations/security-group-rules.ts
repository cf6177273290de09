import type {
  AuthorizeSecurityGroupEgressRequest,
  AuthorizeSecurityGroupIngressRequest,
  AuthorizeSecurityGroupIngressResult,
  DescribeSecurityGroupRulesRequest,
  DescribeSecurityGroupRulesResult,
  ModifySecurityGroupRulesRequest,
  ModifySecurityGroupRulesResult,
  RevokeSecurityGroupEgressRequest,
  RevokeSecurityGroupIngressRequest,
  RevokeSecurityGroupIngressResult,
  SecurityGroupRule,
  Tag,
  UpdateSecurityGroupRuleDescriptionsEgressRequest,
  UpdateSecurityGroupRuleDescriptionsIngressRequest,
  UpdateSecurityGroupRuleDescriptionsIngressResult,
} from '@aws-sdk/client-ec2';
import { formatArn } from '../../../wire/arn.ts';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { notFound, required } from '../errors.ts';
import { exactValues, type FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Ec2Tx, type Operations, operation } from '../operation.ts';
import {
  type Permission,
  parseDescription,
  parsePermissions,
  permissionKey,
  permissionWords,
} from '../permissions/permissions.ts';
import { requestedRules, takeGroup } from '../security-groups.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { newId } from '../vpcs.ts';

const mostRules = 60;

/** The rules of security groups: authorize, revoke, describe, modify. */
export function securityGroupRuleOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const one = (input: { GroupId?: string | undefined }) => [`security-group/${input.GroupId ?? '*'}`];
  const view = (row: SecurityGroupRuleRow, tags: Tag[]): SecurityGroupRule => ruleView(row, tags, settings);

  const authorize =
    (egress: 0 | 1) =>
    async (
      input: AuthorizeSecurityGroupIngressRequest | AuthorizeSecurityGroupEgressRequest,
    ): Promise<AuthorizeSecurityGroupIngressResult> => {
      const tags = specifiedTags(input.TagSpecifications, 'security-group-rule');
      return store.transaction(async (tx) => {
        const group = await takeGroup(tx.db, input);
        const wanted = await requestedRules(tx, group, input);
        const known = new Set((await rulesOf(tx, group, egress)).map(permissionKey));
        const rows: SecurityGroupRuleRow[] = [];
        for (const permission of wanted) {
          const key = permissionKey(permission);
          if (known.has(key)) {
            throw new Fault(
              'InvalidPermission.Duplicate',
              `the specified rule "${permissionWords(permission)}" already exists`,
            );
          }
          known.add(key);
          rows.push({ ...permission, ruleId: newId(parts, 'sgr'), groupId: group.groupId, egress });
        }
        if (known.size > mostRules) {
          throw new Fault(
            'RulesPerSecurityGroupLimitExceeded',
            'The maximum number of rules per security group has been reached.',
          );
        }
        await tx.db.insertInto('ec2_security_group_rules').values(rows).execute();
        for (const row of rows) await putTags(tx, row.ruleId, tags);
        tx.changed('ec2.security-group', group.groupId);
        return { Return: true, SecurityGroupRules: rows.map((row) => view(row, [...tags])) };
      });
    };

  const revoke =
    (egress: 0 | 1) =>
    async (
      input: RevokeSecurityGroupIngressRequest | RevokeSecurityGroupEgressRequest,
    ): Promise<RevokeSecurityGroupIngressResult> =>
      store.transaction(async (tx) => {
        const group = await takeGroup(tx.db, input);
        const own = await rulesOf(tx, group, egress);
        const gone = given(input.SecurityGroupRuleIds)
          ? byIds(own, input.SecurityGroupRuleIds ?? [])
          : byPermissions(own, await requestedRules(tx, group, input));
        const ids = gone.map((rule) => rule.ruleId);
        await tx.db.deleteFrom('ec2_security_group_rules').where('ruleId', 'in', ids).execute();
        await dropTags(tx, ...ids);
        tx.changed('ec2.security-group', group.groupId);
        return { Return: true };
      });

  const updateDescriptions =
    (egress: 0 | 1) =>
    async (
      input: UpdateSecurityGroupRuleDescriptionsIngressRequest | UpdateSecurityGroupRuleDescriptionsEgressRequest,
    ): Promise<UpdateSecurityGroupRuleDescriptionsIngressResult> =>
      store.transaction(async (tx) => {
        const group = await takeGroup(tx.db, input);
        const own = await rulesOf(tx, group, egress);
        const changes = given(input.SecurityGroupRuleDescriptions?.map((change) => change.SecurityGroupRuleId ?? ''))
          ? (input.SecurityGroupRuleDescriptions ?? []).flatMap(({ SecurityGroupRuleId = '', Description }) =>
              byIds(own, [SecurityGroupRuleId]).map((rule) => ({ rule, description: parseDescription(Description) })),
            )
          : (await requestedRules(tx, group, input)).flatMap((permission) =>
              byPermissions(own, [permission]).map((rule) => ({ rule, description: permission.description })),
            );
        for (const { rule, description } of changes) {
          await tx.db
            .updateTable('ec2_security_group_rules')
            .set({ description })
            .where('ruleId', '=', rule.ruleId)
            .execute();
        }
        return { Return: true };
      });

  const describeRules = async (input: DescribeSecurityGroupRulesRequest): Promise<DescribeSecurityGroupRulesResult> => {
    const ids = given(input.SecurityGroupRuleIds);
    let query = store.db.selectFrom('ec2_security_group_rules').selectAll();
    if (ids) query = query.where('ruleId', 'in', ids);
    const groups = exactValues(input.Filters, 'group-id');
    if (groups) query = query.where('groupId', 'in', groups);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'security-group-rule', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.ruleId),
      (id) => notFound('security-group-rule', id),
    );
    const { items, next } = describe(
      rows.map((row) => view(row, tagsOf(row.ruleId))),
      input,
      { id: (rule) => rule.SecurityGroupRuleId, tags: (rule) => rule.Tags, fields: ruleFields },
    );
    return { SecurityGroupRules: items, ...next };
  };

  const modify = async (input: ModifySecurityGroupRulesRequest): Promise<ModifySecurityGroupRulesResult> =>
    store.transaction(async (tx) => {
      const group = await takeGroup(tx.db, input);
      for (const { SecurityGroupRuleId, SecurityGroupRule: wanted = {} } of input.SecurityGroupRules ?? []) {
        const ruleId = required(SecurityGroupRuleId, 'securityGroupRuleId');
        const own = [...(await rulesOf(tx, group, 0)), ...(await rulesOf(tx, group, 1))];
        const [row] = byIds(own, [ruleId]);
        const peerGroupId = wanted.ReferencedGroupId;
        if (peerGroupId !== undefined) await takeGroup(tx.db, { GroupId: peerGroupId });
        const [permission] = parsePermissions(
          [
            {
              IpProtocol: wanted.IpProtocol,
              FromPort: wanted.FromPort,
              ToPort: wanted.ToPort,
              ...(wanted.CidrIpv4 ? { IpRanges: [{ CidrIp: wanted.CidrIpv4 }] } : {}),
              ...(wanted.CidrIpv6 ? { Ipv6Ranges: [{ CidrIpv6: wanted.CidrIpv6 }] } : {}),
              ...(wanted.PrefixListId ? { PrefixListIds: [{ PrefixListId: wanted.PrefixListId }] } : {}),
              ...(peerGroupId ? { UserIdGroupPairs: [{ GroupId: peerGroupId }] } : {}),
            },
          ],
          () => peerGroupId ?? '',
        );
        const changed: Permission = { ...permission!, description: parseDescription(wanted.Description) };
        const same = own.some(
          (other) =>
            other.ruleId !== ruleId && other.egress === row!.egress && permissionKey(other) === permissionKey(changed),
        );
        if (same) {
          throw new Fault(
            'InvalidPermission.Duplicate',
            `the specified rule "${permissionWords(changed)}" already exists`,
          );
        }
        await tx.db.updateTable('ec2_security_group_rules').set(changed).where('ruleId', '=', ruleId).execute();
      }
      tx.changed('ec2.security-group', group.groupId);
      return { Return: true };
    });

  return {
    AuthorizeSecurityGroupIngress: operation(authorize(0), one),
    AuthorizeSecurityGroupEgress: operation(authorize(1), one),
    RevokeSecurityGroupIngress: operation(revoke(0), one),
    RevokeSecurityGroupEgress: operation(revoke(1), one),
    UpdateSecurityGroupRuleDescriptionsIngress: operation(updateDescriptions(0), one),
    UpdateSecurityGroupRuleDescriptionsEgress: operation(updateDescriptions(1), one),
    DescribeSecurityGroupRules: operation(describeRules),
    ModifySecurityGroupRules: operation(modify, one),
  };
}

async function rulesOf(tx: Ec2Tx, group: SecurityGroupRow, egress: 0 | 1): Promise<SecurityGroupRuleRow[]> {
  return tx.db
    .selectFrom('ec2_security_group_rules')
    .selectAll()
    .where('groupId', '=', group.groupId)
    .where('egress', '=', egress)
    .execute();
}

function byIds(rules: readonly SecurityGroupRuleRow[], ids: readonly string[]): SecurityGroupRuleRow[] {
  return ids.map((id) => {
    const rule = rules.find((one) => one.ruleId === id);
    if (!rule) throw notFound('security-group-rule', id);
    return rule;
  });
}

function byPermissions(
  rules: readonly SecurityGroupRuleRow[],
  permissions: readonly Permission[],
): SecurityGroupRuleRow[] {
  const byKey = new Map(rules.map((rule) => [permissionKey(rule), rule]));
  return permissions.map((permission) => {
    const rule = byKey.get(permissionKey(permission));
    if (rule) return rule;
    throw new Fault('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
  });
}

function ruleView(
  row: SecurityGroupRuleRow,
  tags: Tag[],
  { region, accountId }: { readonly region: string; readonly accountId: string },
): SecurityGroupRule {
  return {
    SecurityGroupRuleId: row.ruleId,
    SecurityGroupRuleArn: formatArn('ec2', region, accountId, `security-group-rule/${row.ruleId}`),
    GroupId: row.groupId,
    GroupOwnerId: accountId,
    IsEgress: row.egress === 1,
    IpProtocol: row.protocol,
    FromPort: row.fromPort ?? -1,
    ToPort: row.toPort ?? -1,
    ...(row.cidr === null ? {} : { CidrIpv4: row.cidr }),
    ...(row.cidr6 === null ? {} : { CidrIpv6: row.cidr6 }),
    ...(row.peerGroupId === null ? {} : { ReferencedGroupInfo: { GroupId: row.peerGroupId, UserId: accountId } }),
    ...(row.description === null ? {} : { Description: row.description }),
    Tags: tags,
  };
}

const ruleFields: FilterFields<SecurityGroupRule> = {
  'group-id': (rule) => rule.GroupId,
  'security-group-rule-id': (rule) => rule.SecurityGroupRuleId,
};
