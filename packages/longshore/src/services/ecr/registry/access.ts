import type { IncomingMessage } from 'node:http';
import { Fault } from '../../../wire/fault.ts';
import type { Caller } from '../../../wire/service.ts';
import { secureTransport } from '../../../wire/transport.ts';
import { repositoryNotFound } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { findRepository, type RepositoryRow, repositoryAccess } from '../repositories.ts';
import { insertByTemplate, templateFor } from '../templates.ts';
import { OciError } from './reply.ts';

/**
 * Who sends a request: Basic authentication as `AWS` with a password of GetAuthorizationToken, as ECR takes it (user
 * guide, "Private registry authentication"). Throws OciError UNAUTHORIZED with a challenge.
 */
export function authenticate(ecr: Ecr, request: IncomingMessage): Caller {
  const { settings, signer, clock } = ecr;
  const header = request.headers.authorization ?? '';
  const encoded = /^basic\s+([a-z0-9+/=]+)\s*$/i.exec(header)?.[1];
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString()) ?? [];
  const verdict = user === 'AWS' && password ? signer.verify(password, clock.now()) : { refused: 'invalid' as const };
  if ('caller' in verdict) return verdict.caller;
  if (settings.auth === 'off') return anyone(settings.accountId);
  if (verdict.refused === 'expired')
    throw new OciError(403, 'DENIED', 'Your authorization token has expired. Reauthenticate and try again.');
  const host = (request.headers.host ?? 'localhost').replace(/[^\w.:[\]-]/g, '');
  throw new OciError(
    401,
    'UNAUTHORIZED',
    header === ''
      ? 'no basic auth credentials: sign in with the password of `aws ecr get-login-password` as user AWS'
      : 'Not Authorized: the password is none that this registry gave out',
    { 'www-authenticate': `Basic realm="http://${host}/",service="ecr.amazonaws.com"` },
  );
}

/** With authentication off everybody is the account's root. */
function anyone(accountId: string): Caller {
  return { accountId, arn: `arn:aws:iam::${accountId}:root`, userId: accountId, type: 'root' };
}

/** Throws AccessDeniedException unless policies allow the action on a repository, which need not exist. */
export async function requirePermission(
  ecr: Ecr,
  request: IncomingMessage,
  caller: Caller,
  name: string,
  action: string,
): Promise<void> {
  await authorizeAny(ecr, request, caller, name, await findRepository(ecr.store.db, name), [action]);
}

/** Throws AccessDeniedException unless policies allow one of the actions, then NAME_UNKNOWN where there is no such repository. */
export async function requireAccess(
  ecr: Ecr,
  request: IncomingMessage,
  caller: Caller,
  name: string,
  actions: readonly string[],
): Promise<RepositoryRow> {
  const row = await findRepository(ecr.store.db, name);
  await authorizeAny(ecr, request, caller, name, row, actions);
  if (!row && request.method === 'POST') {
    const made = await createOnPush(ecr, request, caller, name);
    if (made) return made;
  }
  if (!row) throw repositoryNotFound(ecr.settings.accountId, name);
  return row;
}

/** A first push makes its repository where a creation template for CREATE_ON_PUSH covers it (user guide, "Create on push"). */
async function createOnPush(
  ecr: Ecr,
  request: IncomingMessage,
  caller: Caller,
  name: string,
): Promise<RepositoryRow | undefined> {
  const template = await templateFor(ecr.store.db, name, 'CREATE_ON_PUSH');
  if (!template) return undefined;
  await authorizeAny(ecr, request, caller, name, undefined, ['ecr:CreateRepository']);
  return ecr.store.transaction(async (tx) => {
    if (!(await findRepository(tx.db, name))) await insertByTemplate(ecr, tx, name, template);
    return findRepository(tx.db, name);
  });
}

async function authorizeAny(
  ecr: Ecr,
  request: IncomingMessage,
  caller: Caller,
  name: string,
  row: RepositoryRow | undefined,
  actions: readonly string[],
): Promise<void> {
  if (ecr.settings.auth === 'off') return;
  const facts = {
    region: ecr.settings.region,
    sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    secureTransport: secureTransport(request.socket),
    userAgent: request.headers['user-agent'] ?? '',
  };
  const access = repositoryAccess(ecr, name, row);
  let denial: unknown;
  for (const action of actions) {
    try {
      return await ecr.gatekeeper.authorize(caller, { ...access, action }, facts);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      denial ??= error;
    }
  }
  throw denial;
}
