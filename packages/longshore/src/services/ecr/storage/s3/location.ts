/** Where an S3-compatible store is and how to sign for it. */
export interface S3Location {
  /** Without a path, e.g. `https://s3.eu-central-1.amazonaws.com` or `http://minio:9000`. */
  readonly endpoint: URL;
  readonly bucket: string;
  /** What every key starts with: empty, or ending in `/`. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Whether downloads are sent to the store by a signed URL, or pass through us. */
  readonly redirect: boolean;
}

/**
 * Reads `s3://BUCKET/PREFIX?endpoint=URL&region=REGION&redirect=off`. Credentials come from the environment:
 * `LONGSHORE_S3_ACCESS_KEY_ID`, `LONGSHORE_S3_SECRET_ACCESS_KEY` (and `…_SESSION_TOKEN`), else AWS's own names. Throws an Error in
 * plain words.
 */
export function s3Location(text: string, env: Readonly<Record<string, string | undefined>>): S3Location {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 's3:' || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname))
    throw new Error(`the blob store must be s3://BUCKET/PREFIX?endpoint=URL, not ${text}`);
  const known = ['endpoint', 'region', 'redirect'];
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) throw new Error(`the blob store knows no ${name}: only ${known.join(', ')}`);
  const region = url.searchParams.get('region') ?? 'us-east-1';
  const endpoint = url.searchParams.get('endpoint') ?? `https://s3.${region}.amazonaws.com`;
  if (!/^https?:\/\/[^/]+\/?$/.test(endpoint)) throw new Error(`the blob store's endpoint is no URL: ${endpoint}`);
  const credential = (name: string) => env[`LONGSHORE_S3_${name}`] ?? env[`AWS_${name}`];
  const accessKeyId = credential('ACCESS_KEY_ID');
  const secretAccessKey = credential('SECRET_ACCESS_KEY');
  if (!accessKeyId || !secretAccessKey)
    throw new Error('the blob store needs LONGSHORE_S3_ACCESS_KEY_ID and LONGSHORE_S3_SECRET_ACCESS_KEY');
  const sessionToken = credential('SESSION_TOKEN');
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  return {
    endpoint: new URL(endpoint),
    bucket: url.hostname,
    prefix: path === '' ? '' : `${decodeURIComponent(path)}/`,
    region,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken ? { sessionToken } : {}),
    redirect: url.searchParams.get('redirect') !== 'off',
  };
}
