import type { Tag as SdkTag, TagSpecification } from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../wire/fault.ts';
import { invalidValue } from './errors.ts';
import type { Ec2Tx } from './operation.ts';
import type { Ec2Tables } from './tables.ts';

/** Tags as answers carry them. */
export type Tags = readonly { readonly Key: string; readonly Value: string }[];

/** How an id's start tells what it is, as tags and filters name it. */
const typesByPrefix: Readonly<Record<string, string>> = {
  vpc: 'vpc',
  subnet: 'subnet',
  sg: 'security-group',
  sgr: 'security-group-rule',
  eni: 'network-interface',
  igw: 'internet-gateway',
  rtb: 'route-table',
  eipalloc: 'elastic-ip',
  nat: 'natgateway',
  acl: 'network-acl',
  dopt: 'dhcp-options',
};

/** The resource type behind an id; undefined where no id starts so. */
export function resourceType(id: string): string | undefined {
  return typesByPrefix[id.slice(0, id.indexOf('-'))];
}

/** The tags that `TagSpecifications` gives a resource of that type. Throws InvalidParameterValue for another type or a reserved key. */
export function specifiedTags(specifications: readonly TagSpecification[] | undefined, type: string): Tags {
  const tags = new Map<string, string>();
  for (const specification of specifications ?? []) {
    if (specification.ResourceType !== type) {
      throw invalidValue(
        `'${specification.ResourceType ?? ''}' is not a valid taggable resource type for this operation.`,
      );
    }
    for (const tag of checkedTags(specification.Tags)) {
      if (tags.has(tag.Key)) throw invalidValue(`Duplicate tag key '${tag.Key}' specified.`);
      tags.set(tag.Key, tag.Value);
    }
  }
  return Array.from(tags, ([Key, Value]) => ({ Key, Value }));
}

/** Tags within AWS's limits (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions). */
export function checkedTags(tags: readonly SdkTag[] | undefined): Tags {
  const checked = (tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value }));
  for (const { Key, Value } of checked) {
    if (Key === '') throw invalidValue('Tag key cannot be empty.');
    if (Key.toLowerCase().startsWith('aws:')) {
      throw invalidValue("Tag keys starting with 'aws:' are reserved for internal use");
    }
    if (Key.length > 128) throw invalidValue(`Tag key exceeds the maximum length of 128 characters: '${Key}'`);
    if (Value.length > 256) throw invalidValue(`Tag value exceeds the maximum length of 256 characters: '${Value}'`);
  }
  if (checked.length > 50) {
    throw new Fault(
      'TagLimitExceeded',
      "You've reached the limit on the number of tags that you can assign to a resource.",
    );
  }
  return checked;
}

/** Sets tags on a resource, replacing the values of keys that are there. */
export async function putTags(tx: Ec2Tx, resourceId: string, tags: Tags): Promise<void> {
  if (tags.length === 0) return;
  const type = resourceType(resourceId) ?? '';
  await tx.db
    .insertInto('ec2_tags')
    .values(tags.map(({ Key, Value }) => ({ resourceId, resourceType: type, key: Key, value: Value })))
    .onConflict((oc) => oc.columns(['resourceId', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute();
}

/** Forgets the tags of resources that go. */
export async function dropTags(tx: Ec2Tx, ...resourceIds: readonly string[]): Promise<void> {
  if (resourceIds.length > 0) await tx.db.deleteFrom('ec2_tags').where('resourceId', 'in', resourceIds).execute();
}

/** A reader of tags by resource id, for all resources of a type or those of `ids`. */
export async function tagReader(
  db: Kysely<Ec2Tables>,
  type: string,
  ids?: readonly string[],
): Promise<(resourceId: string) => SdkTag[]> {
  if (ids?.length === 0) return () => [];
  let query = db.selectFrom('ec2_tags').select(['resourceId', 'key', 'value']).where('resourceType', '=', type);
  if (ids) query = query.where('resourceId', 'in', ids);
  const byResource = new Map<string, SdkTag[]>();
  for (const { resourceId, key, value } of await query.orderBy('key').execute()) {
    const tags = byResource.get(resourceId);
    if (tags) tags.push({ Key: key, Value: value });
    else byResource.set(resourceId, [{ Key: key, Value: value }]);
  }
  return (resourceId) => byResource.get(resourceId) ?? [];
}
