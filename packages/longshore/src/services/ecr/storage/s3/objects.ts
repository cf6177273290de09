import { element, elements, type S3Client } from './client.ts';

export interface Part {
  readonly number: number;
  readonly etag: string;
}

/** Server-side copies are for objects up to 5 GiB (S3 API reference, CopyObject); larger ones are copied in parts of 1 GiB. */
export interface CopyLimits {
  readonly whole: number;
  readonly part: number;
}

export const copyLimits: CopyLimits = { whole: 5 * 1024 ** 3, part: 1024 ** 3 };
const copiesAtOnce = 4;

export async function beginMultipart(client: S3Client, key: string): Promise<string> {
  const { text } = await client.call('POST', key, {
    query: { uploads: '' },
    headers: { 'content-type': 'application/octet-stream' },
  });
  const id = element(text, 'UploadId');
  if (!id) throw new Error('the S3 store began a multipart upload without an id');
  return id;
}

export async function uploadPart(
  client: S3Client,
  key: string,
  uploadId: string,
  number: number,
  body: readonly Uint8Array[],
): Promise<Part> {
  const { headers } = await client.call('PUT', key, { query: { partNumber: String(number), uploadId }, body });
  if (!headers.etag) throw new Error('the S3 store took a part without an ETag');
  return { number, etag: headers.etag };
}

export async function completeMultipart(
  client: S3Client,
  key: string,
  uploadId: string,
  parts: readonly Part[],
): Promise<void> {
  const rows = parts.map(({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  const body = Buffer.from(`<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`);
  await client.call('POST', key, { query: { uploadId }, headers: { 'content-type': 'application/xml' }, body: [body] });
}

export async function abortMultipart(client: S3Client, key: string, uploadId: string): Promise<void> {
  await client.call('DELETE', key, { query: { uploadId } }, [404]);
}

/** Copies within the store. `source` is the path of the object, `/BUCKET/KEY`, encoded. */
export async function copyObject(
  client: S3Client,
  source: string,
  target: string,
  size: number,
  limits: CopyLimits,
): Promise<void> {
  if (size <= limits.whole) {
    await client.call('PUT', target, { headers: { 'x-amz-copy-source': source } });
    return;
  }
  const uploadId = await beginMultipart(client, target);
  try {
    const count = Math.ceil(size / limits.part);
    const parts: Part[] = [];
    let next = 1;
    const lane = async () => {
      while (next <= count) {
        const number = next++;
        const range = `bytes=${(number - 1) * limits.part}-${Math.min(size, number * limits.part) - 1}`;
        const { text } = await client.call('PUT', target, {
          query: { partNumber: String(number), uploadId },
          headers: { 'x-amz-copy-source': source, 'x-amz-copy-source-range': range },
        });
        parts.push({ number, etag: element(text, 'ETag') ?? '' });
      }
    };
    await Promise.all(Array.from({ length: Math.min(copiesAtOnce, count) }, lane));
    await completeMultipart(
      client,
      target,
      uploadId,
      parts.sort((one, other) => one.number - other.number),
    );
  } catch (error) {
    await abortMultipart(client, target, uploadId).catch(() => {});
    throw error;
  }
}

export interface ListedObject {
  /** Without the location's prefix. */
  readonly key: string;
  readonly size: number;
  readonly changedAt: number;
}

/** Objects whose key starts with `under`, a page at a time. */
export async function* listObjects(client: S3Client, prefix: string, under: string): AsyncGenerator<ListedObject[]> {
  let token: string | undefined;
  do {
    const query: Record<string, string> = { 'list-type': '2', prefix: `${prefix}${under}` };
    if (token !== undefined) query['continuation-token'] = token;
    const { text } = await client.call('GET', '', { query });
    yield elements(text, 'Contents').map((xml) => ({
      key: (element(xml, 'Key') ?? '').slice(prefix.length),
      size: Number(element(xml, 'Size')),
      changedAt: Date.parse(element(xml, 'LastModified') ?? ''),
    }));
    token = element(text, 'IsTruncated') === 'true' ? element(text, 'NextContinuationToken') : undefined;
  } while (token !== undefined);
}

/** Multipart uploads under way whose key starts with `under`. */
export async function listMultiparts(
  client: S3Client,
  prefix: string,
  under: string,
): Promise<{ readonly key: string; readonly uploadId: string; readonly startedAt: number }[]> {
  const found = [];
  let markers: Record<string, string> | undefined = {};
  while (markers) {
    const { text } = await client.call('GET', '', { query: { uploads: '', prefix: `${prefix}${under}`, ...markers } });
    for (const xml of elements(text, 'Upload')) {
      const key = element(xml, 'Key') ?? '';
      if (key.startsWith(`${prefix}${under}`))
        found.push({
          key: key.slice(prefix.length),
          uploadId: element(xml, 'UploadId') ?? '',
          startedAt: Date.parse(element(xml, 'Initiated') ?? ''),
        });
    }
    const next = element(text, 'NextKeyMarker');
    markers =
      element(text, 'IsTruncated') === 'true' && next !== undefined
        ? { 'key-marker': next, 'upload-id-marker': element(text, 'NextUploadIdMarker') ?? '' }
        : undefined;
  }
  return found;
}
