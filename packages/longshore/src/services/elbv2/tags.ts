import type { Tag } from '@aws-sdk/client-elastic-load-balancing-v2';
import { fault, invalid } from './errors.ts';
import type { Elbv2Tx } from './operation.ts';

/** Tags within AWS's limits. Throws DuplicateTagKeys, TooManyTags, ValidationError. */
export function checkedTags(tags: readonly Tag[] | undefined): { key: string; value: string }[] {
  const checked = (tags ?? []).map(({ Key = '', Value = '' }) => ({ key: Key, value: Value }));
  if (new Set(checked.map(({ key }) => key)).size < checked.length) {
    throw fault('DuplicateTagKeys', 'A tag key was specified more than once');
  }
  if (checked.length > 50) throw fault('TooManyTags', 'You have reached the limit on the number of tags per resource');
  for (const { key, value } of checked) {
    if (key.toLowerCase().startsWith('aws:')) throw invalid("Tag keys cannot start with 'aws:'");
    if (key.length < 1 || key.length > 128) throw invalid(`Tag key '${key}' must have 1 to 128 characters`);
    if (value.length > 256) throw invalid(`Tag value '${value}' must have at most 256 characters`);
  }
  return checked;
}

/** Sets tags of one thing; others that it has stay. */
export async function putTags(
  tx: Elbv2Tx,
  arn: string,
  tags: readonly { key: string; value: string }[],
): Promise<void> {
  if (tags.length === 0) return;
  await tx.db
    .insertInto('elbv2_tags')
    .values(tags.map(({ key, value }) => ({ arn, key, value })))
    .onConflict((oc) => oc.columns(['arn', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute();
}

/** Forgets all tags of things that are deleted. */
export async function dropTags(tx: Elbv2Tx, arns: readonly string[]): Promise<void> {
  if (arns.length > 0) await tx.db.deleteFrom('elbv2_tags').where('arn', 'in', arns).execute();
}
