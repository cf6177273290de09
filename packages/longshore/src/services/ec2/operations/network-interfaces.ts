import type {
  CreateNetworkInterfaceRequest,
  CreateNetworkInterfaceResult,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfaceAttributeRequest,
  DescribeNetworkInterfaceAttributeResult,
  DescribeNetworkInterfacesRequest,
  DescribeNetworkInterfacesResult,
  ModifyNetworkInterfaceAttributeRequest,
} from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { invalidValue, notFound, notYet, required } from '../errors.ts';
import { exactValues } from '../filters/filters.ts';
import { interfaceFields, interfaceViews } from '../interface-view.ts';
import { insertInterface, removeInterface, replaceGroups } from '../interfaces.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import type { Ec2Tables, InterfaceRow } from '../tables.ts';
import { putTags, specifiedTags } from '../tags.ts';

/** Network interfaces: callers' own, and the view on those of services. */
export function networkInterfaceOperations(parts: Ec2Parts): Operations {
  const { store } = parts;
  const one = (input: { NetworkInterfaceId?: string | undefined }) => [`network-interface/${input.NetworkInterfaceId}`];

  const create = async (input: CreateNetworkInterfaceRequest): Promise<CreateNetworkInterfaceResult> => {
    if (input.Ipv6Addresses?.length || input.Ipv6AddressCount) throw notYet('IPv6 addresses of interfaces are');
    if (input.SecondaryPrivateIpAddressCount) throw notYet('Secondary addresses of interfaces are');
    const listed = input.PrivateIpAddresses ?? [];
    if (listed.length > 1) throw notYet('Secondary addresses of interfaces are');
    if (input.InterfaceType && input.InterfaceType !== ('interface' as string)) {
      throw notYet(`Interfaces of type '${input.InterfaceType}' are`);
    }
    const tags = specifiedTags(input.TagSpecifications, 'network-interface');
    const interfaceId = await store.transaction(async (tx) => {
      const { row } = await insertInterface(tx, parts, {
        subnetId: required(input.SubnetId, 'subnetId'),
        groupIds: input.Groups ?? [],
        assignPublicIp: false,
        privateAddress: input.PrivateIpAddress ?? listed[0]?.PrivateIpAddress,
        description: input.Description ?? '',
        requesterId: '',
        interfaceType: 'interface',
        inUse: false,
      });
      await putTags(tx, row.interfaceId, tags);
      return row.interfaceId;
    });
    const [NetworkInterface] = await interfaceViews(parts, [await takeInterface(store.db, interfaceId)]);
    return { NetworkInterface };
  };

  const describeInterfaces = async (
    input: DescribeNetworkInterfacesRequest,
  ): Promise<DescribeNetworkInterfacesResult> => {
    const ids = given(input.NetworkInterfaceIds);
    let query = store.db.selectFrom('ec2_interfaces').selectAll();
    if (ids) query = query.where('interfaceId', 'in', ids);
    for (const [filter, column] of indexedFilters) {
      const values = exactValues(input.Filters, filter);
      if (values) query = query.where(column, 'in', values);
    }
    const groups = exactValues(input.Filters, 'group-id');
    if (groups) {
      query = query.where('interfaceId', 'in', (eb) =>
        eb.selectFrom('ec2_interface_groups').select('interfaceId').where('groupId', 'in', groups),
      );
    }
    const rows = await query.execute();
    if (ids && !input.Filters?.length) {
      requireAll(
        ids,
        rows.map((row) => row.interfaceId),
        (id) => notFound('network-interface', id),
      );
    }
    const { items, next } = describe(await interfaceViews(parts, rows), input, {
      id: (view) => view.NetworkInterfaceId,
      tags: (view) => view.TagSet,
      fields: interfaceFields,
    });
    return { NetworkInterfaces: items, ...next };
  };

  const remove = async ({ NetworkInterfaceId }: DeleteNetworkInterfaceRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const row = await takeInterface(tx.db, NetworkInterfaceId);
      if (row.inUse === 1) throw invalidValue(`Network interface '${row.interfaceId}' is currently in use.`);
      await removeInterface(tx, row.interfaceId);
    });
    return {};
  };

  const describeAttribute = async (
    input: DescribeNetworkInterfaceAttributeRequest,
  ): Promise<DescribeNetworkInterfaceAttributeResult> => {
    const [view] = await interfaceViews(parts, [await takeInterface(store.db, input.NetworkInterfaceId)]);
    const { NetworkInterfaceId } = view!;
    switch (required(input.Attribute, 'attribute')) {
      case 'description':
        return { NetworkInterfaceId, Description: { Value: view!.Description } };
      case 'groupSet':
        return { NetworkInterfaceId, Groups: view!.Groups };
      case 'sourceDestCheck':
        return { NetworkInterfaceId, SourceDestCheck: { Value: view!.SourceDestCheck } };
      case 'attachment':
        return { NetworkInterfaceId, ...(view!.Attachment ? { Attachment: view!.Attachment } : {}) };
      default:
        throw notYet(`Interface attribute ${input.Attribute} is`);
    }
  };

  const modify = async (input: ModifyNetworkInterfaceAttributeRequest): Promise<object> => {
    if (input.Attachment) throw notYet('Attachments of interfaces to instances are');
    if (input.SourceDestCheck?.Value === false) throw notYet('Interfaces without source/destination check are');
    await store.transaction(async (tx) => {
      const { interfaceId, requesterId } = await takeInterface(tx.db, input.NetworkInterfaceId);
      if (requesterId === 'amazon-elb') {
        throw new Fault('AuthFailure', 'You do not have permission to access the specified resource.');
      }
      if (input.Groups?.length) await replaceGroups(tx, interfaceId, input.Groups);
      if (input.Description?.Value !== undefined) {
        await tx.db
          .updateTable('ec2_interfaces')
          .set({ description: input.Description.Value })
          .where('interfaceId', '=', interfaceId)
          .execute();
      }
    });
    return {};
  };

  return {
    CreateNetworkInterface: operation(create, (input) => ['network-interface/*', `subnet/${input.SubnetId}`]),
    DescribeNetworkInterfaces: operation(describeInterfaces),
    DeleteNetworkInterface: operation(remove, one),
    DescribeNetworkInterfaceAttribute: operation(describeAttribute),
    ModifyNetworkInterfaceAttribute: operation(modify, one),
  };
}

/** Filters that the store can answer itself. */
const indexedFilters = [
  ['network-interface-id', 'interfaceId'],
  ['subnet-id', 'subnetId'],
  ['vpc-id', 'vpcId'],
  ['description', 'description'],
] as const;

async function takeInterface(db: Kysely<Ec2Tables>, interfaceId: string | undefined): Promise<InterfaceRow> {
  const row = await db
    .selectFrom('ec2_interfaces')
    .selectAll()
    .where('interfaceId', '=', interfaceId ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('network-interface', interfaceId);
  return row;
}
