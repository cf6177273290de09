import type { Access } from '../../../wire/service.ts';
import { findPrincipal, principalArn, profileArn, requireProfile } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { PrincipalRow } from '../tables.ts';
import { readTags } from './tagging.ts';

type Context = NonNullable<Access['context']>;

/** Access to a user, group or role by name; where it is not there, to what its ARN without a path would be. */
export async function principalAccess(
  state: IamState,
  type: PrincipalRow['type'],
  name: string,
  context: Context = {},
): Promise<readonly Access[]> {
  const row = await findPrincipal(state.db, type, name);
  if (!row) return [{ resource: state.arn(`${type}/${name}`), context }];
  return [{ resource: principalArn(state, row), context: { ...(await resourceTags(state, row.id)), ...context } }];
}

/** Access to something that is being made. */
export const newAccess = (
  state: IamState,
  type: string,
  path: string | undefined,
  name: string,
  context: Context = {},
): readonly Access[] => [{ resource: state.arn(`${type}${path ?? '/'}${name}`), context }];

/** Access to all of a kind, as the List operations ask for, e.g. `arn:aws:iam::…:user/`. */
export const listAccess = (state: IamState, type: string, pathPrefix?: string): readonly Access[] => [
  { resource: state.arn(`${type}${pathPrefix ?? '/'}`) },
];

/** Leave for an instance profile, by its path and name where it exists. */
export async function profileAccess(state: IamState, name: string): Promise<readonly Access[]> {
  const row = await requireProfile(state.db, name).catch(() => undefined);
  return [{ resource: row ? profileArn(state, row) : state.arn(`instance-profile/${name}`) }];
}

async function resourceTags(state: IamState, owner: string): Promise<Context> {
  const tags = await readTags(state.db, owner);
  return Object.fromEntries(
    tags.flatMap(({ Key, Value }) => [
      [`aws:ResourceTag/${Key}`, Value],
      [`iam:ResourceTag/${Key}`, Value],
    ]),
  );
}
