import type { Caller } from '../../wire/service.ts';
import { newAccessKey } from './ids.ts';
import type { IamState } from './state.ts';
import { type SystemPrincipal, systemCaller } from './system-principals.ts';

/** The oldest active key of root or of the node, made where there is none. */
export async function systemKey(
  state: IamState,
  name: SystemPrincipal,
): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string; readonly caller: Caller }> {
  const find = (db: IamState['db']) =>
    db
      .selectFrom('iam_access_key')
      .select(['id', 'secret'])
      .where('principal_id', '=', name)
      .where('status', '=', 'Active')
      .orderBy('created_at')
      .orderBy('id')
      .executeTakeFirst();
  const answer = (id: string, secret: string) => ({
    accessKeyId: id,
    secretAccessKey: secret,
    caller: systemCaller(name, state.accountId, id),
  });
  const there = await find(state.db);
  if (there) return answer(there.id, there.secret);
  return state.write(name, async ({ db }) => {
    const made = await find(db);
    if (made) return answer(made.id, made.secret);
    const key = newAccessKey(state.random, 'AKIA');
    await db
      .insertInto('iam_access_key')
      .values({
        id: key.accessKeyId,
        principal_id: name,
        secret: key.secretAccessKey,
        status: 'Active',
        created_at: state.clock.now(),
        last_used_at: null,
        last_used_service: null,
        last_used_region: null,
      })
      .execute();
    return answer(key.accessKeyId, key.secretAccessKey);
  });
}
