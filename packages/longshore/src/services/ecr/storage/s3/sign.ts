import { createHash, createHmac } from 'node:crypto';
import type { S3Location } from './location.ts';

/** The body is not hashed for the signature: the registry hashes all content by itself. */
const unsigned = 'UNSIGNED-PAYLOAD';

/** RFC 3986, as Signature Version 4 wants it: everything but unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `/BUCKET/KEY`: the path style, which every S3-compatible store has. */
export function objectPath({ bucket }: S3Location, key: string): string {
  return `/${bucket}${key === '' ? '' : `/${key.split('/').map(encode).join('/')}`}`;
}

export function queryText(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}

/**
 * The headers of a request with its Authorization (AWS General Reference, "Signature Version 4"; S3 signs the path encoded once).
 * `now` in milliseconds since the epoch.
 */
export function signedHeaders(
  location: S3Location,
  request: { method: string; path: string; query: string; headers: Readonly<Record<string, string>> },
  now: number,
): Record<string, string> {
  const { time, scope } = stamp(location, now);
  const headers: Record<string, string> = {
    ...request.headers,
    host: location.endpoint.host,
    'x-amz-content-sha256': unsigned,
    'x-amz-date': time,
    ...(location.sessionToken ? { 'x-amz-security-token': location.sessionToken } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    '',
    names.join(';'),
    unsigned,
  ].join('\n');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${location.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature(location, time, scope, canonical)}`,
  };
}

/** A URL at which anyone may GET an object for `seconds` (S3 API reference, "Authenticating Requests: Using Query Parameters"). */
export function presignedUrl(location: S3Location, key: string, seconds: number, now: number): string {
  const { time, scope } = stamp(location, now);
  const path = objectPath(location, key);
  const query = queryText({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${location.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
    ...(location.sessionToken ? { 'X-Amz-Security-Token': location.sessionToken } : {}),
  });
  const canonical = ['GET', path, query, `host:${location.endpoint.host}`, '', 'host', unsigned].join('\n');
  return `${location.endpoint.origin}${path}?${query}&X-Amz-Signature=${signature(location, time, scope, canonical)}`;
}

function stamp({ region }: S3Location, now: number): { time: string; scope: string } {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  return { time, scope: `${time.slice(0, 8)}/${region}/s3/aws4_request` };
}

function signature(location: S3Location, time: string, scope: string, canonical: string): string {
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const day = hmac(`AWS4${location.secretAccessKey}`, time.slice(0, 8));
  const key = hmac(hmac(hmac(day, location.region), 's3'), 'aws4_request');
  return createHmac('sha256', key).update(text).digest('hex');
}
