import type { ServerResponse } from 'node:http';
import { isDiskFull } from '../../../base/disk-full.ts';
import type { Logger } from '../../../base/log.ts';
import { Fault } from '../../../wire/fault.ts';
import { diskFullMessage } from '../disk-full.ts';
import { UploadFlaw } from '../storage/uploads.ts';

/** Error codes of OCI distribution 1.1 ("Error Codes"), and three that the Docker registry adds and its clients know. */
export type OciCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

/** An answer of the registry that is not a success. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly status: number;
  readonly code: OciCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: OciCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

const byFault: Readonly<Record<string, readonly [number, OciCode]>> = {
  AccessDenied: [403, 'DENIED'],
  AccessDeniedException: [403, 'DENIED'],
  ImageDigestDoesNotMatchException: [400, 'DIGEST_INVALID'],
  ImageNotFoundException: [404, 'MANIFEST_UNKNOWN'],
  ImageTagAlreadyExistsException: [400, 'TAG_INVALID'],
  InvalidParameterException: [400, 'MANIFEST_INVALID'],
  // Not 429: clients would wait and try again, for nothing.
  LimitExceededException: [403, 'DENIED'],
  LayersNotFoundException: [400, 'MANIFEST_BLOB_UNKNOWN'],
  ReferencedImagesNotFoundException: [400, 'MANIFEST_BLOB_UNKNOWN'],
  RepositoryNotFoundException: [404, 'NAME_UNKNOWN'],
};

const byFlaw: Readonly<Record<UploadFlaw['reason'], readonly [number, OciCode]>> = {
  unknown: [404, 'BLOB_UPLOAD_UNKNOWN'],
  'out-of-order': [416, 'BLOB_UPLOAD_INVALID'],
  'wrong-digest': [400, 'DIGEST_INVALID'],
  'wrong-size': [400, 'SIZE_INVALID'],
  busy: [409, 'BLOB_UPLOAD_INVALID'],
};

/** Any error as the registry answers it; undefined for one that is our own fault. */
export function asOciError(error: unknown): OciError | undefined {
  if (error instanceof OciError) return error;
  if (error instanceof UploadFlaw) return new OciError(...byFlaw[error.reason], error.message);
  if (isDiskFull(error)) return new OciError(507, 'UNKNOWN', diskFullMessage);
  if (error instanceof Fault) {
    const [status, code] = byFault[error.code] ?? [error.status ?? 400, 'UNKNOWN' as const];
    return new OciError(status, code, error.message);
  }
  return undefined;
}

/** Answers with an error in OCI's shape; closes the connection where an answer was under way already. */
export function sendError(response: ServerResponse, error: unknown, log: Logger): void {
  const known = asOciError(error);
  if (!known || known.status === 507) log.error({ err: error }, 'the registry could not answer a request');
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, code, message, headers } =
    known ?? new OciError(500, 'UNKNOWN', 'The registry failed to answer; its log says why.');
  for (const name of response.getHeaderNames())
    if (name !== 'docker-distribution-api-version') response.removeHeader(name);
  sendJson(response, status, { errors: [{ code, message, detail: null }] }, headers);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify(document));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
  response.end(body);
}

/** Answers without a body. */
export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...(status === 204 || status === 304 ? {} : { 'content-length': '0' }), ...headers });
  response.end();
}
