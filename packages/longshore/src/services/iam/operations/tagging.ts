import type { Tag } from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import { fault } from '../faults.ts';
import type { IamTables } from '../tables.ts';

type Db = Kysely<IamTables>;

const most = 50;

/** Tags as they are kept. Throws InvalidInput for keys given twice or reserved ones. */
export function checkTags(tags: readonly Tag[] | undefined): { readonly key: string; readonly value: string }[] {
  const list = (tags ?? []).map((tag) => ({ key: tag.Key ?? '', value: tag.Value ?? '' }));
  if (new Set(list.map((tag) => tag.key.toLowerCase())).size < list.length) {
    throw fault('InvalidInput', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  }
  if (list.some((tag) => /^aws:/i.test(tag.key))) {
    throw fault('InvalidInput', 'Tag keys beginning with aws: are reserved for system use.');
  }
  return list;
}

/** Adds or overwrites. Keys differ by more than case. Throws LimitExceeded. */
export async function putTags(db: Db, owner: string, tags: readonly Tag[] | undefined): Promise<void> {
  for (const { key, value } of checkTags(tags)) {
    await db
      .deleteFrom('iam_tag')
      .where('owner', '=', owner)
      .where((eb) => eb(eb.fn<string>('lower', ['key']), '=', key.toLowerCase()))
      .execute();
    await db.insertInto('iam_tag').values({ owner, key, value }).execute();
  }
  const kept = await readTags(db, owner);
  if (kept.length > most) {
    throw fault('LimitExceeded', `The number of tags has reached the maximum limit of ${most}.`);
  }
}

/** Takes tags off; the case of keys does not count. */
export async function dropTags(db: Db, owner: string, keys: readonly string[] | undefined): Promise<void> {
  for (const key of keys ?? []) {
    await db
      .deleteFrom('iam_tag')
      .where('owner', '=', owner)
      .where((eb) => eb(eb.fn<string>('lower', ['key']), '=', key.toLowerCase()))
      .execute();
  }
}

/** Tags in the order of their keys. */
export async function readTags(db: Db, owner: string): Promise<{ Key: string; Value: string }[]> {
  const rows = await db.selectFrom('iam_tag').selectAll().where('owner', '=', owner).orderBy('key').execute();
  return rows.map((row) => ({ Key: row.key, Value: row.value }));
}

/** The member `Tags`, left out where there are none, as IAM does. */
export const tagsMember = (tags: { Key: string; Value: string }[]) => (tags.length > 0 ? { Tags: tags } : {});

/** Condition keys about the tags that a request brings. */
export function tagContext(tags: readonly Tag[] | undefined): Record<string, string | readonly string[]> {
  if (!tags?.length) return {};
  return {
    'aws:TagKeys': tags.map((tag) => tag.Key ?? ''),
    ...Object.fromEntries(tags.map((tag) => [`aws:RequestTag/${tag.Key}`, tag.Value ?? ''])),
  };
}
