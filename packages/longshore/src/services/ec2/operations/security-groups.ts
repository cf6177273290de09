import type {
  CreateSecurityGroupRequest,
  CreateSecurityGroupResult,
  DeleteSecurityGroupRequest,
  DeleteSecurityGroupResult,
  DescribeSecurityGroupsRequest,
  DescribeSecurityGroupsResult,
  IpPermission,
  SecurityGroup,
} from '@aws-sdk/client-ec2';
import { formatArn } from '../../../wire/arn.ts';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { invalidValue, notFound, required } from '../errors.ts';
import { exactValues, type FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import { formatPermissions } from '../permissions/permissions.ts';
import { takeGroup } from '../security-groups.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { newId, takeVpc } from '../vpcs.ts';

/** Security groups; their rules are in security-group-rules.ts. */
export function securityGroupOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const { accountId, region } = settings;
  const arnOf = (groupId: string) => formatArn('ec2', region, accountId, `security-group/${groupId}`);

  const create = async (input: CreateSecurityGroupRequest): Promise<CreateSecurityGroupResult> => {
    const groupName = checkText(required(input.GroupName, 'groupName'), 'groupName');
    const description = checkText(required(input.Description, 'groupDescription'), 'groupDescription');
    if (groupName.startsWith('sg-')) {
      throw invalidValue(
        `Value (${groupName}) for parameter groupName is invalid. Group names may not be in the format sg-*.`,
      );
    }
    const tags = specifiedTags(input.TagSpecifications, 'security-group');
    return store.transaction(async (tx) => {
      const { vpcId } = input.VpcId === undefined ? await defaultVpc() : await takeVpc(tx.db, input.VpcId);
      const taken = await tx.db
        .selectFrom('ec2_security_groups')
        .select('groupId')
        .where('vpcId', '=', vpcId)
        .where('groupName', '=', groupName)
        .executeTakeFirst();
      if (groupName === 'default') throw new Fault('InvalidGroup.Reserved', "The security group 'default' is reserved");
      if (taken) {
        throw new Fault(
          'InvalidGroup.Duplicate',
          `The security group '${groupName}' already exists for VPC '${vpcId}'`,
        );
      }
      const groupId = newId(parts, 'sg');
      await tx.db.insertInto('ec2_security_groups').values({ groupId, vpcId, groupName, description }).execute();
      await tx.db
        .insertInto('ec2_security_group_rules')
        .values({
          ruleId: newId(parts, 'sgr'),
          groupId,
          egress: 1,
          protocol: '-1',
          fromPort: null,
          toPort: null,
          cidr: '0.0.0.0/0',
          cidr6: null,
          peerGroupId: null,
          description: null,
        })
        .execute();
      await putTags(tx, groupId, tags);
      tx.changed('ec2.security-group', groupId);
      return { GroupId: groupId, SecurityGroupArn: arnOf(groupId), Tags: [...tags] };

      async function defaultVpc() {
        const row = await tx.db.selectFrom('ec2_vpcs').select('vpcId').where('isDefault', '=', 1).executeTakeFirst();
        if (!row) throw new Fault('VPCIdNotSpecified', 'No default VPC for this user');
        return row;
      }
    });
  };

  const describeGroups = async (input: DescribeSecurityGroupsRequest): Promise<DescribeSecurityGroupsResult> => {
    const ids = given(input.GroupIds);
    const narrowed = ids ?? exactValues(input.Filters, 'group-id');
    let query = store.db.selectFrom('ec2_security_groups').selectAll();
    let rulesQuery = store.db.selectFrom('ec2_security_group_rules').selectAll().orderBy('ruleId');
    if (narrowed) {
      query = query.where('groupId', 'in', narrowed);
      rulesQuery = rulesQuery.where('groupId', 'in', narrowed);
    }
    const names = given(input.GroupNames);
    if (names) query = query.where('groupName', 'in', names);
    const [rows, rules, tagsOf] = await Promise.all([
      query.execute(),
      rulesQuery.execute(),
      tagReader(store.db, 'security-group', narrowed),
    ]);
    requireAll(
      ids,
      rows.map((row) => row.groupId),
      (id) => notFound('security-group', id),
    );
    requireAll(
      names,
      rows.map((row) => row.groupName),
      (name) => new Fault('InvalidGroup.NotFound', `The security group '${name}' does not exist`),
    );
    const rulesOf = Map.groupBy(rules, (rule) => rule.groupId);
    const views = rows.map((row): SecurityGroup => {
      const own = rulesOf.get(row.groupId) ?? [];
      const permissions = (egress: number) =>
        formatPermissions(
          own.filter((rule) => rule.egress === egress),
          accountId,
        );
      return {
        GroupId: row.groupId,
        GroupName: row.groupName,
        Description: row.description,
        VpcId: row.vpcId,
        OwnerId: accountId,
        SecurityGroupArn: arnOf(row.groupId),
        IpPermissions: permissions(0),
        IpPermissionsEgress: permissions(1),
        Tags: tagsOf(row.groupId),
      };
    });
    const { items, next } = describe(views, input, {
      id: (group) => group.GroupId,
      tags: (group) => group.Tags,
      fields: groupFields,
    });
    return { SecurityGroups: items, ...next };
  };

  const remove = async (input: DeleteSecurityGroupRequest): Promise<DeleteSecurityGroupResult> =>
    store.transaction(async (tx) => {
      const { groupId, groupName } = await takeGroup(tx.db, input);
      if (groupName === 'default') {
        throw new Fault(
          'CannotDelete',
          `the specified group: "${groupId}" name: "default" cannot be deleted by a user`,
        );
      }
      const used =
        (await tx.db
          .selectFrom('ec2_interface_groups')
          .select('interfaceId')
          .where('groupId', '=', groupId)
          .executeTakeFirst()) ??
        (await tx.db
          .selectFrom('ec2_security_group_rules')
          .select('ruleId')
          .where('peerGroupId', '=', groupId)
          .where('groupId', '!=', groupId)
          .executeTakeFirst());
      if (used) throw new Fault('DependencyViolation', `resource ${groupId} has a dependent object`);
      const rules = await tx.db
        .deleteFrom('ec2_security_group_rules')
        .where('groupId', '=', groupId)
        .returning('ruleId')
        .execute();
      await tx.db.deleteFrom('ec2_security_groups').where('groupId', '=', groupId).execute();
      await dropTags(tx, groupId, ...rules.map((rule) => rule.ruleId));
      tx.changed('ec2.security-group', groupId);
      return { Return: true, GroupId: groupId };
    });

  return {
    CreateSecurityGroup: operation(create, (input) => [
      'security-group/*',
      ...(input.VpcId ? [`vpc/${input.VpcId}`] : []),
    ]),
    DescribeSecurityGroups: operation(describeGroups),
    DeleteSecurityGroup: operation(remove, (input) => [`security-group/${input.GroupId ?? '*'}`]),
  };
}

