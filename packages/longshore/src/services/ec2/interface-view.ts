import type { NetworkInterface, NetworkInterfaceAssociation } from '@aws-sdk/client-ec2';
import { privateDnsName } from './addresses/zones.ts';
import type { FilterFields } from './filters/filters.ts';
import type { Ec2Parts } from './operation.ts';
import type { InterfaceRow } from './tables.ts';
import { tagReader } from './tags.ts';

/** Interfaces as DescribeNetworkInterfaces shows them. */
export async function interfaceViews(parts: Ec2Parts, rows: readonly InterfaceRow[]): Promise<NetworkInterface[]> {
  if (rows.length === 0) return [];
  const { db } = parts.store;
  const { accountId, region } = parts.settings;
  const ids = rows.map((row) => row.interfaceId);
  const [memberships, addresses, tagsOf] = await Promise.all([
    db
      .selectFrom('ec2_interface_groups')
      .innerJoin('ec2_security_groups', 'ec2_security_groups.groupId', 'ec2_interface_groups.groupId')
      .select(['interfaceId', 'ec2_interface_groups.groupId', 'groupName'])
      .where('interfaceId', 'in', ids)
      .orderBy('position')
      .execute(),
    db.selectFrom('ec2_elastic_ips').selectAll().where('interfaceId', 'in', ids).execute(),
    tagReader(db, 'network-interface', ids),
  ]);
  const groupsOf = Map.groupBy(memberships, (row) => row.interfaceId);
  const associationOf = new Map(addresses.map((row) => [row.interfaceId, row.associationId]));
  return rows.map((row) => {
    const association = associationView(row, associationOf.get(row.interfaceId) ?? null, accountId);
    const name = privateDnsName(region, row.privateAddress);
    return {
      NetworkInterfaceId: row.interfaceId,
      InterfaceType: row.interfaceType as NonNullable<NetworkInterface['InterfaceType']>,
      Status: row.inUse === 1 ? 'in-use' : 'available',
      SubnetId: row.subnetId,
      VpcId: row.vpcId,
      AvailabilityZone: row.availabilityZone,
      Description: row.description,
      OwnerId: accountId,
      ...(row.requesterId === '' ? {} : { RequesterId: row.requesterId }),
      RequesterManaged: row.requesterId !== '',
      MacAddress: row.macAddress,
      PrivateIpAddress: row.privateAddress,
      PrivateDnsName: name,
      PrivateIpAddresses: [
        { Primary: true, PrivateIpAddress: row.privateAddress, PrivateDnsName: name, ...association },
      ],
      Ipv6Addresses: [],
      SourceDestCheck: row.sourceDestCheck === 1,
      Groups: (groupsOf.get(row.interfaceId) ?? []).map(({ groupId, groupName }) => ({
        GroupId: groupId,
        GroupName: groupName,
      })),
      ...(row.attachmentId === null
        ? {}
        : {
            Attachment: {
              AttachmentId: row.attachmentId,
              AttachTime: new Date(row.createdAt),
              DeleteOnTermination: false,
              DeviceIndex: 1,
              InstanceOwnerId: row.requesterId,
              Status: 'attached' as const,
            },
          }),
      ...association,
      TagSet: tagsOf(row.interfaceId),
    };
  });
}

function associationView(
  row: InterfaceRow,
  associationId: string | null,
  accountId: string,
): { Association?: NetworkInterfaceAssociation } {
  if (row.publicAddress === null) return {};
  return {
    Association: {
      PublicIp: row.publicAddress,
      PublicDnsName: '',
      IpOwnerId: row.allocationId === null ? 'amazon' : accountId,
      ...(row.allocationId === null ? {} : { AllocationId: row.allocationId }),
      ...(associationId === null ? {} : { AssociationId: associationId }),
    },
  };
}

export const interfaceFields: FilterFields<NetworkInterface> = {
  'addresses.association.owner-id': (one) => one.Association?.IpOwnerId,
  'addresses.association.public-ip': (one) => one.Association?.PublicIp,
  'addresses.primary': (one) => one.PrivateIpAddresses?.map((address) => String(address.Primary)),
  'addresses.private-ip-address': (one) => one.PrivateIpAddresses?.map((address) => address.PrivateIpAddress),
  'association.allocation-id': (one) => one.Association?.AllocationId,
  'association.association-id': (one) => one.Association?.AssociationId,
  'association.ip-owner-id': (one) => one.Association?.IpOwnerId,
  'association.public-dns-name': (one) => one.Association?.PublicDnsName,
  'association.public-ip': (one) => one.Association?.PublicIp,
  'attachment.attachment-id': (one) => one.Attachment?.AttachmentId,
  'attachment.device-index': (one) => one.Attachment?.DeviceIndex,
  'attachment.instance-id': (one) => one.Attachment?.InstanceId,
  'attachment.instance-owner-id': (one) => one.Attachment?.InstanceOwnerId,
  'attachment.status': (one) => one.Attachment?.Status,
  'availability-zone': (one) => one.AvailabilityZone,
  description: (one) => one.Description,
  'group-id': (one) => one.Groups?.map((group) => group.GroupId),
  'group-name': (one) => one.Groups?.map((group) => group.GroupName),
  'interface-type': (one) => one.InterfaceType,
  'mac-address': (one) => one.MacAddress,
  'network-interface-id': (one) => one.NetworkInterfaceId,
  'owner-id': (one) => one.OwnerId,
  'private-dns-name': (one) => one.PrivateDnsName,
  'private-ip-address': (one) => one.PrivateIpAddress,
  'requester-id': (one) => one.RequesterId,
  'requester-managed': (one) => one.RequesterManaged,
  'source-dest-check': (one) => one.SourceDestCheck,
  status: (one) => one.Status,
  'subnet-id': (one) => one.SubnetId,
  'vpc-id': (one) => one.VpcId,
};
