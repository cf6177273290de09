import { mediaTypes } from '../rules/manifest.ts';
import { requireDigest } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { OciError, sendJson } from './reply.ts';

/** Tags or referrers on a page where the client names no number; ECR's own most for a page. */
const pageSize = 1000;

function pageLimit(query: URLSearchParams): number {
  const text = query.get('n');
  if (text === null) return pageSize;
  if (!/^\d{1,9}$/.test(text)) throw new OciError(400, 'PAGINATION_NUMBER_INVALID', 'n must be a whole number');
  return Math.min(Number(text), pageSize);
}

function nextLink(path: string, query: Readonly<Record<string, string>>): Record<string, string> {
  return { link: `<${path}?${new URLSearchParams(query)}>; rel="next"` };
}

/** The tags of a repository in order (OCI distribution 1.1, "Listing tags"). */
export async function listTags(exchange: Exchange): Promise<void> {
  const { ecr, response, repository, query } = exchange;
  await exchange.require('ecr:ListImages');
  const limit = pageLimit(query);
  const rows = await ecr.store.db
    .selectFrom('ecr_tag')
    .select('tag')
    .where('repository', '=', repository)
    .where('tag', '>', query.get('last') ?? '')
    .orderBy('tag')
    .limit(limit + 1)
    .execute();
  const tags = rows.slice(0, limit).map((row) => row.tag);
  const last = tags.at(-1);
  const more = rows.length > limit && last !== undefined;
  sendJson(
    response,
    200,
    { name: repository, tags },
    more ? nextLink(`/v2/${repository}/tags/list`, { n: String(limit), last }) : {},
  );
}

/** Manifests whose subject is this digest, whether it is there or not (OCI distribution 1.1, "Listing referrers"). */
export async function listReferrers(exchange: Exchange, path: { readonly digest: string }): Promise<void> {
  const { ecr, response, repository, query } = exchange;
  requireDigest(path.digest);
  await exchange.require('ecr:BatchGetImage');
  const artifactType = query.get('artifactType');
  const limit = Math.max(1, pageLimit(query));
  const rows = await ecr.store.db
    .selectFrom('ecr_referrer')
    .selectAll()
    .where('repository', '=', repository)
    .where('subject', '=', path.digest)
    .where('digest', '>', query.get('last') ?? '')
    .$if(artifactType !== null, (select) => select.where('artifact_type', '=', artifactType))
    .orderBy('digest')
    .limit(limit + 1)
    .execute();
  const page = rows.slice(0, limit);
  const last = page.at(-1)?.digest;
  const filter: Record<string, string> = artifactType === null ? {} : { artifactType };
  sendJson(
    response,
    200,
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: page.map((row) => ({
        mediaType: row.media_type,
        digest: row.digest,
        size: row.size,
        ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
        ...(row.annotations === null ? {} : { annotations: JSON.parse(row.annotations) }),
      })),
    },
    {
      'content-type': mediaTypes.ociIndex,
      ...(artifactType === null ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(rows.length > limit && last !== undefined
        ? nextLink(`/v2/${repository}/referrers/${path.digest}`, { ...filter, n: String(limit), last })
        : {}),
    },
  );
}
