import { type Condition, type ContextValues, compileCondition } from './condition.ts';
import type { PolicyDocument, StatementDocument } from './grammar.ts';
import { compilePattern, type Pattern, type Variables } from './pattern.ts';
import { type Asker, matchPrincipal, type PrincipalElement } from './principal.ts';

/** What is asked of a policy. */
export interface PolicyRequest {
  readonly action: string;
  readonly resource: string;
  readonly context: ContextValues;
  /** For policies with a Principal. */
  readonly asker?: Asker;
}

/** What one policy says: a Deny wins over an Allow. `account`: allowed as far as the account's own policies allow it. */
export type Verdict = 'deny' | 'allow' | 'account' | 'silent';

/** A policy that is ready to be asked. */
export interface Policy {
  evaluate(request: PolicyRequest): Verdict;
}

interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly Pattern[];
  readonly notAction: boolean;
  readonly resources: readonly Pattern[] | undefined;
  readonly notResource: boolean;
  readonly principal: PrincipalElement | undefined;
  readonly notPrincipal: boolean;
  readonly conditions: readonly Condition[];
}

/** Compiles a parsed document once, so that asking it costs no parsing. */
export function compilePolicy(document: PolicyDocument): Policy {
  const substitute = document.version === '2012-10-17';
  const statements = document.statements.map((statement) => compileStatement(statement, substitute));
  return {
    evaluate(request) {
      const variables: Variables = (key) => {
        const values = request.context(key);
        return values?.length === 1 ? values[0] : undefined;
      };
      let verdict: Verdict = 'silent';
      for (const statement of statements) {
        if (verdict === 'allow' && statement.effect === 'Allow') continue;
        const match = statementMatch(statement, request, variables);
        if (!match) continue;
        if (statement.effect === 'Deny') return 'deny';
        verdict = match === 'direct' ? 'allow' : 'account';
      }
      return verdict;
    },
  };
}

function compileStatement(statement: StatementDocument, substitute: boolean): Statement {
  const resources = statement.notResource ?? statement.resource;
  return {
    effect: statement.effect,
    actions: (statement.notAction ?? statement.action ?? []).map((action) =>
      compilePattern(action, { wildcards: true, variables: false, ignoreCase: true }),
    ),
    notAction: statement.notAction !== undefined,
    resources: resources?.map((resource) => compilePattern(resource, { wildcards: true, variables: substitute })),
    notResource: statement.notResource !== undefined,
    principal: statement.notPrincipal ?? statement.principal,
    notPrincipal: statement.notPrincipal !== undefined,
    conditions: statement.conditions.map(({ operator, key, values }) =>
      compileCondition(operator, key, values, substitute),
    ),
  };
}

function statementMatch(
  statement: Statement,
  request: PolicyRequest,
  variables: Variables,
): 'direct' | 'account' | undefined {
  if (statement.actions.some((pattern) => pattern.matches(request.action, variables)) === statement.notAction) return;
  if (statement.resources) {
    const named = statement.resources.some((pattern) => pattern.matches(request.resource, variables));
    if (named === statement.notResource) return;
  }
  let match: 'direct' | 'account' | undefined = 'direct';
  if (statement.principal !== undefined) {
    match = request.asker && matchPrincipal(statement.principal, request.asker);
    if (statement.notPrincipal) match = match ? undefined : 'direct';
    if (!match) return;
  }
  return statement.conditions.every((condition) => condition(request.context, variables)) ? match : undefined;
}
