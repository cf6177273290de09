import type {
  GetLifecyclePolicyPreviewRequest,
  GetLifecyclePolicyPreviewResponse,
  LifecyclePolicyPreviewResult,
  StartLifecyclePolicyPreviewRequest,
  StartLifecyclePolicyPreviewResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault, invalidParameter } from '../faults.ts';
import { evaluateLifecycle } from '../lifecycle-images.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { onRepository } from './access.ts';
import { checkLifecyclePolicy, lifecyclePolicyNotFound } from './lifecycle.ts';
import { cutPage, readPage } from './pages.ts';

/** A preview is kept for so long (user guide, "Creating a lifecycle policy preview"). */
const keptMilliseconds = 24 * 3_600_000;

/** A result as it is stored. */
interface PreviewResult {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  readonly archived: boolean;
  readonly action: 'expire' | 'transition';
  readonly priority: number;
}

/**
 * Previews the policy that is given or, without one, the repository's own. The answer says IN_PROGRESS, as AWS's does; the result
 * is there by the next call.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartLifecyclePolicyPreview.html
 */
export function startLifecyclePolicyPreview(
  ecr: Ecr,
): Operation<StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse> {
  const { store, settings, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const own = await store.db
        .selectFrom('ecr_lifecycle_policy')
        .select('document')
        .where('repository', '=', name)
        .executeTakeFirst();
      const document = input.lifecyclePolicyText ?? own?.document;
      if (document === undefined) throw lifecyclePolicyNotFound(settings.accountId, name);
      const { images, verdicts } = await evaluateLifecycle(ecr, name, checkLifecyclePolicy(document));
      const results = verdicts.flatMap(({ digest, action, priority }): PreviewResult[] => {
        const image = images.get(digest);
        if (!image) return [];
        return [{ digest, tags: image.tags, pushedAt: image.pushedAt, archived: image.archived, action, priority }];
      });
      results.sort((a, b) => a.pushedAt - b.pushedAt || (a.digest < b.digest ? -1 : 1));
      const row = {
        document,
        status: 'COMPLETE' as const,
        started_at: clock.now(),
        results: JSON.stringify(results),
      };
      await store.transaction(async (tx) => {
        await tx.db
          .insertInto('ecr_lifecycle_preview')
          .values({ repository: name, ...row })
          .onConflict((conflict) => conflict.column('repository').doUpdateSet(row))
          .execute();
      });
      return {
        registryId: settings.accountId,
        repositoryName: name,
        lifecyclePolicyText: document,
        status: 'IN_PROGRESS',
      };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicyPreview.html */
export function getLifecyclePolicyPreview(
  ecr: Ecr,
): Operation<GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse> {
  const { store, settings, clock } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const found = await store.db
        .selectFrom('ecr_lifecycle_preview')
        .selectAll()
        .where('repository', '=', name)
        .executeTakeFirst();
      if (!found || found.started_at + keptMilliseconds < clock.now())
        throw fault(
          'LifecyclePolicyPreviewNotFoundException',
          `Lifecycle policy preview does not exist for the repository with name '${name}' in the registry with id '${settings.accountId}'`,
        );
      if (input.imageIds && (input.nextToken !== undefined || input.maxResults !== undefined || input.filter))
        throw invalidParameter('imageIds', "can't be given with filter, maxResults or nextToken");
      const all = JSON.parse(found.results) as readonly PreviewResult[];
      const { after, limit } = readPage(input);
      const start = after[0] === '' ? 0 : Number(after[0]) + 1;
      const wanted = all
        .map((result, index) => ({ result, index }))
        .filter(({ result }) => isWanted(result, input))
        .filter(({ index }) => index >= start);
      const { rows, token } = cutPage(wanted.slice(0, limit + 1), limit, ({ index }) => [String(index)]);
      const count = (action: PreviewResult['action']) => all.filter((result) => result.action === action).length;
      return {
        registryId: settings.accountId,
        repositoryName: name,
        lifecyclePolicyText: found.document,
        status: found.status,
        previewResults: rows.map(({ result }) => shown(result)),
        summary: {
          expiringImageTotalCount: count('expire'),
          transitioningImageTotalCounts: [{ targetStorageClass: 'ARCHIVE', imageTotalCount: count('transition') }],
        },
        ...token,
      };
    },
  };
}

function isWanted(result: PreviewResult, { imageIds, filter }: GetLifecyclePolicyPreviewRequest): boolean {
  const { tagStatus = 'ANY' } = filter ?? {};
  if (tagStatus !== 'ANY' && (tagStatus === 'TAGGED') !== result.tags.length > 0) return false;
  if (!imageIds) return true;
  return imageIds.some(
    ({ imageDigest, imageTag }) =>
      (imageDigest === undefined || imageDigest === result.digest) &&
      (imageTag === undefined || result.tags.includes(imageTag)),
  );
}

function shown(result: PreviewResult): LifecyclePolicyPreviewResult {
  return {
    imageDigest: result.digest,
    ...(result.tags.length > 0 ? { imageTags: [...result.tags] } : {}),
    imagePushedAt: new Date(result.pushedAt),
    action: result.action === 'expire' ? { type: 'EXPIRE' } : { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' },
    appliedRulePriority: result.priority,
    storageClass: result.archived ? 'ARCHIVE' : 'STANDARD',
  };
}
