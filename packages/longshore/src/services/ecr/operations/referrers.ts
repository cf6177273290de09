import type { ImageReferrer, ListImageReferrersRequest, ListImageReferrersResponse } from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { imageNotFound, invalidParameter } from '../faults.ts';
import { findManifestFacts } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { parseDigest } from '../rules/grammar.ts';
import { onRepository } from './access.ts';
import { cutPage, readPage } from './pages.ts';

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html */
export function listImageReferrers(ecr: Ecr): Operation<ListImageReferrersRequest, ListImageReferrersResponse> {
  const { store, settings } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const subject = input.subjectId?.imageDigest ?? '';
      if (!parseDigest(subject)) throw invalidParameter('subjectId.imageDigest', 'must be a sha256 or sha512 digest');
      if (!(await findManifestFacts(store.db, name, subject)))
        throw imageNotFound(settings.accountId, name, subject, undefined);
      const { artifactTypes = [], artifactStatus = 'ACTIVE' } = input.filter ?? {};
      const { after, limit } = readPage(input);
      const found = await store.db
        .selectFrom('ecr_referrer')
        .innerJoin('ecr_manifest', (join) =>
          join
            .onRef('ecr_manifest.repository', '=', 'ecr_referrer.repository')
            .onRef('ecr_manifest.digest', '=', 'ecr_referrer.digest'),
        )
        .select([
          'ecr_referrer.digest',
          'ecr_referrer.media_type',
          'ecr_referrer.artifact_type',
          'ecr_referrer.size',
          'ecr_referrer.annotations',
          'ecr_manifest.image_status',
        ])
        .where('ecr_referrer.repository', '=', name)
        .where('ecr_referrer.subject', '=', subject)
        .where('ecr_referrer.digest', '>', after[0] ?? '')
        .$if(artifactTypes.length > 0, (query) => query.where('ecr_referrer.artifact_type', 'in', artifactTypes))
        .$if(artifactStatus !== 'ANY', (query) =>
          query.where('ecr_manifest.image_status', '=', artifactStatus as 'ACTIVE' | 'ARCHIVED'),
        )
        .orderBy('ecr_referrer.digest')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [row.digest]);
      return {
        referrers: rows.map(
          (row): ImageReferrer => ({
            digest: row.digest,
            mediaType: row.media_type,
            size: row.size,
            ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
            ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) }),
            artifactStatus: row.image_status,
          }),
        ),
        ...token,
      };
    },
  };
}
