import type {
  DeregisterPullTimeUpdateExclusionRequest,
  DeregisterPullTimeUpdateExclusionResponse,
  ListPullTimeUpdateExclusionsRequest,
  ListPullTimeUpdateExclusionsResponse,
  RegisterPullTimeUpdateExclusionRequest,
  RegisterPullTimeUpdateExclusionResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { onRegistry } from './access.ts';
import { cutPage, readPage } from './pages.ts';

/** ECR's quota on principals whose pulls are not noted. */
const mostExclusions = 100;

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html */
export function registerPullTimeUpdateExclusion(
  ecr: Ecr,
): Operation<RegisterPullTimeUpdateExclusionRequest, RegisterPullTimeUpdateExclusionResponse> {
  const { store, clock } = ecr;
  return {
    access: onRegistry(ecr),
    async handle({ principalArn = '' }) {
      const createdAt = clock.now();
      await store.transaction(async (tx) => {
        const rows = await tx.db.selectFrom('ecr_pull_time_exclusion').select('principal_arn').execute();
        if (rows.some((row) => row.principal_arn === principalArn))
          throw fault('ExclusionAlreadyExistsException', `An exclusion for '${principalArn}' already exists`);
        if (rows.length >= mostExclusions)
          throw fault('LimitExceededException', `A registry has at most ${mostExclusions} pull time update exclusions`);
        await tx.db
          .insertInto('ecr_pull_time_exclusion')
          .values({ principal_arn: principalArn, created_at: createdAt })
          .execute();
      });
      return { principalArn, createdAt: new Date(createdAt) };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeregisterPullTimeUpdateExclusion.html */
export function deregisterPullTimeUpdateExclusion(
  ecr: Ecr,
): Operation<DeregisterPullTimeUpdateExclusionRequest, DeregisterPullTimeUpdateExclusionResponse> {
  return {
    access: onRegistry(ecr),
    async handle({ principalArn = '' }) {
      const gone = await ecr.store.transaction((tx) =>
        tx.db.deleteFrom('ecr_pull_time_exclusion').where('principal_arn', '=', principalArn).executeTakeFirst(),
      );
      if (gone.numDeletedRows === 0n)
        throw fault('ExclusionNotFoundException', `There is no exclusion for '${principalArn}'`);
      return { principalArn };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListPullTimeUpdateExclusions.html */
export function listPullTimeUpdateExclusions(
  ecr: Ecr,
): Operation<ListPullTimeUpdateExclusionsRequest, ListPullTimeUpdateExclusionsResponse> {
  return {
    access: onRegistry(ecr),
    async handle(input) {
      const { after, limit } = readPage(input);
      const found = await ecr.store.db
        .selectFrom('ecr_pull_time_exclusion')
        .select('principal_arn')
        .where('principal_arn', '>', after[0] ?? '')
        .orderBy('principal_arn')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [row.principal_arn]);
      return { pullTimeUpdateExclusions: rows.map((row) => row.principal_arn), ...token };
    },
  };
}
