import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../../wire/fault.ts';
import type { HttpRoute } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { isRepositoryName, isUploadId, parseRegistryPath, type RegistryPath } from '../rules/grammar.ts';
import { authenticate, requireAccess, requirePermission } from './access.ts';
import { deleteBlob } from './blobs.ts';
import type { Exchange } from './exchange.ts';
import { listReferrers, listTags } from './lists.ts';
import { deleteManifestOrTag, pushManifest } from './manifests.ts';
import { getBlobThrough, getManifestThrough } from './pull-through.ts';
import { OciError, sendEmpty, sendError, sendJson } from './reply.ts';
import { cancelUpload, finishUpload, startUpload, uploadChunk, uploadStatus } from './uploads.ts';

type Handler = (exchange: Exchange, path: never) => Promise<void>;

const handlers: Readonly<Record<Exclude<RegistryPath['kind'], 'base'>, Readonly<Record<string, Handler>>>> = {
  blob: { GET: getBlobThrough, HEAD: getBlobThrough, DELETE: deleteBlob },
  uploads: { POST: startUpload },
  upload: { GET: uploadStatus, PATCH: uploadChunk, PUT: finishUpload, DELETE: cancelUpload },
  manifest: { GET: getManifestThrough, HEAD: getManifestThrough, PUT: pushManifest, DELETE: deleteManifestOrTag },
  tags: { GET: listTags },
  referrers: { GET: listReferrers },
};

/** The OCI registry (distribution specification 1.1) at `/v2/`, authorised like ECR. */
export function registryRoute(ecr: Ecr): HttpRoute {
  return {
    prefix: '/v2/',
    async handle(request, response) {
      response.setHeader('docker-distribution-api-version', 'registry/2.0');
      try {
        await answer(ecr, request, response);
      } catch (error) {
        sendError(response, error, ecr.log);
      }
    },
  };
}

async function answer(ecr: Ecr, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [pathname = '', search = ''] = (request.url ?? '').split('?', 2);
  const path = parseRegistryPath(pathname);
  const query = new URLSearchParams(search);
  const signed =
    path?.kind === 'blob' && ecr.signer.verifyDownload(path.repository, path.digest, query, ecr.clock.now());
  const caller = signed ? undefined : authenticate(ecr, request);
  if (!path) throw new OciError(404, 'UNSUPPORTED', 'this is no path of the OCI distribution API');
  if (path.kind === 'base') {
    if (request.method === 'HEAD') return sendEmpty(response, 200);
    return sendJson(response, 200, {});
  }
  const { repository } = path;
  if (!isRepositoryName(repository)) throw new OciError(400, 'NAME_INVALID', 'invalid repository name');
  if (path.kind === 'upload' && !isUploadId(path.id))
    throw new OciError(404, 'BLOB_UPLOAD_UNKNOWN', 'this is no id of an upload');
  const handler = handlers[path.kind][request.method ?? ''];
  if (!handler || (signed && request.method === 'DELETE'))
    throw new OciError(405, 'UNSUPPORTED', `${request.method} is not supported here`, {
      allow: Object.keys(handlers[path.kind]).join(', '),
    });
  const require = async (name: string, actions: readonly string[]) => {
    if (caller) return requireAccess(ecr, request, caller, name, actions);
    const row = await ecr.store.db.selectFrom('ecr_repository').selectAll().where('name', '=', name).executeTakeFirst();
    if (!row) throw new OciError(404, 'NAME_UNKNOWN', 'the repository is gone');
    return row;
  };
  await handler(
    {
      ecr,
      request,
      response,
      query,
      repository,
      caller,
      require: (...actions) => require(repository, actions),
      async authorize(action) {
        if (caller) await requirePermission(ecr, request, caller, repository, action);
      },
      async may(name, action) {
        try {
          await require(name, [action]);
          return true;
        } catch (error) {
          if (error instanceof Fault || error instanceof OciError) return false;
          throw error;
        }
      },
    },
    path as never,
  );
}
