import type { Caller, RequestContext, RequestFacts } from '../../wire/service.ts';
import type { AssumeRoleRequest, Sessions } from './contract.ts';
import { roleCaller } from './credentials.ts';
import { parseDocument } from './documents.ts';
import { fault } from './faults.ts';
import type { IamGatekeeper } from './gatekeeper.ts';
import { defaultDocument, findPrincipal, findRoleByArn } from './lookups.ts';
import type { PolicyKind } from './policy/decision.ts';
import type { OpenSession } from './session-writer.ts';
import type { IamState } from './state.ts';
import type { PrincipalRow } from './tables.ts';
import { trustVerdict } from './trust.ts';

/** What STS asks for. */
export function createSessions(state: IamState, gatekeeper: IamGatekeeper, openSession: OpenSession): Sessions {
  return {
    async assumeRole(request, context) {
      const { caller } = context;
      const role = await findRoleByArn(state, request.roleArn);
      if (!role) throw refused(caller, 'sts:AssumeRole', request.roleArn);
      await checkTrust(state, gatekeeper, role, request, context);
      checkDuration(role, caller, request.durationSeconds);
      const policies = await narrowing(state, request);
      const session = {
        principal_id: role.id,
        session_name: request.sessionName,
        policies: policies && JSON.stringify(policies),
        tags: JSON.stringify(request.tags),
        source_identity: request.sourceIdentity ?? null,
      };
      const credentials = await openSession(session, request.durationSeconds);
      return {
        ...credentials,
        roleArn: request.roleArn,
        caller: roleCaller(state, role, request.sessionName, credentials.accessKeyId, request.tags),
      };
    },

    async sessionToken(caller, durationSeconds) {
      const user =
        caller.type === 'user'
          ? await findPrincipal(state.db, 'user', caller.arn.slice(caller.arn.lastIndexOf('/') + 1))
          : undefined;
      const owner = caller.type === 'root' ? 'root' : user?.id;
      if (!owner || caller.accessKeyId?.startsWith('ASIA')) {
        throw fault('AccessDenied', 'Cannot call GetSessionToken with session credentials');
      }
      // Root's sessions end within the hour (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html).
      const seconds = owner === 'root' ? Math.min(durationSeconds, 3600) : durationSeconds;
      const session = { principal_id: owner, session_name: null, policies: null, tags: '{}', source_identity: null };
      return openSession(session, seconds);
    },

    async accountOf(accessKeyId) {
      const key = await state.db
        .selectFrom('iam_access_key')
        .select('id')
        .where('id', '=', accessKeyId)
        .executeTakeFirst();
      const session = await state.db
        .selectFrom('iam_session')
        .select('access_key_id')
        .where('access_key_id', '=', accessKeyId)
        .executeTakeFirst();
      return key || session ? state.accountId : undefined;
    },
  };
}

/**
 * A trust policy that names the caller grants by itself; one that names the account leaves it to the caller's own policies;
 * an explicit deny in those always counts. Root may assume what trusts the account: unlike at AWS, where it never may,
 * since root's are the credentials that a new Longshore hands out.
 */
async function checkTrust(
  state: IamState,
  gatekeeper: IamGatekeeper,
  role: PrincipalRow,
  request: AssumeRoleRequest,
  context: RequestContext,
): Promise<void> {
  const { caller } = context;
  const asker = { kind: 'aws', accountId: caller.accountId, arn: caller.arn, roleArn: caller.roleArn } as const;
  const keys = {
    'sts:ExternalId': request.externalId,
    'sts:RoleSessionName': request.sessionName,
    'sts:SourceIdentity': request.sourceIdentity,
    'sts:TransitiveTagKeys': request.transitiveTagKeys,
    'aws:TagKeys': Object.keys(request.tags),
    ...Object.fromEntries(Object.entries(request.tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
  const facts: RequestFacts = {
    region: context.region,
    sourceIp: context.sourceIp,
    secureTransport: true,
    userAgent: '',
  };
  const trustKeys = {
    ...keys,
    'aws:PrincipalArn': caller.roleArn ?? caller.arn,
    'aws:PrincipalAccount': caller.accountId,
    'aws:userid': caller.userId,
    'aws:SourceIp': context.sourceIp,
    'aws:SecureTransport': 'true',
    'aws:RequestedRegion': context.region,
    'aws:CurrentTime': new Date(state.clock.now()).toISOString(),
    'aws:MultiFactorAuthPresent': caller.accessKeyId?.startsWith('ASIA') ? 'false' : undefined,
    ...Object.fromEntries(
      Object.entries(caller.principalTags ?? {}).map(([key, value]) => [`aws:PrincipalTag/${key}`, value]),
    ),
  };
  const actions = ['sts:AssumeRole'];
  if (Object.keys(request.tags).length > 0) actions.push('sts:TagSession');
  if (request.sourceIdentity !== undefined) actions.push('sts:SetSourceIdentity');
  for (const action of actions) {
    const verdict = trustVerdict(role, asker, action, request.roleArn, trustKeys);
    const known = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined)) as Record<
      string,
      string | readonly string[]
    >;
    const excused = verdict === 'allow' ? excusedBy(caller) : [];
    const access = { action, resource: request.roleArn, context: known };
    const own = await gatekeeper.decision(caller, access, facts, excused);
    const granted = (verdict === 'allow' || verdict === 'account') && own.allowed;
    if (!granted) throw refused(caller, action, request.roleArn);
  }
}

/**
 * What need not allow where the role's own policy names the caller
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-eval-logic).
 */
const excusedBy = (caller: Caller): readonly PolicyKind[] =>
  caller.type === 'user' ? ['identity-based policy', 'permissions boundary'] : ['identity-based policy'];

function checkDuration(role: PrincipalRow, caller: Caller, durationSeconds: number): void {
  if (caller.type === 'assumed-role' && durationSeconds > 3600) {
    throw fault(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  if (durationSeconds > (role.max_session_seconds ?? 3600)) {
    throw fault('ValidationError', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
}

async function narrowing(state: IamState, request: AssumeRoleRequest): Promise<string[] | null> {
  const documents: string[] = [];
  if (request.policy !== undefined) {
    parseDocument(request.policy, 'session');
    documents.push(request.policy);
  }
  for (const arn of request.policyArns) {
    const document = await defaultDocument(state.db, arn);
    if (document === undefined)
      throw fault('ValidationError', `Policy ARN ${arn} does not exist or is not attachable.`);
    documents.push(document);
  }
  return documents.length > 0 ? documents : null;
}

const refused = (caller: Caller, action: string, roleArn: string) =>
  fault('AccessDenied', `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${roleArn}`);
