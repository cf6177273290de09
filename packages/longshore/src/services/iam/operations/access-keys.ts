import type {
  CreateAccessKeyRequest,
  CreateAccessKeyResponse,
  DeleteAccessKeyRequest,
  GetAccessKeyLastUsedRequest,
  GetAccessKeyLastUsedResponse,
  ListAccessKeysRequest,
  ListAccessKeysResponse,
  UpdateAccessKeyRequest,
} from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import type { Access, Operation, RequestContext } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { newAccessKey } from '../ids.ts';
import { requirePrincipal } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { AccessKeyRow, IamTables } from '../tables.ts';
import { principalAccess } from './access.ts';
import { page } from './paging.ts';
import { userNameOf } from './users.ts';

const mostKeys = 2;

interface Owner {
  readonly id: string;
  /** Absent for root. */
  readonly UserName?: string;
}

/** Access keys of users: made, listed, switched off, deleted. */
export function accessKeyOperations(state: IamState) {
  const forRoot = (UserName: string | undefined, { caller }: RequestContext) =>
    UserName === undefined && caller.type === 'root';

  const access = (input: { UserName?: string | undefined }, context: RequestContext): Promise<readonly Access[]> =>
    forRoot(input.UserName, context)
      ? Promise.resolve([{ resource: context.caller.arn }])
      : principalAccess(state, 'user', userNameOf(input.UserName, context));

  const ownerOf = async (
    db: Kysely<IamTables>,
    input: { UserName?: string | undefined },
    context: RequestContext,
  ): Promise<Owner> => {
    if (forRoot(input.UserName, context)) return { id: 'root' };
    const { id, name } = await requirePrincipal(db, 'user', userNameOf(input.UserName, context));
    return { id, UserName: name };
  };

  const requireKey = async (db: Kysely<IamTables>, owner: Owner, id: string): Promise<AccessKeyRow> => {
    const row = await db
      .selectFrom('iam_access_key')
      .selectAll()
      .where('id', '=', id)
      .where('principal_id', '=', owner.id)
      .executeTakeFirst();
    if (!row) throw fault('NoSuchEntity', `The Access Key with id ${id} cannot be found.`);
    return row;
  };

  const CreateAccessKey: Operation<CreateAccessKeyRequest, CreateAccessKeyResponse> = {
    access,
    handle: (input, context) =>
      state.write(input.UserName ?? context.caller.arn, async ({ db }) => {
        const owner = await ownerOf(db, input, context);
        const keys = await db.selectFrom('iam_access_key').select('id').where('principal_id', '=', owner.id).execute();
        if (keys.length >= mostKeys) {
          throw fault('LimitExceeded', `Cannot exceed quota for AccessKeysPerUser: ${mostKeys}`);
        }
        const key = newAccessKey(state.random, 'AKIA');
        const now = state.clock.now();
        await db
          .insertInto('iam_access_key')
          .values({
            id: key.accessKeyId,
            principal_id: owner.id,
            secret: key.secretAccessKey,
            status: 'Active',
            created_at: now,
            last_used_at: null,
            last_used_service: null,
            last_used_region: null,
          })
          .execute();
        return {
          AccessKey: {
            UserName: owner.UserName,
            AccessKeyId: key.accessKeyId,
            Status: 'Active',
            SecretAccessKey: key.secretAccessKey,
            CreateDate: new Date(now),
          },
        };
      }),
  };

  const ListAccessKeys: Operation<ListAccessKeysRequest, ListAccessKeysResponse> = {
    access,
    async handle(input, context) {
      const owner = await ownerOf(state.db, input, context);
      const rows = await state.db
        .selectFrom('iam_access_key')
        .selectAll()
        .where('principal_id', '=', owner.id)
        .execute();
      const { items, tail } = page(rows, input, (row) => row.id);
      return {
        AccessKeyMetadata: items.map((row) => ({
          ...(owner.UserName === undefined ? {} : { UserName: owner.UserName }),
          AccessKeyId: row.id,
          Status: row.status,
          CreateDate: new Date(row.created_at),
        })),
        ...tail,
      };
    },
  };

  const UpdateAccessKey: Operation<UpdateAccessKeyRequest, object> = {
    access,
    handle: (input, context) =>
      state.write(input.AccessKeyId!, async ({ db }) => {
        const key = await requireKey(db, await ownerOf(db, input, context), input.AccessKeyId!);
        const status = input.Status;
        if (status !== 'Active' && status !== 'Inactive') {
          throw fault('InvalidInput', `An access key can be set to Active or Inactive, not to ${status}.`);
        }
        await db.updateTable('iam_access_key').set({ status }).where('id', '=', key.id).execute();
        return {};
      }),
  };

  const DeleteAccessKey: Operation<DeleteAccessKeyRequest, object> = {
    access,
    handle: (input, context) =>
      state.write(input.AccessKeyId!, async ({ db }) => {
        const key = await requireKey(db, await ownerOf(db, input, context), input.AccessKeyId!);
        await db.deleteFrom('iam_access_key').where('id', '=', key.id).execute();
        return {};
      }),
  };

  const GetAccessKeyLastUsed: Operation<GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse> = {
    access: () => [{ resource: '*' }],
    async handle({ AccessKeyId }) {
      const row = await state.db
        .selectFrom('iam_access_key as k')
        .innerJoin('iam_principal as p', 'p.id', 'k.principal_id')
        .select(['p.name', 'k.last_used_at', 'k.last_used_region', 'k.last_used_service'])
        .where('k.id', '=', AccessKeyId!)
        .executeTakeFirst();
      if (!row) throw fault('NoSuchEntity', `The Access Key with id ${AccessKeyId} cannot be found.`);
      return {
        UserName: row.name,
        AccessKeyLastUsed: {
          ...(row.last_used_at === null ? {} : { LastUsedDate: new Date(row.last_used_at) }),
          ServiceName: row.last_used_service ?? 'N/A',
          Region: row.last_used_region ?? 'N/A',
        } as NonNullable<GetAccessKeyLastUsedResponse['AccessKeyLastUsed']>,
      };
    },
  };

  return { CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed };
}
