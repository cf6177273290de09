import type {
  DescribeImagesRequest,
  DescribeImagesResponse,
  ImageDetail,
  ImageIdentifier,
  ListImagesRequest,
  ListImagesResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { fault, imageNotFound } from '../faults.ts';
import { findManifestFacts, listManifestFacts, type ManifestFacts, tagsOf } from '../images.ts';
import type { Ecr } from '../parts.ts';
import { requireRepository } from '../repositories.ts';
import { readConfiguration, scanningDocument } from '../scanning/configuration.ts';
import { isNoSbom, scansOf } from '../scanning/scans.ts';
import { scanDetails } from '../scanning/shapes.ts';
import { onRepository } from './access.ts';
import { locate } from './identifiers.ts';
import { cutPage, readPage } from './pages.ts';

/** Is the filter one for tagged (true) or untagged (false) images? */
function taggedFilter(tagStatus: string | undefined): { tagged?: boolean } {
  return tagStatus === undefined || tagStatus === 'ANY' ? {} : { tagged: tagStatus === 'TAGGED' };
}

/** The images that a filter on their status lets through; active ones unless told. */
function statusFilter(imageStatus: string | undefined): { status?: 'ACTIVE' | 'ARCHIVED' | 'ACTIVATING' } {
  return imageStatus === 'ANY' ? {} : { status: (imageStatus ?? 'ACTIVE') as 'ACTIVE' | 'ARCHIVED' | 'ACTIVATING' };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html */
export function listImages(ecr: Ecr): Operation<ListImagesRequest, ListImagesResponse> {
  const { settings, store } = ecr;
  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      const { after, limit } = readPage(input, 2);
      const [digest = '', tag = ''] = after;
      const { tagged } = taggedFilter(input.filter?.tagStatus);
      const { status } = statusFilter(input.filter?.imageStatus);
      const found = await store.db
        .selectFrom('ecr_manifest')
        .leftJoin('ecr_tag', (join) =>
          join
            .onRef('ecr_tag.repository', '=', 'ecr_manifest.repository')
            .onRef('ecr_tag.digest', '=', 'ecr_manifest.digest'),
        )
        .select(['ecr_manifest.digest', 'ecr_tag.tag'])
        .where('ecr_manifest.repository', '=', name)
        .where(isNoSbom)
        .where(({ or, and, eb }) =>
          or([
            eb('ecr_manifest.digest', '>', digest),
            and([eb('ecr_manifest.digest', '=', digest), eb('ecr_tag.tag', '>', tag)]),
          ]),
        )
        .$if(status !== undefined, (query) => query.where('ecr_manifest.image_status', '=', status as 'ACTIVE'))
        .$if(tagged !== undefined, (query) => query.where('ecr_tag.tag', tagged ? 'is not' : 'is', null))
        .orderBy('ecr_manifest.digest')
        .orderBy('ecr_tag.tag')
        .limit(limit + 1)
        .execute();
      const { rows, token } = cutPage(found, limit, (row) => [row.digest, row.tag ?? '']);
      return {
        imageIds: rows.map(
          (row): ImageIdentifier => ({
            imageDigest: row.digest,
            ...(row.tag === null ? {} : { imageTag: row.tag }),
          }),
        ),
        ...token,
      };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html */
export function describeImages(ecr: Ecr): Operation<DescribeImagesRequest, DescribeImagesResponse> {
  const { settings, store } = ecr;

  async function details(repository: string, images: readonly ManifestFacts[]): Promise<ImageDetail[]> {
    const digests = images.map((image) => image.digest);
    const tags = await tagsOf(store.db, repository, digests);
    const scans = await scansOf(store.db, repository, digests);
    const { scanType } = readConfiguration(ecr.documents.text(scanningDocument));
    return images.map((image): ImageDetail => {
      const imageTags = tags.get(image.digest) ?? [];
      const scan = scans.get(image.digest);
      return {
        registryId: settings.accountId,
        repositoryName: repository,
        imageDigest: image.digest,
        ...(imageTags.length > 0 ? { imageTags } : {}),
        imageSizeInBytes: image.image_size,
        imagePushedAt: new Date(image.pushed_at),
        imageManifestMediaType: image.media_type,
        ...(scan ? scanDetails(scan, scanType) : {}),
        ...(image.artifact_type === null ? {} : { artifactMediaType: image.artifact_type }),
        ...(image.pulled_at === null ? {} : { lastRecordedPullTime: new Date(image.pulled_at) }),
        ...(image.subject === null ? {} : { subjectManifestDigest: image.subject }),
        imageStatus: image.image_status,
        ...(image.archived_at === null ? {} : { lastArchivedAt: new Date(image.archived_at) }),
        ...(image.activated_at === null ? {} : { lastActivatedAt: new Date(image.activated_at) }),
      };
    });
  }

  return {
    access: onRepository(ecr),
    async handle(input) {
      const { name } = await requireRepository(store.db, settings, input);
      if (input.imageIds) {
        if (input.nextToken !== undefined || input.maxResults !== undefined || input.filter !== undefined)
          throw fault(
            'InvalidParameterException',
            "Invalid parameter: 'filter', 'maxResults' and 'nextToken' cannot be given with 'imageIds'",
          );
        const images = new Map<string, ManifestFacts>();
        for (const id of input.imageIds) {
          const found = await locate(store.db, name, id);
          const image = 'digest' in found ? await findManifestFacts(store.db, name, found.digest) : undefined;
          if (!image) throw imageNotFound(settings.accountId, name, id.imageDigest, id.imageTag);
          images.set(image.digest, image);
        }
        return { imageDetails: await details(name, [...images.values()]) };
      }
      const { after, limit } = readPage(input);
      const { tagStatus, imageStatus } = input.filter ?? {};
      const filter = { ...taggedFilter(tagStatus), ...statusFilter(imageStatus) };
      const page = { after: after[0] ?? '', limit: limit + 1, ...filter };
      const { rows, token } = cutPage(await listManifestFacts(store.db, name, page), limit, (row) => [row.digest]);
      return { imageDetails: await details(name, rows), ...token };
    },
  };
}
