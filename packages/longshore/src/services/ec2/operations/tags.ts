import type {
  CreateTagsRequest,
  DeleteTagsRequest,
  DescribeTagsRequest,
  DescribeTagsResult,
  TagDescription,
} from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../../wire/fault.ts';
import { describe } from '../describe.ts';
import { missingParameter, natGatewayNotFound, notFound } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import type { Ec2Tables } from '../tables.ts';
import { checkedTags, putTags, resourceType } from '../tags.ts';

/** Tags of everything that EC2 has here. */
export function tagOperations({ store }: Ec2Parts): Operations {
  const resources = (input: { Resources?: string[] | undefined }) =>
    (input.Resources ?? []).map((id) => `${resourceType(id) ?? '*'}/${id}`);

  const create = async (input: CreateTagsRequest): Promise<object> => {
    const tags = checkedTags(input.Tags);
    if (tags.length === 0) throw missingParameter('tag');
    await store.transaction(async (tx) => {
      for (const id of input.Resources ?? []) {
        await requireResource(tx.db, id);
        await putTags(tx, id, tags);
        const { count } = await tx.db
          .selectFrom('ec2_tags')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('resourceId', '=', id)
          .executeTakeFirstOrThrow();
        if (Number(count) > 50) {
          throw new Fault('TagLimitExceeded', 'The maximum number of Tags for a resource has been reached.');
        }
      }
    });
    return {};
  };

  /** Without tags, all of a resource's; a tag with a value goes only where it has that value. */
  const remove = async (input: DeleteTagsRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      for (const id of input.Resources ?? []) {
        const all = tx.db.deleteFrom('ec2_tags').where('resourceId', '=', id);
        if (!input.Tags?.length) await all.execute();
        for (const { Key = '', Value } of input.Tags ?? []) {
          const one = all.where('key', '=', Key);
          await (Value === undefined ? one : one.where('value', '=', Value)).execute();
        }
      }
    });
    return {};
  };

  const describeTags = async (input: DescribeTagsRequest): Promise<DescribeTagsResult> => {
    const rows = await store.db.selectFrom('ec2_tags').selectAll().execute();
    const { items, next } = describe(
      rows.map(
        ({ resourceId, resourceType: type, key, value }): TagDescription => ({
          ResourceId: resourceId,
          ResourceType: type as NonNullable<TagDescription['ResourceType']>,
          Key: key,
          Value: value,
        }),
      ),
      input,
      {
        id: (tag) => `${tag.ResourceId} ${tag.Key}`,
        tags: (tag) => [{ Key: tag.Key, Value: tag.Value }],
        fields: tagFields,
      },
    );
    return { Tags: items, ...next };
  };

  return {
    CreateTags: operation(create, resources),
    DeleteTags: operation(remove, resources),
    DescribeTags: operation(describeTags),
  };
}

const tagFields: FilterFields<TagDescription> = {
  key: (tag) => tag.Key,
  'resource-id': (tag) => tag.ResourceId,
  'resource-type': (tag) => tag.ResourceType,
  value: (tag) => tag.Value,
};

/** Where each type of resource has its row. */
const places = {
  vpc: ['ec2_vpcs', 'vpcId'],
  subnet: ['ec2_subnets', 'subnetId'],
  'security-group': ['ec2_security_groups', 'groupId'],
  'security-group-rule': ['ec2_security_group_rules', 'ruleId'],
  'network-interface': ['ec2_interfaces', 'interfaceId'],
  'internet-gateway': ['ec2_internet_gateways', 'internetGatewayId'],
  'route-table': ['ec2_route_tables', 'routeTableId'],
  'elastic-ip': ['ec2_elastic_ips', 'allocationId'],
  natgateway: ['ec2_nat_gateways', 'natGatewayId'],
  'network-acl': ['ec2_network_acls', 'networkAclId'],
  'dhcp-options': ['ec2_dhcp_options', 'dhcpOptionsId'],
} as const;

async function requireResource(db: Kysely<Ec2Tables>, id: string): Promise<void> {
  const type = resourceType(id) as keyof typeof places | undefined;
  if (type === undefined) throw new Fault('InvalidID', `The ID '${id}' is not valid`);
  const [table, column] = places[type];
  const row = await db.selectFrom(table).select(column).where(column, '=', id).executeTakeFirst();
  if (row) return;
  throw type === 'natgateway' ? natGatewayNotFound(id) : notFound(type, id);
}
