import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from './fault.ts';

/** A request as it is signed (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). */
export interface SignedRequest {
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** As sent (compressed where it was); undefined for a WebSocket upgrade. */
  readonly body: Uint8Array | undefined;
}

/** What a request says of its signer, before anything is checked. */
export interface Signature {
  readonly accessKeyId: string;
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** Lower-case hexadecimal. */
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string;
  readonly sessionToken: string | undefined;
  readonly presigned: boolean;
  /** Seconds that a presigned URL is good for. */
  readonly expires: number | undefined;
}

const algorithm = 'AWS4-HMAC-SHA256';
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const maxExpires = 7 * 24 * 3600;
/** How far the signer's clock may be off. */
const skewMilliseconds = 5 * 60_000;

/** The request's signature, undefined where it carries none. Throws Fault IncompleteSignatureException where it is not whole. */
export function readSignature(request: SignedRequest): Signature | undefined {
  const { authorization } = request.headers;
  if (authorization?.startsWith('AWS4-')) return fromHeader(authorization, request.headers);
  if (request.query.includes('X-Amz-Algorithm=')) return fromQuery(new URLSearchParams(request.query));
  return undefined;
}

function fromHeader(authorization: string, headers: IncomingHttpHeaders): Signature {
  const space = authorization.indexOf(' ');
  if (authorization.slice(0, space < 0 ? undefined : space) !== algorithm)
    throw incomplete(`Unsupported algorithm in Authorization=${shown(authorization)}`);
  const parts = new Map<string, string>();
  for (const part of authorization.slice(space + 1).split(',')) {
    const equals = part.indexOf('=');
    if (equals < 0)
      throw incomplete(
        `'${part.trim().slice(0, 128)}' not a valid key=value pair (missing equal-sign) in Authorization header: '${shown(authorization)}'.`,
      );
    parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const timestamp = single(headers['x-amz-date']) ?? httpDate(headers.date);
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !parts.get(name))
    .map((name) => `Authorization header requires '${name}' parameter.`);
  if (!timestamp) missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  if (missing.length > 0) throw incomplete(`${missing.join(' ')} Authorization=${shown(authorization)}`);
  return {
    ...scope(parts.get('Credential')!),
    signedHeaders: parts.get('SignedHeaders')!.toLowerCase().split(';'),
    signature: parts.get('Signature')!,
    timestamp: checkedTimestamp(timestamp!),
    sessionToken: single(headers['x-amz-security-token']),
    presigned: false,
    expires: undefined,
  };
}

function fromQuery(query: URLSearchParams): Signature {
  const get = (name: string) => query.get(name) ?? undefined;
  if (get('X-Amz-Algorithm') !== algorithm)
    throw incomplete(`AWS Query-string parameter X-Amz-Algorithm must be ${algorithm}.`);
  const missing = ['X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Date'].filter(
    (name) => !get(name),
  );
  if (missing.length > 0)
    throw incomplete(missing.map((name) => `AWS query-string parameters must include '${name}'.`).join(' '));
  const expires = get('X-Amz-Expires') === undefined ? undefined : Number(get('X-Amz-Expires'));
  if (expires !== undefined && !(Number.isInteger(expires) && expires >= 0 && expires <= maxExpires)) {
    throw incomplete(`X-Amz-Expires must be a number of seconds from 0 to ${maxExpires}`);
  }
  return {
    ...scope(get('X-Amz-Credential')!),
    signedHeaders: get('X-Amz-SignedHeaders')!.toLowerCase().split(';'),
    signature: get('X-Amz-Signature')!,
    timestamp: checkedTimestamp(get('X-Amz-Date')!),
    sessionToken: get('X-Amz-Security-Token'),
    presigned: true,
    expires,
  };
}

function scope(credential: string): { accessKeyId: string; date: string; region: string; service: string } {
  const parts = credential.split('/');
  const [date, region, service, terminal] = parts.slice(-4);
  const accessKeyId = parts.slice(0, -4).join('/');
  if (!accessKeyId || !region || !service) {
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential.slice(0, 128)}'`,
    );
  }
  if (terminal !== 'aws4_request')
    throw invalid(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${shown(terminal ?? '')}'.`,
    );
  return { accessKeyId, date: date!, region, service };
}