function checkText(text: string, name: string): string {
  if (text.length > 255 || !/^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]*$/.test(text)) {
    throw invalidValue(
      `Value (${text}) for parameter ${name} is invalid. Character sets beyond ASCII are not supported.`,
    );
  }
  return text;
}

function permissionFields(
  prefix: string,
  read: (group: SecurityGroup) => IpPermission[] | undefined,
): FilterFields<SecurityGroup> {
  const each = (value: (entry: IpPermission) => (string | undefined)[]) => (group: SecurityGroup) =>
    (read(group) ?? []).flatMap(value);
  const text = (number: number | undefined) => (number === undefined ? undefined : String(number));
  return {
    [`${prefix}.cidr`]: each((entry) => (entry.IpRanges ?? []).map((range) => range.CidrIp)),
    [`${prefix}.ipv6-cidr`]: each((entry) => (entry.Ipv6Ranges ?? []).map((range) => range.CidrIpv6)),
    [`${prefix}.from-port`]: each((entry) => [text(entry.FromPort)]),
    [`${prefix}.to-port`]: each((entry) => [text(entry.ToPort)]),
    [`${prefix}.protocol`]: each((entry) => [entry.IpProtocol]),
    [`${prefix}.group-id`]: each((entry) => (entry.UserIdGroupPairs ?? []).map((pair) => pair.GroupId)),
    [`${prefix}.user-id`]: each((entry) => (entry.UserIdGroupPairs ?? []).map((pair) => pair.UserId)),
  };
}

const groupFields: FilterFields<SecurityGroup> = {
  description: (group) => group.Description,
  'group-id': (group) => group.GroupId,
  'group-name': (group) => group.GroupName,
  'owner-id': (group) => group.OwnerId,
  'vpc-id': (group) => group.VpcId,
  ...permissionFields('ip-permission', (group) => group.IpPermissions),
  ...permissionFields('egress.ip-permission', (group) => group.IpPermissionsEgress),
};
