import type {
  CreatePolicyRequest,
  CreatePolicyResponse,
  DeletePolicyRequest,
  GetPolicyRequest,
  GetPolicyResponse,
  ListEntitiesForPolicyRequest,
  ListEntitiesForPolicyResponse,
  ListPoliciesRequest,
  ListPoliciesResponse,
} from '@aws-sdk/client-iam';
import type { Access, Operation } from '../../../wire/service.ts';
import { documentSize, parseDocument } from '../documents.ts';
import { fault } from '../faults.ts';
import { newId } from '../ids.ts';
import { type ManagedPolicy, requirePolicy } from '../lookups.ts';
import { awsManagedPolicies } from '../managed/aws-managed.ts';
import type { IamState } from '../state.ts';
import { listAccess, newAccess } from './access.ts';
import { page } from './paging.ts';
import { type Counts, counts, policyArn, policyShape, requireCustomerPolicy } from './policy-shapes.ts';
import { putTags, readTags, tagContext, tagsMember } from './tagging.ts';

const mostCharacters = 6144;

/** Checks a managed policy's document. Throws MalformedPolicyDocument, LimitExceeded. */
export function checkManagedDocument(document: string): void {
  if (documentSize(document) > mostCharacters) {
    throw fault('LimitExceeded', `Cannot exceed quota for PolicySize: ${mostCharacters}`);
  }
  if (parseDocument(document, 'identity').version !== '2012-10-17') {
    throw fault('MalformedPolicyDocument', 'Policy document must be version 2012-10-17 or greater.');
  }
}

export const policyAccess = ({ PolicyArn }: { PolicyArn?: string | undefined }): readonly Access[] => [
  { resource: PolicyArn! },
];

