import type {
  ContextEntry,
  EvaluationResult,
  SimulateCustomPolicyRequest,
  SimulatePolicyResponse,
  SimulatePrincipalPolicyRequest,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { parseDocument } from '../documents.ts';
import { fault } from '../faults.ts';
import { createIdentities } from '../identities.ts';
import { findPrincipal, principalArn } from '../lookups.ts';
import { decide, type PolicySet } from '../policy/decision.ts';
import { compilePolicy, type Policy } from '../policy/policy.ts';
import type { IamState } from '../state.ts';
import { type MarkedRequest, pageAsListed } from './paging.ts';

interface Question extends MarkedRequest {
  readonly ActionNames: readonly string[] | undefined;
  readonly ResourceArns?: readonly string[] | undefined;
  readonly ContextEntries?: readonly ContextEntry[] | undefined;
}

/** What policies would say, without asking for anything. */
export function simulateOperations(state: IamState) {
  const identities = createIdentities(state);

  const SimulatePrincipalPolicy: Operation<SimulatePrincipalPolicyRequest, SimulatePolicyResponse> = {
    access: ({ PolicySourceArn }) => [{ resource: PolicySourceArn! }],
    async handle(input) {
      const match = /^arn:aws:iam::\d{12}:(user|group|role)\/(?:.*\/)?([^/]+)$/.exec(input.PolicySourceArn!);
      if (!match)
        throw fault(
          'InvalidInput',
          `Invalid Entity Arn: ${input.PolicySourceArn} does not clearly define entity type and name.`,
        );
      const row = await findPrincipal(state.db, match[1] as 'user' | 'group' | 'role', match[2]!);
      if (!row || principalArn(state, row) !== input.PolicySourceArn) {
        throw fault('NoSuchEntity', `The ${match[1]} with name ${match[2]} cannot be found.`);
      }
      const own = await identities.policiesOf(row);
      return simulate(input, {
        identity: [...own.identity, ...compileAll(input.PolicyInputList)],
        boundary: own.boundary ?? compileAll(input.PermissionsBoundaryPolicyInputList)[0],
      });
    },
  };

  const SimulateCustomPolicy: Operation<SimulateCustomPolicyRequest, SimulatePolicyResponse> = {
    access: () => [{ resource: '*' }],
    async handle(input) {
      return simulate(input, {
        identity: compileAll(input.PolicyInputList),
        boundary: compileAll(input.PermissionsBoundaryPolicyInputList)[0],
      });
    },
  };

  return { SimulatePrincipalPolicy, SimulateCustomPolicy };
}

function simulate(question: Question, policies: PolicySet): SimulatePolicyResponse {
  const given = new Map(
    (question.ContextEntries ?? []).map((entry) => [
      entry.ContextKeyName?.toLowerCase() ?? '',
      entry.ContextKeyValues ?? [],
    ]),
  );
  const resources = question.ResourceArns?.length ? question.ResourceArns : ['*'];
  const results = (question.ActionNames ?? []).flatMap((action) =>
    resources.map((resource): EvaluationResult => {
      const decision = decide(policies, { action, resource, context: (key) => given.get(key) });
      return {
        EvalActionName: action,
        EvalResourceName: resource,
        EvalDecision: decision.allowed ? 'allowed' : decision.explicit ? 'explicitDeny' : 'implicitDeny',
      };
    }),
  );
  const { items, tail } = pageAsListed(results, question);
  return { EvaluationResults: [...items], ...tail };
}

const compileAll = (documents: readonly string[] | undefined): Policy[] =>
  (documents ?? []).map((document) => compilePolicy(parseDocument(document, 'identity')));
