import { createHash, createHmac } from 'node:crypto';

/**
 * Headers of a POST to `/` of ECR's API, signed (AWS, "Create a signed AWS API request": Signature Version 4). `now` in
 * milliseconds since the epoch.
 */
export function signPost(
  request: { readonly host: string; readonly headers: Readonly<Record<string, string>>; readonly body: string },
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
  region: string,
  now: number,
): Record<string, string> {
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = { ...request.headers, host: request.host, 'x-amz-date': stamp };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}`);
  const canonical = ['POST', '/', '', ...lines, '', names.join(';'), sha256(request.body)].join('\n');
  const scope = `${stamp.slice(0, 8)}/${region}/ecr/aws4_request`;
  const key = scope
    .split('/')
    .reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${credentials.secretAccessKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n')).toString('hex');
  const credential = `Credential=${credentials.accessKeyId}/${scope}`;
  headers.authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return headers;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