function checkedTimestamp(timestamp: string): string {
  if (!/^\d{8}T\d{6}Z$/.test(timestamp))
    throw incomplete(
      `Date must be in ISO-8601 'basic format'. Got '${shown(timestamp)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  return timestamp;
}

/**
 * Checks a signature against its secret, and its date against `now` (milliseconds since the epoch).
 * Throws Fault InvalidSignatureException, RequestExpired, IncompleteSignatureException.
 */
export function verifySignature(
  request: SignedRequest,
  signature: Signature,
  secret: string,
  keys: SigningKeys,
  now: number,
): void {
  checkDate(signature, now);
  if (signature.date !== signature.timestamp.slice(0, 8)) {
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${signature.date}' != '${signature.timestamp.slice(0, 8)}', from '${signature.timestamp}'.`,
    );
  }
  checkSignedHeaders(request, signature);
  const payload = payloadHash(request, signature);
  const canonical = canonicalRequest(request, signature, payload);
  const scopeText = `${signature.date}/${signature.region}/${signature.service}/aws4_request`;
  const toSign = `${algorithm}\n${signature.timestamp}\n${scopeText}\n${hash('sha256', canonical, 'hex')}`;
  const expected = createHmac('sha256', keys.key(secret, signature)).update(toSign).digest();
  const given = /^[0-9a-f]{64}$/.test(signature.signature) ? Buffer.from(signature.signature, 'hex') : Buffer.alloc(32);
  if (!timingSafeEqual(expected, given)) {
    throw invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

/** Keys derived from secrets, kept for as long as they are used: four HMACs saved on every request. */
export class SigningKeys {
  private readonly keys = new Map<string, KeyObject>();
  private readonly limit: number;

  constructor(limit = 1000) {
    this.limit = limit;
  }

  key(secret: string, { date, region, service }: Pick<Signature, 'date' | 'region' | 'service'>): KeyObject {
    const name = `${secret}\n${date}\n${region}\n${service}`;
    const known = this.keys.get(name);
    if (known) return known;
    let bytes: Buffer = Buffer.from(`AWS4${secret}`);
    for (const part of [date, region, service, 'aws4_request'])
      bytes = createHmac('sha256', bytes).update(part).digest();
    const key = createSecretKey(bytes);
    if (this.keys.size >= this.limit) this.keys.delete(this.keys.keys().next().value!);
    this.keys.set(name, key);
    return key;
  }
}

function checkDate({ timestamp, presigned, expires }: Signature, now: number): void {
  const signed = parseBasic(timestamp);
  const earliest = now - skewMilliseconds;
  if (presigned && expires !== undefined) {
    if (signed + expires * 1000 < now) {
      throw new Fault(
        'RequestExpired',
        `Signature expired: ${timestamp} is now earlier than ${basic(now - expires * 1000)} (${basic(now)} - ${expires} sec.)`,
      );
    }
  } else if (signed < earliest) {
    throw new Fault(
      'RequestExpired',
      `Signature expired: ${timestamp} is now earlier than ${basic(earliest)} (${basic(now)} - 5 min.)`,
    );
  }
  if (signed > now + skewMilliseconds) {
    throw new Fault(
      'RequestExpired',
      `Signature not yet current: ${timestamp} is still later than ${basic(now + skewMilliseconds)} (${basic(now)} + 5 min.)`,
    );
  }
}

/** What was not signed could have been changed on the way: `Host` and every `X-Amz-` header must be signed. */
function checkSignedHeaders({ headers }: SignedRequest, { signedHeaders }: Signature): void {
  const unsigned = [
    'host',
    ...Object.keys(headers).filter((name) => name.startsWith('x-amz-') && name !== 'x-amz-content-sha256'),
  ].find((name) => !signedHeaders.includes(name) && !(name === 'host' && signedHeaders.includes(':authority')));
  if (unsigned)
    throw invalid(
      `'${unsigned === 'host' ? 'Host' : unsigned}' ${unsigned === 'host' ? "or ':authority' " : ''}must be a 'SignedHeader' in the AWS Authorization.`,
    );
}

function payloadHash({ headers, body }: SignedRequest, signature: Signature): string {
  const stated = single(headers['x-amz-content-sha256']);
  if (stated === 'UNSIGNED-PAYLOAD' || stated?.startsWith('STREAMING-')) return stated;
  if (signature.presigned && signature.service === 's3') return 'UNSIGNED-PAYLOAD';
  const actual = body && body.length > 0 ? hash('sha256', body, 'hex') : emptyHash;
  if (stated !== undefined && stated !== actual) {
    throw new Fault(
      signature.service === 's3' ? 'XAmzContentSHA256Mismatch' : 'InvalidSignatureException',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  return actual;
}

function canonicalRequest(
  { method, path, query, headers }: SignedRequest,
  signature: Signature,
  payload: string,
): string {
  let lines = '';
  for (const name of signature.signedHeaders) {
    const value = headers[name];
    lines += `${name}:${(Array.isArray(value) ? value.join(',') : (value ?? '')).trim().replace(/\s+/g, ' ')}\n`;
  }
  const uri = signature.service === 's3' ? encodePath(path, false) : encodePath(normalise(path), true);
  return `${method}\n${uri}\n${canonicalQuery(query, signature.presigned)}\n${lines}\n${signature.signedHeaders.join(';')}\n${payload}`;
}

/** RFC 3986, section 5.2.4, with doubled slashes made one: every service but S3 signs such a path. */
function normalise(path: string): string {
  if (path === '/' || !/\/[./]/.test(path)) return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function encodePath(path: string, twice: boolean): string {
  if (path === '/') return path;
  return path
    .split('/')
    .map((segment) => encode(twice ? segment : decode(segment)))
    .join('/');
}

function canonicalQuery(query: string, presigned: boolean): string {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode((equals < 0 ? part : part.slice(0, equals)).replaceAll('+', '%20'));
    if (presigned && name === 'X-Amz-Signature') continue;
    pairs.push([encode(name), encode(decode((equals < 0 ? '' : part.slice(equals + 1)).replaceAll('+', '%20')))]);
  }
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('The request URI is not valid percent-encoding.');
  }
}

function parseBasic(timestamp: string): number {
  return Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function basic(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function httpDate(date: string | undefined): string | undefined {
  if (date === undefined) return undefined;
  const moment = Date.parse(date);
  return Number.isNaN(moment) ? date : basic(moment);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function shown(text: string): string {
  return text.slice(0, 256).replace(/Signature=\S+/, 'Signature=…');
}

function incomplete(message: string): Fault {
  return new Fault('IncompleteSignatureException', message);
}

function invalid(message: string): Fault {
  return new Fault('InvalidSignatureException', message);
}
