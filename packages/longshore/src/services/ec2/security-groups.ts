import type { IpPermission } from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../wire/fault.ts';
import { missingParameter, notFound } from './errors.ts';
import type { Ec2Tx } from './operation.ts';
import { type Permission, parsePermissions } from './permissions/permissions.ts';
import type { Ec2Tables, SecurityGroupRow } from './tables.ts';

/** How requests name a group: by its id, or a group of the default VPC by its name. */
export interface GroupReference {
  readonly GroupId?: string | undefined;
  readonly GroupName?: string | undefined;
}

/** The group, or a thrown InvalidGroup.NotFound. */
export async function takeGroup(db: Kysely<Ec2Tables>, reference: GroupReference): Promise<SecurityGroupRow> {
  const { GroupId, GroupName } = reference;
  if (GroupId === undefined && GroupName === undefined) throw missingParameter('groupName or groupId');
  if (GroupId !== undefined) {
    const row = await db
      .selectFrom('ec2_security_groups')
      .selectAll()
      .where('groupId', '=', GroupId)
      .executeTakeFirst();
    if (!row) throw notFound('security-group', GroupId);
    return row;
  }
  const row = await db
    .selectFrom('ec2_security_groups')
    .innerJoin('ec2_vpcs', 'ec2_vpcs.vpcId', 'ec2_security_groups.vpcId')
    .selectAll('ec2_security_groups')
    .where('ec2_vpcs.isDefault', '=', 1)
    .where('groupName', '=', GroupName ?? '')
    .executeTakeFirst();
  if (!row) {
    throw new Fault('InvalidGroup.NotFound', `The security group '${GroupName}' does not exist in default VPC`);
  }
  return row;
}

/** The members of a request that name rules, in the new way (`IpPermissions`) and the old. */
export interface RulesInput {
  readonly IpPermissions?: IpPermission[] | undefined;
  readonly IpProtocol?: string | undefined;
  readonly FromPort?: number | undefined;
  readonly ToPort?: number | undefined;
  readonly CidrIp?: string | undefined;
  readonly SourceSecurityGroupName?: string | undefined;
  readonly SourceSecurityGroupOwnerId?: string | undefined;
}

/** The rules that a request names for a group. Throws InvalidGroup.NotFound for a group that is not in the same VPC. */
export async function requestedRules(tx: Ec2Tx, group: SecurityGroupRow, input: RulesInput): Promise<Permission[]> {
  const entries = input.IpPermissions?.length ? input.IpPermissions : oldEntries(input);
  if (entries.length === 0) throw missingParameter('ipPermissions');
  const groups = await tx.db
    .selectFrom('ec2_security_groups')
    .select(['groupId', 'groupName'])
    .where('vpcId', '=', group.vpcId)
    .execute();
  return parsePermissions(entries, ({ GroupId, GroupName }) => {
    const peer = groups.find((one) => (GroupId === undefined ? one.groupName === GroupName : one.groupId === GroupId));
    if (!peer) throw notFound('security-group', GroupId ?? `sg-${GroupName ?? ''}`);
    return peer.groupId;
  });
}

function oldEntries(input: RulesInput): IpPermission[] {
  const { IpProtocol, FromPort, ToPort, CidrIp, SourceSecurityGroupName } = input;
  if (IpProtocol === undefined && CidrIp === undefined && SourceSecurityGroupName === undefined) return [];
  return [
    {
      IpProtocol: IpProtocol ?? (SourceSecurityGroupName === undefined ? undefined : '-1'),
      FromPort,
      ToPort,
      ...(CidrIp === undefined ? {} : { IpRanges: [{ CidrIp }] }),
      ...(SourceSecurityGroupName === undefined ? {} : { UserIdGroupPairs: [{ GroupName: SourceSecurityGroupName }] }),
    },
  ];
}
