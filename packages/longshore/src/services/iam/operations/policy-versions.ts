import type {
  CreatePolicyVersionRequest,
  CreatePolicyVersionResponse,
  DeletePolicyVersionRequest,
  GetPolicyVersionRequest,
  GetPolicyVersionResponse,
  ListPolicyVersionsRequest,
  ListPolicyVersionsResponse,
  SetDefaultPolicyVersionRequest,
} from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import type { Operation } from '../../../wire/service.ts';
import { encodeDocument } from '../documents.ts';
import { fault } from '../faults.ts';
import { requirePolicy } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { IamTables } from '../tables.ts';
import { page } from './paging.ts';
import { checkManagedDocument, policyAccess } from './policies.ts';
import { requireCustomerPolicy } from './policy-shapes.ts';

const mostVersions = 5;

/** Versions of managed policies, of which one is in force. */
export function policyVersionOperations(state: IamState) {
  const CreatePolicyVersion: Operation<CreatePolicyVersionRequest, CreatePolicyVersionResponse> = {
    access: policyAccess,
    handle: ({ PolicyArn, PolicyDocument, SetAsDefault = false }) =>
      state.write(PolicyArn!, async ({ db }) => {
        const policy = await requireCustomerPolicy(db, PolicyArn!);
        checkManagedDocument(PolicyDocument!);
        const kept = await versionsOf(db, policy.arn);
        if (kept.length >= mostVersions) {
          throw fault(
            'LimitExceeded',
            'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
          );
        }
        const now = state.clock.now();
        const version_id = `v${policy.next_version}`;
        await db
          .insertInto('iam_policy_version')
          .values({ policy_arn: policy.arn, version_id, document: PolicyDocument!, created_at: now })
          .execute();
        await db
          .updateTable('iam_policy')
          .set({
            next_version: policy.next_version + 1,
            updated_at: now,
            default_version_id: SetAsDefault ? version_id : policy.default_version_id,
          })
          .where('arn', '=', policy.arn)
          .execute();
        return {
          PolicyVersion: { VersionId: version_id, IsDefaultVersion: SetAsDefault, CreateDate: new Date(now) },
        };
      }),
  };

  const GetPolicyVersion: Operation<GetPolicyVersionRequest, GetPolicyVersionResponse> = {
    access: policyAccess,
    async handle({ PolicyArn, VersionId }) {
      const found = await requirePolicy(state.db, PolicyArn!);
      if (found.kind === 'aws') {
        const { policy } = found;
        if (policy.versionId !== VersionId) throw versionNotFound(PolicyArn!, VersionId!);
        return {
          PolicyVersion: {
            Document: encodeDocument(policy.document),
            VersionId: policy.versionId,
            IsDefaultVersion: true,
            CreateDate: policy.updatedAt,
          },
        };
      }
      const row = (await versionsOf(state.db, PolicyArn!)).find((version) => version.version_id === VersionId);
      if (!row) throw versionNotFound(PolicyArn!, VersionId!);
      return {
        PolicyVersion: {
          Document: encodeDocument(row.document),
          VersionId: row.version_id,
          IsDefaultVersion: row.version_id === found.row.default_version_id,
          CreateDate: new Date(row.created_at),
        },
      };
    },
  };

  const ListPolicyVersions: Operation<ListPolicyVersionsRequest, ListPolicyVersionsResponse> = {
    access: policyAccess,
    async handle(input) {
      const found = await requirePolicy(state.db, input.PolicyArn!);
      if (found.kind === 'aws') {
        const { versionId, updatedAt } = found.policy;
        return {
          Versions: [{ VersionId: versionId, IsDefaultVersion: true, CreateDate: updatedAt }],
          IsTruncated: false,
        };
      }
      // The newest version comes first.
      const rows = await versionsOf(state.db, input.PolicyArn!);
      const { items, tail } = page(rows, input, (row) => String(1e9 - Number(row.version_id.slice(1))));
      return {
        Versions: items.map((row) => ({
          VersionId: row.version_id,
          IsDefaultVersion: row.version_id === found.row.default_version_id,
          CreateDate: new Date(row.created_at),
        })),
        ...tail,
      };
    },
  };

  const SetDefaultPolicyVersion: Operation<SetDefaultPolicyVersionRequest, object> = {
    access: policyAccess,
    handle: ({ PolicyArn, VersionId }) =>
      state.write(PolicyArn!, async ({ db }) => {
        const { arn } = await requireCustomerPolicy(db, PolicyArn!);
        const there = (await versionsOf(db, arn)).some((version) => version.version_id === VersionId);
        if (!there) throw versionNotFound(arn, VersionId!);
        await db
          .updateTable('iam_policy')
          .set({ default_version_id: VersionId!, updated_at: state.clock.now() })
          .where('arn', '=', arn)
          .execute();
        return {};
      }),
  };

  const DeletePolicyVersion: Operation<DeletePolicyVersionRequest, object> = {
    access: policyAccess,
    handle: ({ PolicyArn, VersionId }) =>
      state.write(PolicyArn!, async ({ db }) => {
        const policy = await requireCustomerPolicy(db, PolicyArn!);
        if (policy.default_version_id === VersionId) {
          throw fault('DeleteConflict', 'Cannot delete the default version of a policy.');
        }
        const there = (await versionsOf(db, policy.arn)).some((version) => version.version_id === VersionId);
        if (!there) throw versionNotFound(policy.arn, VersionId!);
        await db
          .deleteFrom('iam_policy_version')
          .where('policy_arn', '=', policy.arn)
          .where('version_id', '=', VersionId!)
          .execute();
        return {};
      }),
  };

  return { CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion, DeletePolicyVersion };
}

const versionsOf = (db: Kysely<IamTables>, arn: string) =>
  db.selectFrom('iam_policy_version').selectAll().where('policy_arn', '=', arn).execute();

const versionNotFound = (arn: string, version: string) =>
  fault('NoSuchEntity', `Policy ${arn} version ${version} does not exist or is not attachable.`);
