import { parseOperator } from './condition.ts';
import { checkAction, checkPrincipal, checkResource } from './elements.ts';
import { isResourceKind, type PolicyKind, PolicySyntaxError } from './kinds.ts';
import type { PrincipalElement } from './principal.ts';

export interface ConditionDocument {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

export interface StatementDocument {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly action: readonly string[] | undefined;
  readonly notAction: readonly string[] | undefined;
  readonly resource: readonly string[] | undefined;
  readonly notResource: readonly string[] | undefined;
  readonly principal: PrincipalElement | undefined;
  readonly notPrincipal: PrincipalElement | undefined;
  readonly conditions: readonly ConditionDocument[];
}

export interface PolicyDocument {
  readonly version: '2008-10-17' | '2012-10-17';
  readonly statements: readonly StatementDocument[];
}

const policyFields = new Set(['Version', 'Id', 'Statement']);
const statementFields = new Set([
  ...['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Principal', 'NotPrincipal', 'Condition'],
]);

/**
 * Parses and checks a policy (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
 * Throws PolicySyntaxError with the words of AWS's MalformedPolicyDocument.
 */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new PolicySyntaxError(kind === 'trust' ? 'This policy contains invalid Json' : 'Syntax errors in policy.');
  }
  if (!isObject(json)) throw syntax(kind);
  for (const field of Object.keys(json)) {
    if (!policyFields.has(field))
      throw kind === 'trust' ? new PolicySyntaxError(`Unknown field ${field}`) : syntax(kind);
  }
  const version = json.Version ?? '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') throw syntax(kind);
  const listed = json.Statement;
  if (listed === undefined) {
    throw kind === 'trust' ? new PolicySyntaxError('Missing required field Statement') : syntax(kind);
  }
  const statements = (Array.isArray(listed) ? listed : [listed]).map((statement) => parseStatement(statement, kind));
  if (statements.length === 0 && kind === 'trust') throw new PolicySyntaxError('Missing required field Statement');
  const sids = statements.flatMap((statement) => statement.sid || []);
  if (new Set(sids).size < sids.length) {
    throw new PolicySyntaxError('Statement IDs (SID) in a single policy must be unique.');
  }
  return { version, statements };
}

function parseStatement(json: unknown, kind: PolicyKind): StatementDocument {
  if (!isObject(json)) throw syntax(kind);
  for (const field of Object.keys(json)) {
    if (!statementFields.has(field))
      throw kind === 'trust' ? new PolicySyntaxError(`Unknown field ${field}`) : syntax(kind);
  }
  const sid = json.Sid;
  if (
    sid !== undefined &&
    (typeof sid !== 'string' || (kind !== 'trust' && !isResourceKind(kind) && !/^[A-Za-z0-9]*$/.test(sid)))
  ) {
    throw kind === 'trust' ? syntax(kind) : new PolicySyntaxError('Statement IDs (SID) should be alpha-numeric.');
  }
  const effect = json.Effect;
  if (effect === undefined && kind === 'trust') throw new PolicySyntaxError('Missing required field Effect');
  if (effect !== 'Allow' && effect !== 'Deny') {
    throw kind === 'trust' ? new PolicySyntaxError(`Invalid effect: ${String(effect)}`) : syntax(kind);
  }
  const action = strings(json.Action, kind);
  const notAction = strings(json.NotAction, kind);
  if (action && notAction) throw syntax(kind);
  const actions = action ?? notAction;
  if (!actions?.length) {
    throw new PolicySyntaxError(
      kind === 'trust' ? 'Missing required field Action cannot be empty!' : 'Policy statement must contain actions.',
    );
  }
  for (const name of actions) checkAction(name, kind);
  const resource = strings(json.Resource, kind);
  const notResource = strings(json.NotResource, kind);
  if (resource && notResource) throw syntax(kind);
  const resources = resource ?? notResource;
  if (kind === 'trust') {
    if (resources) throw new PolicySyntaxError(`Has prohibited field ${resource ? 'Resource' : 'NotResource'}`);
  } else if (kind === 'repository') {
    if (resources) throw new PolicySyntaxError('A repository policy names no resource: it is about its repository.');
  } else {
    if (!resources?.length) throw new PolicySyntaxError('Policy statement must contain resources.');
    for (const name of resources) checkResource(name);
  }
  const principal = parsePrincipal(json.Principal, kind);
  const notPrincipal = parsePrincipal(json.NotPrincipal, kind);
  if (kind === 'trust') {
    if (notPrincipal) throw new PolicySyntaxError('Has prohibited field NotPrincipal');
    if (!principal) throw new PolicySyntaxError('Missing required field Principal');
  } else if (isResourceKind(kind)) {
    if (principal && notPrincipal) throw syntax(kind);
    if (!principal && !notPrincipal) throw new PolicySyntaxError('Missing required field Principal');
    if (notPrincipal && effect === 'Allow')
      throw new PolicySyntaxError('NotPrincipal is not supported with "Effect":"Allow".');
  } else if (principal || notPrincipal) {
    throw new PolicySyntaxError('Policy document should not specify a principal.');
  }
  const conditions = parseConditions(json.Condition, kind);
  return { sid, effect, action, notAction, resource, notResource, principal, notPrincipal, conditions };
}

function parsePrincipal(json: unknown, kind: PolicyKind): PrincipalElement | undefined {
  if (json === undefined) return undefined;
  if (json === '*') return '*';
  if (!isObject(json)) throw kind === 'trust' ? new PolicySyntaxError('Invalid principal in policy') : syntax(kind);
  const principal = Object.fromEntries(Object.entries(json).map(([type, names]) => [type, strings(names, kind) ?? []]));
  if (kind === 'trust' || isResourceKind(kind))
    for (const [type, names] of Object.entries(principal)) checkPrincipal(type, names);
  return principal;
}

function parseConditions(json: unknown, kind: PolicyKind): ConditionDocument[] {
  if (json === undefined) return [];
  if (!isObject(json)) throw syntax(kind);
  return Object.entries(json).flatMap(([operator, keys]) => {
    if (!parseOperator(operator)) {
      throw kind === 'trust' ? new PolicySyntaxError(`Unknown operator ${operator}`) : syntax(kind);
    }
    if (!isObject(keys)) throw syntax(kind);
    return Object.entries(keys).map(([key, wanted]) => {
      const values = (Array.isArray(wanted) ? wanted : [wanted]).map((value) => {
        if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') throw syntax(kind);
        return String(value);
      });
      return { operator, key, values };
    });
  });
}

function strings(json: unknown, kind: PolicyKind): string[] | undefined {
  if (json === undefined) return undefined;
  const list = Array.isArray(json) ? json : [json];
  if (!list.every((item) => typeof item === 'string')) throw syntax(kind);
  return list as string[];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function syntax(kind: PolicyKind): PolicySyntaxError {
  return new PolicySyntaxError(
    kind === 'trust' ? 'This policy contains an invalid element' : 'Syntax errors in policy.',
  );
}
