import type {
  CreateAccountAliasRequest,
  DeleteAccountAliasRequest,
  GetAccountSummaryResponse,
  ListAccountAliasesResponse,
} from '@aws-sdk/client-iam';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import type { IamState } from '../state.ts';

const anywhere = () => [{ resource: '*' }];

/** The account's summary and alias. */
export function accountOperations(state: IamState) {
  const CreateAccountAlias: Operation<CreateAccountAliasRequest, object> = {
    access: anywhere,
    handle: ({ AccountAlias }) =>
      state.write('alias', async ({ db }) => {
        // An account has one alias; a new one takes the place of the old.
        await db.deleteFrom('iam_alias').execute();
        await db.insertInto('iam_alias').values({ alias: AccountAlias! }).execute();
        return {};
      }),
  };

  const DeleteAccountAlias: Operation<DeleteAccountAliasRequest, object> = {
    access: anywhere,
    handle: ({ AccountAlias }) =>
      state.write('alias', async ({ db }) => {
        const { numDeletedRows } = await db
          .deleteFrom('iam_alias')
          .where('alias', '=', AccountAlias!)
          .executeTakeFirst();
        if (numDeletedRows === 0n) {
          throw fault('NoSuchEntity', `The account alias with name ${AccountAlias} cannot be found.`);
        }
        return {};
      }),
  };

  const ListAccountAliases: Operation<object, ListAccountAliasesResponse> = {
    access: anywhere,
    async handle() {
      const rows = await state.db.selectFrom('iam_alias').select('alias').execute();
      return { AccountAliases: rows.map((row) => row.alias), IsTruncated: false };
    },
  };

  const GetAccountSummary: Operation<object, GetAccountSummaryResponse> = {
    access: anywhere,
    async handle() {
      const principals = await state.db.selectFrom('iam_principal').select('type').execute();
      const of = (type: string) => principals.filter((row) => row.type === type).length;
      const size = async (table: 'iam_policy' | 'iam_policy_version' | 'iam_instance_profile') => {
        const row = await state.db
          .selectFrom(table)
          .select((eb) => eb.fn.countAll<number>().as('size'))
          .executeTakeFirstOrThrow();
        return Number(row.size);
      };
      const rootKeys = await state.db
        .selectFrom('iam_access_key')
        .select('id')
        .where('principal_id', '=', 'root')
        .execute();
      return {
        SummaryMap: {
          Users: of('user'),
          UsersQuota: 5000,
          Groups: of('group'),
          GroupsQuota: 300,
          Roles: of('role'),
          RolesQuota: 1000,
          InstanceProfiles: await size('iam_instance_profile'),
          InstanceProfilesQuota: 1000,
          Policies: await size('iam_policy'),
          PoliciesQuota: 1500,
          PolicyVersionsInUse: await size('iam_policy_version'),
          PolicyVersionsInUseQuota: 10000,
          PolicySizeQuota: 6144,
          VersionsPerPolicyQuota: 5,
          AccessKeysPerUserQuota: 2,
          AccountAccessKeysPresent: rootKeys.length > 0 ? 1 : 0,
          AccountMFAEnabled: 0,
          AttachedPoliciesPerGroupQuota: 10,
          AttachedPoliciesPerRoleQuota: 10,
          AttachedPoliciesPerUserQuota: 10,
          GroupsPerUserQuota: 10,
          AssumeRolePolicySizeQuota: 2048,
          UserPolicySizeQuota: 2048,
          GroupPolicySizeQuota: 5120,
          RolePolicySizeQuota: 10240,
        },
      };
    },
  };

  return { CreateAccountAlias, DeleteAccountAlias, ListAccountAliases, GetAccountSummary };
}
