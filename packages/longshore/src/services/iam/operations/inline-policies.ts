import type {
  DeleteGroupPolicyRequest,
  DeleteRolePolicyRequest,
  DeleteUserPolicyRequest,
  GetGroupPolicyRequest,
  GetGroupPolicyResponse,
  GetRolePolicyRequest,
  GetRolePolicyResponse,
  GetUserPolicyRequest,
  GetUserPolicyResponse,
  ListGroupPoliciesRequest,
  ListRolePoliciesRequest,
  ListRolePoliciesResponse,
  ListUserPoliciesRequest,
  PutGroupPolicyRequest,
  PutRolePolicyRequest,
  PutUserPolicyRequest,
} from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { documentSize, encodeDocument, parseDocument } from '../documents.ts';
import { fault } from '../faults.ts';
import { requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { IamTables, PrincipalRow } from '../tables.ts';
import { principalAccess } from './access.ts';
import { type MarkedRequest, page } from './paging.ts';
import { checkModifiable } from './principals.ts';

/** Characters of all inline policies of one principal together. */
const mostCharacters = { user: 2048, group: 5120, role: 10240 } as const;

/** Policies that are part of a user, group or role. */
export function inlinePolicyOperations(state: IamState) {
  const user = family<PutUserPolicyRequest, GetUserPolicyRequest & DeleteUserPolicyRequest, ListUserPoliciesRequest>(
    state,
    'user',
    ({ UserName }) => UserName!,
  );
  const group = family<
    PutGroupPolicyRequest,
    GetGroupPolicyRequest & DeleteGroupPolicyRequest,
    ListGroupPoliciesRequest
  >(state, 'group', ({ GroupName }) => GroupName!);
  const role = family<PutRolePolicyRequest, GetRolePolicyRequest & DeleteRolePolicyRequest, ListRolePoliciesRequest>(
    state,
    'role',
    ({ RoleName }) => RoleName!,
  );
  return {
    ...{ PutUserPolicy: user.put, DeleteUserPolicy: user.remove, ListUserPolicies: user.list },
    ...{ PutGroupPolicy: group.put, DeleteGroupPolicy: group.remove, ListGroupPolicies: group.list },
    ...{ PutRolePolicy: role.put, DeleteRolePolicy: role.remove, ListRolePolicies: role.list },
    GetUserPolicy: user.get<GetUserPolicyResponse>((UserName, rest) => ({ UserName, ...rest })),
    GetGroupPolicy: group.get<GetGroupPolicyResponse>((GroupName, rest) => ({ GroupName, ...rest })),
    GetRolePolicy: role.get<GetRolePolicyResponse>((RoleName, rest) => ({ RoleName, ...rest })),
  };
}

interface Named {
  readonly PolicyName: string | undefined;
}

function family<
  Put extends Named & { readonly PolicyDocument: string | undefined },
  One extends Named,
  List extends MarkedRequest,
>(state: IamState, type: PrincipalRow['type'], nameOf: (input: Put | One | List) => string) {
  const put: Operation<Put, object> = {
    access: (input) => principalAccess(state, type, nameOf(input)),
    handle: (input) =>
      state.write(nameOf(input), async ({ db }) => {
        const row = await requirePrincipal(db, type, nameOf(input));
        checkModifiable(row);
        const document = input.PolicyDocument!;
        parseDocument(document, 'identity');
        await db
          .insertInto('iam_inline_policy')
          .values({ principal_id: row.id, name: input.PolicyName!, document })
          .onConflict((oc) => oc.columns(['principal_id', 'name']).doUpdateSet({ document }))
          .execute();
        const all = await inlineOf(db, row.id);
        if (all.reduce((sum, policy) => sum + documentSize(policy.document), 0) > mostCharacters[type]) {
          throw fault(
            'LimitExceeded',
            `Maximum policy size of ${mostCharacters[type]} bytes exceeded for ${type} ${row.name}`,
          );
        }
        return {};
      }),
  };

  const get = <Response>(
    shape: (name: string, rest: { PolicyName: string; PolicyDocument: string }) => Response,
  ): Operation<One, Response> => ({
    access: (input) => principalAccess(state, type, nameOf(input)),
    async handle(input) {
      const row = await requirePrincipal(state.db, type, nameOf(input));
      const policy = (await inlineOf(state.db, row.id)).find(({ name }) => name === input.PolicyName);
      if (!policy) throw missing(type, input.PolicyName!);
      return shape(row.name, { PolicyName: policy.name, PolicyDocument: encodeDocument(policy.document) });
    },
  });

  const remove: Operation<One, object> = {
    access: (input) => principalAccess(state, type, nameOf(input)),
    handle: (input) =>
      state.write(nameOf(input), async ({ db }) => {
        const row = await requirePrincipal(db, type, nameOf(input));
        checkModifiable(row);
        const { numDeletedRows } = await db
          .deleteFrom('iam_inline_policy')
          .where('principal_id', '=', row.id)
          .where('name', '=', input.PolicyName!)
          .executeTakeFirst();
        if (numDeletedRows === 0n) throw missing(type, input.PolicyName!);
        return {};
      }),
  };

  const list: Operation<List, ListRolePoliciesResponse> = {
    access: (input) => principalAccess(state, type, nameOf(input)),
    async handle(input) {
      const row = await requirePrincipal(state.db, type, nameOf(input));
      const { items, tail } = page(await inlineOf(state.db, row.id), input, (policy) => policy.name);
      return { PolicyNames: items.map((policy) => policy.name), ...tail };
    },
  };

  return { put, get, remove, list };
}

const inlineOf = (db: Kysely<IamTables>, principalId: string) =>
  db.selectFrom('iam_inline_policy').selectAll().where('principal_id', '=', principalId).execute();

const missing = (type: PrincipalRow['type'], name: string) =>
  fault('NoSuchEntity', `The ${type} policy with name ${name} cannot be found.`);