/** Managed policies: the account's own, and AWS's to read. */
export function policyOperations(state: IamState) {
  const CreatePolicy: Operation<CreatePolicyRequest, CreatePolicyResponse> = {
    access: ({ PolicyName, Path, Tags }) => newAccess(state, 'policy', Path, PolicyName!, tagContext(Tags)),
    handle: (input) =>
      state.write(input.PolicyName!, async ({ db }) => {
        checkManagedDocument(input.PolicyDocument!);
        const taken = await db
          .selectFrom('iam_policy')
          .select('arn')
          .where((eb) => eb(eb.fn<string>('lower', ['name']), '=', input.PolicyName!.toLowerCase()))
          .executeTakeFirst();
        if (taken) {
          throw fault(
            'EntityAlreadyExists',
            `A policy called ${input.PolicyName} already exists. Duplicate names are not allowed.`,
          );
        }
        const now = state.clock.now();
        const path = input.Path ?? '/';
        const row = {
          arn: state.arn(`policy${path}${input.PolicyName}`),
          id: newId(state.random, 'ANPA'),
          name: input.PolicyName!,
          path,
          description: input.Description ?? null,
          default_version_id: 'v1',
          next_version: 2,
          created_at: now,
          updated_at: now,
        };
        await db.insertInto('iam_policy').values(row).execute();
        await db
          .insertInto('iam_policy_version')
          .values({ policy_arn: row.arn, version_id: 'v1', document: input.PolicyDocument!, created_at: now })
          .execute();
        await putTags(db, row.arn, input.Tags);
        const { Description: _, ...shape } = policyShape({ kind: 'customer', row }, undefined);
        return { Policy: { ...shape, ...tagsMember(await readTags(db, row.arn)) } };
      }),
  };

  const GetPolicy: Operation<GetPolicyRequest, GetPolicyResponse> = {
    access: policyAccess,
    async handle({ PolicyArn }) {
      const policy = await requirePolicy(state.db, PolicyArn!);
      const tags = await readTags(state.db, PolicyArn!);
      return { Policy: { ...policyShape(policy, (await counts(state.db)).get(PolicyArn!)), ...tagsMember(tags) } };
    },
  };

  const ListPolicies: Operation<ListPoliciesRequest, ListPoliciesResponse> = {
    access: ({ PathPrefix }) => listAccess(state, 'policy', PathPrefix),
    async handle(input) {
      const all: ManagedPolicy[] = [];
      if (input.Scope !== 'AWS') {
        const rows = await state.db.selectFrom('iam_policy').selectAll().execute();
        all.push(...rows.map((row) => ({ kind: 'customer', row }) as const));
      }
      if (input.Scope !== 'Local') {
        all.push(...[...awsManagedPolicies.values()].map((policy) => ({ kind: 'aws', policy }) as const));
      }
      const used = await counts(state.db);
      const chosen = all.filter((policy) => matches(policy, input, used.get(policyArn(policy))));
      const { items, tail } = page(chosen, input, policyArn);
      return {
        Policies: items.map((policy) => {
          // Lists leave the description out (https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html).
          const { Description: _, ...shape } = policyShape(policy, used.get(policyArn(policy)));
          return shape;
        }),
        ...tail,
      };
    },
  };

  const ListEntitiesForPolicy: Operation<ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse> = {
    access: policyAccess,
    async handle(input) {
      await requirePolicy(state.db, input.PolicyArn!);
      const attached =
        input.PolicyUsageFilter === 'PermissionsBoundary'
          ? state.db.selectFrom('iam_principal').selectAll().where('boundary_arn', '=', input.PolicyArn!)
          : state.db
              .selectFrom('iam_attachment as a')
              .innerJoin('iam_principal as p', 'p.id', 'a.principal_id')
              .selectAll('p')
              .where('a.policy_arn', '=', input.PolicyArn!);
      const rows = await attached.execute();
      const wanted = { User: 'user', Group: 'group', Role: 'role' }[input.EntityFilter as 'User' | 'Group' | 'Role'];
      const chosen = rows.filter(
        (row) =>
          (wanted === undefined || row.type === wanted) &&
          (input.PathPrefix === undefined || row.path.startsWith(input.PathPrefix)),
      );
      const { items, tail } = page(chosen, input, (row) => `${row.type}/${row.name}`);
      return {
        PolicyGroups: items
          .filter((row) => row.type === 'group')
          .map((row) => ({ GroupName: row.name, GroupId: row.id })),
        PolicyUsers: items.filter((row) => row.type === 'user').map((row) => ({ UserName: row.name, UserId: row.id })),
        PolicyRoles: items.filter((row) => row.type === 'role').map((row) => ({ RoleName: row.name, RoleId: row.id })),
        ...tail,
      };
    },
  };

  const DeletePolicy: Operation<DeletePolicyRequest, object> = {
    access: policyAccess,
    handle: ({ PolicyArn }) =>
      state.write(PolicyArn!, async ({ db }) => {
        const { arn } = await requireCustomerPolicy(db, PolicyArn!);
        const used = (await counts(db)).get(arn);
        if (used && used.attachments + used.boundaries > 0) {
          throw fault('DeleteConflict', 'Cannot delete a policy attached to entities.');
        }
        const versions = await db
          .selectFrom('iam_policy_version')
          .select('version_id')
          .where('policy_arn', '=', arn)
          .execute();
        if (versions.length > 1) {
          throw fault(
            'DeleteConflict',
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
          );
        }
        await db.deleteFrom('iam_policy_version').where('policy_arn', '=', arn).execute();
        await db.deleteFrom('iam_tag').where('owner', '=', arn).execute();
        await db.deleteFrom('iam_policy').where('arn', '=', arn).execute();
        return {};
      }),
  };

  return { CreatePolicy, GetPolicy, ListPolicies, ListEntitiesForPolicy, DeletePolicy };
}

function matches(policy: ManagedPolicy, input: ListPoliciesRequest, used: Counts | undefined): boolean {
  const { path } = policy.kind === 'aws' ? policy.policy : policy.row;
  if (input.PathPrefix !== undefined && !path.startsWith(input.PathPrefix)) return false;
  if (input.PolicyUsageFilter === 'PermissionsBoundary') return (used?.boundaries ?? 0) > 0;
  return !input.OnlyAttached || (used?.attachments ?? 0) > 0;
}
