import type {
  GetAccountAuthorizationDetailsRequest,
  GetAccountAuthorizationDetailsResponse,
  ManagedPolicyDetail,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { encodeDocument } from '../documents.ts';
import { findPolicy } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { PrincipalRow } from '../tables.ts';
import { page } from './paging.ts';
import { counts, policyShape } from './policy-shapes.ts';
import { fullRoleShape, groupShape, profileShape, userShape } from './shapes.ts';
import { readTags } from './tagging.ts';

type Item =
  | { readonly type: PrincipalRow['type']; readonly row: PrincipalRow }
  | { readonly type: 'policy'; readonly arn: string };

/** All identities and policies of the account at once, as auditing tools want them. */
export function authorizationDetails(
  state: IamState,
): Operation<GetAccountAuthorizationDetailsRequest, GetAccountAuthorizationDetailsResponse> {
  const { db } = state;

  const policiesOf = async (id: string) => {
    const inline = await db.selectFrom('iam_inline_policy').selectAll().where('principal_id', '=', id).execute();
    const attached = await db.selectFrom('iam_attachment').selectAll().where('principal_id', '=', id).execute();
    return {
      inline: inline.map((row) => ({ PolicyName: row.name, PolicyDocument: encodeDocument(row.document) })),
      attached: attached.map(({ policy_arn }) => ({
        PolicyName: policy_arn.slice(policy_arn.lastIndexOf('/') + 1),
        PolicyArn: policy_arn,
      })),
    };
  };

  const userDetail = async (row: PrincipalRow) => {
    const { inline, attached } = await policiesOf(row.id);
    const groups = await db
      .selectFrom('iam_membership as m')
      .innerJoin('iam_principal as p', 'p.id', 'm.group_id')
      .select('p.name')
      .where('m.user_id', '=', row.id)
      .execute();
    return {
      ...userShape(state, row),
      UserPolicyList: inline,
      GroupList: groups.map((group) => group.name),
      AttachedManagedPolicies: attached,
      Tags: await readTags(db, row.id),
    };
  };

  const groupDetail = async (row: PrincipalRow) => {
    const { inline, attached } = await policiesOf(row.id);
    return { ...groupShape(state, row), GroupPolicyList: inline, AttachedManagedPolicies: attached };
  };

  const roleDetail = async (row: PrincipalRow) => {
    const { inline, attached } = await policiesOf(row.id);
    const profiles = await db.selectFrom('iam_instance_profile').selectAll().where('role_id', '=', row.id).execute();
    const { Description: _, MaxSessionDuration: __, ...role } = await fullRoleShape(state, db, row);
    return {
      ...role,
      InstanceProfileList: await Promise.all(profiles.map((profile) => profileShape(state, db, profile))),
      RolePolicyList: inline,
      AttachedManagedPolicies: attached,
    };
  };

  const policyDetail = async (arn: string): Promise<ManagedPolicyDetail> => {
    const policy = (await findPolicy(db, arn))!;
    const shape = policyShape(policy, (await counts(db)).get(arn));
    if (policy.kind === 'aws') {
      const { document, versionId, updatedAt } = policy.policy;
      const Document = encodeDocument(document);
      return {
        ...shape,
        PolicyVersionList: [{ Document, VersionId: versionId, IsDefaultVersion: true, CreateDate: updatedAt }],
      };
    }
    const versions = await db.selectFrom('iam_policy_version').selectAll().where('policy_arn', '=', arn).execute();
    return {
      ...shape,
      PolicyVersionList: versions.map((version) => ({
        Document: encodeDocument(version.document),
        VersionId: version.version_id,
        IsDefaultVersion: version.version_id === policy.row.default_version_id,
        CreateDate: new Date(version.created_at),
      })),
    };
  };

  return {
    access: () => [{ resource: '*' }],
    async handle(input) {
      const wanted = (kind: 'User' | 'Group' | 'Role' | 'LocalManagedPolicy' | 'AWSManagedPolicy') =>
        !input.Filter?.length || input.Filter.includes(kind);
      const kinds = { user: wanted('User'), group: wanted('Group'), role: wanted('Role') };
      const principals = await db.selectFrom('iam_principal').selectAll().execute();
      const items: Item[] = principals.filter((row) => kinds[row.type]).map((row) => ({ type: row.type, row }));
      if (wanted('LocalManagedPolicy')) {
        const rows = await db.selectFrom('iam_policy').select('arn').execute();
        items.push(...rows.map(({ arn }) => ({ type: 'policy' as const, arn })));
      }
      if (wanted('AWSManagedPolicy')) {
        // Only those in use, as at AWS.
        const used = [...(await counts(db)).keys()].filter((arn) => arn.startsWith('arn:aws:iam::aws:'));
        items.push(...used.map((arn) => ({ type: 'policy' as const, arn })));
      }
      const { items: shown, tail } = page(items, input, (item) =>
        item.type === 'policy' ? `policy ${item.arn}` : `${item.type} ${item.row.name}`,
      );
      const of = (type: PrincipalRow['type']) =>
        shown.flatMap((item) => (item.type === type ? [(item as { readonly row: PrincipalRow }).row] : []));
      return {
        UserDetailList: await Promise.all(of('user').map(userDetail)),
        GroupDetailList: await Promise.all(of('group').map(groupDetail)),
        RoleDetailList: await Promise.all(of('role').map(roleDetail)),
        Policies: await Promise.all(shown.flatMap((item) => (item.type === 'policy' ? [policyDetail(item.arn)] : []))),
        ...tail,
      };
    },
  };
}
