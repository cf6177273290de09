import { createHash, createHmac } from 'node:crypto';

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  /** Headers to send and to sign, lower-case names; `host`, `x-amz-date` and the token's are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * The request's headers with AWS Signature Version 4's added
 * (AWS, "Create a signed AWS API request": canonical request, string to sign, signing key, Authorization header).
 * The URL's path must be normalised already; it is encoded twice, as for every service but S3.
 */
export function sign(
  request: SignableRequest,
  credentials: SigningCredentials,
  scope: { readonly service: string; readonly region: string; readonly now: number },
): Record<string, string> {
  const stamp = new Date(scope.now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = { ...request.headers, host: request.url.host, 'x-amz-date': stamp };
  if (credentials.sessionToken) headers['x-amz-security-token'] = credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const canonicalRequest = [
    request.method,
    request.url.pathname.split('/').map(encode).join('/'),
    canonicalQuery(request.url.searchParams),
    ...names.map((name) => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(request.body ?? ''),
  ].join('\n');
  const credentialScope = `${stamp.slice(0, 8)}/${scope.region}/${scope.service}/aws4_request`;
  const stringToSign = ['AWS4-HMAC-SHA256', stamp, credentialScope, sha256(canonicalRequest)].join('\n');
  const key = credentialScope
    .split('/')
    .reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${credentials.secretAccessKey}`);
  const signature = hmac(key, stringToSign).toString('hex');
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return headers;
}

/** RFC 3986 encoding: everything but unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function canonicalQuery(parameters: URLSearchParams): string {
  return [...parameters]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
