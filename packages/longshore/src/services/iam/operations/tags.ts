import type {
  ListInstanceProfileTagsRequest,
  ListPolicyTagsRequest,
  ListRoleTagsRequest,
  ListRoleTagsResponse,
  ListUserTagsRequest,
  Tag,
  TagInstanceProfileRequest,
  TagPolicyRequest,
  TagRoleRequest,
  TagUserRequest,
  UntagInstanceProfileRequest,
  UntagPolicyRequest,
  UntagRoleRequest,
  UntagUserRequest,
} from '@aws-sdk/client-iam';
import type { Kysely } from 'kysely';
import type { Access, Operation } from '../../../wire/service.ts';
import { requirePrincipal, requireProfile } from '../lookups.ts';
import type { IamState } from '../state.ts';
import type { IamTables } from '../tables.ts';
import { principalAccess, profileAccess } from './access.ts';
import { type MarkedRequest, page } from './paging.ts';
import { requireCustomerPolicy } from './policy-shapes.ts';
import { dropTags, putTags, readTags, tagContext } from './tagging.ts';

type Db = Kysely<IamTables>;
type Context = NonNullable<Access['context']>;

/** How one kind of thing that has tags is found. */
interface Kind<Input> {
  access(input: Input, context: Context): Promise<readonly Access[]> | readonly Access[];
  /** What its tags are kept under. Throws NoSuchEntity. */
  owner(db: Db, input: Input): Promise<string>;
}

/** Tags of everything in IAM that has tags. */
export function tagOperations(state: IamState) {
  const user: Kind<{ UserName: string | undefined }> = {
    access: ({ UserName }, context) => principalAccess(state, 'user', UserName!, context),
    owner: async (db, { UserName }) => (await requirePrincipal(db, 'user', UserName!)).id,
  };
  const role: Kind<{ RoleName: string | undefined }> = {
    access: ({ RoleName }, context) => principalAccess(state, 'role', RoleName!, context),
    owner: async (db, { RoleName }) => (await requirePrincipal(db, 'role', RoleName!)).id,
  };
  const policy: Kind<{ PolicyArn: string | undefined }> = {
    access: ({ PolicyArn }, context) => [{ resource: PolicyArn!, context }],
    owner: async (db, { PolicyArn }) => (await requireCustomerPolicy(db, PolicyArn!)).arn,
  };
  const profile: Kind<{ InstanceProfileName: string | undefined }> = {
    access: ({ InstanceProfileName }) => profileAccess(state, InstanceProfileName!),
    owner: async (db, { InstanceProfileName }) => (await requireProfile(db, InstanceProfileName!)).id,
  };
  return {
    TagUser: tag<TagUserRequest>(state, user),
    UntagUser: untag<UntagUserRequest>(state, user),
    ListUserTags: list<ListUserTagsRequest>(state, user),
    TagRole: tag<TagRoleRequest>(state, role),
    UntagRole: untag<UntagRoleRequest>(state, role),
    ListRoleTags: list<ListRoleTagsRequest>(state, role),
    TagPolicy: tag<TagPolicyRequest>(state, policy),
    UntagPolicy: untag<UntagPolicyRequest>(state, policy),
    ListPolicyTags: list<ListPolicyTagsRequest>(state, policy),
    TagInstanceProfile: tag<TagInstanceProfileRequest>(state, profile),
    UntagInstanceProfile: untag<UntagInstanceProfileRequest>(state, profile),
    ListInstanceProfileTags: list<ListInstanceProfileTagsRequest>(state, profile),
  };
}

function tag<Input extends { Tags: Tag[] | undefined }>(state: IamState, kind: Kind<Input>): Operation<Input, object> {
  return {
    access: (input) => kind.access(input, tagContext(input.Tags)),
    handle: (input) =>
      state.write('tags', async ({ db }) => {
        await putTags(db, await kind.owner(db, input), input.Tags);
        return {};
      }),
  };
}

function untag<Input extends { TagKeys: string[] | undefined }>(
  state: IamState,
  kind: Kind<Input>,
): Operation<Input, object> {
  return {
    access: (input) => kind.access(input, { 'aws:TagKeys': input.TagKeys ?? [] }),
    handle: (input) =>
      state.write('tags', async ({ db }) => {
        await dropTags(db, await kind.owner(db, input), input.TagKeys);
        return {};
      }),
  };
}

function list<Input extends MarkedRequest>(state: IamState, kind: Kind<Input>): Operation<Input, ListRoleTagsResponse> {
  return {
    access: (input) => kind.access(input, {}),
    async handle(input) {
      const tags = await readTags(state.db, await kind.owner(state.db, input));
      const { items, tail } = page(tags, input, (item) => item.Key);
      return { Tags: [...items], ...tail };
    },
  };
}
