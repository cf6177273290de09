import type { Caller, Credential } from '../../wire/service.ts';
import { compile, type Identities } from './identities.ts';
import { principalArn } from './lookups.ts';
import type { PolicySet } from './policy/decision.ts';
import type { IamState } from './state.ts';
import { nodePolicies, systemCaller } from './system-principals.ts';
import type { PrincipalRow, SessionRow } from './tables.ts';

/** A key, whom it stands for, and what that one may do: `everything` for root. */
export interface Holder {
  readonly credential: Credential;
  readonly policies: PolicySet | 'everything';
  /** When temporary credentials were made, milliseconds since the epoch. */
  readonly issuedAt?: number;
}

/** The holder of an access key that is active and, where temporary, still there; undefined otherwise. */
export async function loadHolder(
  state: IamState,
  identities: Identities,
  accessKeyId: string,
): Promise<Holder | undefined> {
  return accessKeyId.startsWith('ASIA')
    ? loadSession(state, identities, accessKeyId)
    : loadKey(state, identities, accessKeyId);
}

async function loadKey(state: IamState, identities: Identities, accessKeyId: string): Promise<Holder | undefined> {
  const key = await state.db
    .selectFrom('iam_access_key')
    .selectAll()
    .where('id', '=', accessKeyId)
    .where('status', '=', 'Active')
    .executeTakeFirst();
  if (!key) return undefined;
  const secretAccessKey = key.secret;
  const owner = key.principal_id;
  if (owner === 'root' || owner === 'node') {
    const caller = systemCaller(owner, state.accountId, accessKeyId);
    return { credential: { secretAccessKey, caller }, policies: owner === 'root' ? 'everything' : nodePolicies };
  }
  const user = await principalById(state, owner);
  if (!user) return undefined;
  const caller = await userCaller(state, user, accessKeyId);
  return { credential: { secretAccessKey, caller }, policies: await identities.policiesOf(user) };
}

async function loadSession(state: IamState, identities: Identities, accessKeyId: string): Promise<Holder | undefined> {
  const session = await state.db
    .selectFrom('iam_session')
    .selectAll()
    .where('access_key_id', '=', accessKeyId)
    .executeTakeFirst();
  if (!session) return undefined;
  const found = await sessionCaller(state, identities, session);
  if (!found) return undefined;
  const narrowing = session.policies ? (JSON.parse(session.policies) as string[]).map(compile) : undefined;
  return {
    credential: {
      secretAccessKey: session.secret,
      sessionToken: session.token,
      expiresAt: session.expires_at,
      caller: found.caller,
    },
    policies: found.policies === 'everything' ? 'everything' : { ...found.policies, session: narrowing },
    issuedAt: session.created_at,
  };
}

async function sessionCaller(
  state: IamState,
  identities: Identities,
  session: SessionRow,
): Promise<{ readonly caller: Caller; readonly policies: Holder['policies'] } | undefined> {
  const { access_key_id: accessKeyId, principal_id: owner } = session;
  if (owner === 'root') return { caller: systemCaller('root', state.accountId, accessKeyId), policies: 'everything' };
  const principal = await principalById(state, owner);
  if (!principal) return undefined;
  const policies = await identities.policiesOf(principal);
  if (principal.type === 'user') return { caller: await userCaller(state, principal, accessKeyId), policies };
  const tags = { ...(await tagsOf(state, owner)), ...(JSON.parse(session.tags) as Record<string, string>) };
  return { caller: roleCaller(state, principal, session.session_name ?? '', accessKeyId, tags), policies };
}

/** The caller that a session of the role is. */
export function roleCaller(
  state: IamState,
  role: PrincipalRow,
  sessionName: string,
  accessKeyId: string,
  principalTags: Readonly<Record<string, string>>,
): Caller {
  return {
    accountId: state.accountId,
    arn: `arn:aws:sts::${state.accountId}:assumed-role/${role.name}/${sessionName}`,
    userId: `${role.id}:${sessionName}`,
    type: 'assumed-role',
    roleArn: principalArn(state, role),
    principalTags,
    accessKeyId,
  };
}

async function userCaller(state: IamState, user: PrincipalRow, accessKeyId: string): Promise<Caller> {
  return {
    accountId: state.accountId,
    arn: principalArn(state, user),
    userId: user.id,
    type: 'user',
    principalTags: await tagsOf(state, user.id),
    accessKeyId,
  };
}

function principalById(state: IamState, id: string): Promise<PrincipalRow | undefined> {
  return state.db.selectFrom('iam_principal').selectAll().where('id', '=', id).executeTakeFirst();
}

async function tagsOf(state: IamState, owner: string): Promise<Record<string, string>> {
  const rows = await state.db.selectFrom('iam_tag').select(['key', 'value']).where('owner', '=', owner).execute();
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}
