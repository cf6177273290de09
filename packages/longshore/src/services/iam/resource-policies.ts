import type { Access, Caller } from '../../wire/service.ts';
import { findPrincipal, principalArn } from './lookups.ts';
import type { ContextValues } from './policy/condition.ts';
import { type PolicyDocument, parsePolicy } from './policy/grammar.ts';
import { PolicySyntaxError, type ResourcePolicyKind } from './policy/kinds.ts';
import { compilePolicy, type Policy } from './policy/policy.ts';
import { askResourcePolicies, type ResourceVerdict } from './policy/resource.ts';
import type { IamState } from './state.ts';

/** Texts compiled once; more at once and the cache starts anew. */
const cacheSize = 2_000;
const silent: ResourceVerdict = { said: 'silent', excused: [] };

export interface ResourcePolicies {
  /** What the policies that an access brings say; silent where it brings none. */
  ask(caller: Caller, access: Access & { readonly action: string }, context: ContextValues): ResourceVerdict;
}

export function createResourcePolicies(): ResourcePolicies {
  const compiled = new Map<string, Policy>();
  const compile = (text: string): Policy => {
    const known = compiled.get(text);
    if (known) return known;
    const policy = compilePolicy(parseEither(text));
    if (compiled.size >= cacheSize) compiled.clear();
    compiled.set(text, policy);
    return policy;
  };
  return {
    ask(caller, { action, resource, resourcePolicies = [] }, context) {
      if (resourcePolicies.length === 0) return silent;
      return askResourcePolicies(resourcePolicies.map(compile), caller, { action, resource, context });
    },
  };
}

/** Texts were checked when they were set: one that is no repository's policy is a registry's. */
function parseEither(text: string): PolicyDocument {
  try {
    return parsePolicy(text, 'repository');
  } catch (error) {
    if (!(error instanceof PolicySyntaxError)) throw error;
    return parsePolicy(text, 'registry');
  }
}

/**
 * Why a document can't be the policy of a resource, or undefined. Users and roles of this account that it names must be there,
 * as AWS has it.
 */
export async function resourcePolicyFlaw(
  state: IamState,
  text: string,
  kind: ResourcePolicyKind,
): Promise<string | undefined> {
  try {
    for (const { principal, notPrincipal } of parsePolicy(text, kind).statements) {
      for (const element of [principal, notPrincipal]) {
        if (!element || element === '*') continue;
        for (const name of element.AWS ?? []) {
          const match = /^arn:aws:iam::(\d{12}):(user|role)\/(?:.*\/)?([^/]+)$/.exec(name);
          if (!match || match[1] !== state.accountId) continue;
          const row = await findPrincipal(state.db, match[2] as 'user' | 'role', match[3]!);
          if (!row || principalArn(state, row) !== name) return `Invalid principal in policy: "AWS":"${name}"`;
        }
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof PolicySyntaxError) return error.message;
    throw error;
  }
}
