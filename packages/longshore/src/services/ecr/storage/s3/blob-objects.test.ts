import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../../../base/clock.ts';
import { blobStoreContract } from '../contract.testing.ts';
import { blobObjects } from './blob-objects.ts';
import { S3Error, s3Client } from './client.ts';
import { s3Location } from './location.ts';
import { noMoto, startMoto } from './moto.testing.ts';
import { beginMultipart, listMultiparts } from './objects.ts';
import { objectPath, presignedUrl } from './sign.ts';

const MiB = 1024 * 1024;
let moto: Awaited<ReturnType<typeof startMoto>>;
before(async () => {
  if (!noMoto) moto = await startMoto();
});
after(() => moto?.stop());

blobStoreContract(
  'S3',
  async () => ({ store: blobObjects(moto.location(await moto.bucket()), systemClock), close: async () => {} }),
  noMoto,
);

test('a blob above the limit of a whole copy is copied in parts', { skip: noMoto }, async () => {
  const location = moto.location(await moto.bucket());
  const store = blobObjects(location, systemClock, { whole: 10 * MiB, part: 6 * MiB });
  const data = randomBytes(20 * MiB + 3);
  const digest = { algorithm: 'sha256', hex: createHash('sha256').update(data).digest('hex') } as const;
  const id = randomUUID();
  const upload = await store.createUpload(id);
  await upload.write([data], 0);
  await store.commit(id, upload, digest);
  const reader = await store.openBlob(digest);
  const chunks: Buffer[] = [];
  for await (const chunk of reader?.stream(0, data.length - 1) ?? []) chunks.push(chunk as Buffer);
  assert.ok(Buffer.concat(chunks).equals(data));
  const client = s3Client(location, systemClock);
  assert.deepEqual(await listMultiparts(client, location.prefix, ''), [], 'no multipart upload is left');
  await beginMultipart(client, `blobs/sha256/${digest.hex.slice(0, 2)}/${digest.hex}`);
  assert.equal(await store.removeLeftovers?.(Date.now() + 3_600_000), 1, 'a copy that was broken off is swept');
  client.close();
});

test('a presigned URL is what the genuine SDK takes for one', { skip: noMoto }, async () => {
  const location = moto.location(await moto.bucket());
  const client = s3Client(location, systemClock);
  const key = `a b/c+d~é'(1).txt`;
  await client.call('PUT', key, { body: [Buffer.from('hello')] });
  const range = await fetch(presignedUrl(location, `${location.prefix}${key}`, 60, Date.now()), {
    headers: { range: 'bytes=1-3' },
  });
  assert.deepEqual([range.status, await range.text()], [206, 'ell']);
  const sdk = new S3Client({
    endpoint: moto.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'secret' },
  });
  const object = await sdk.send(new GetObjectCommand({ Bucket: location.bucket, Key: `${location.prefix}${key}` }));
  assert.equal(await object.Body?.transformToString(), 'hello');
  sdk.destroy();
  client.close();
});

// S3 API reference, "Authenticating Requests: Using Query Parameters", whose host names the bucket and whose path is the key alone.
test("a presigned URL's signature is that of AWS's own example", () => {
  const location = {
    ...s3Location('s3://test.txt?endpoint=https://examplebucket.s3.amazonaws.com', {
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    }),
  };
  assert.match(
    presignedUrl(location, '', 86_400, Date.UTC(2013, 4, 24)),
    /^https:\/\/examplebucket\.s3\.amazonaws\.com\/test\.txt\?.*X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404$/,
  );
  assert.equal(objectPath(location, 'a b/ü*'), '/test.txt/a%20b/%C3%BC%2A');
});

test('settings are read, and what is wrong with them is said', () => {
  const env = { LONGSHORE_S3_ACCESS_KEY_ID: 'a', LONGSHORE_S3_SECRET_ACCESS_KEY: 'b', AWS_ACCESS_KEY_ID: 'other' };
  const read = s3Location('s3://bucket/deep/prefix/?endpoint=http://minio:9000&region=eu-west-1&redirect=off', env);
  assert.deepEqual(
    [read.bucket, read.prefix, read.endpoint.host, read.region, read.redirect, read.accessKeyId],
    ['bucket', 'deep/prefix/', 'minio:9000', 'eu-west-1', false, 'a'],
  );
  assert.equal(s3Location('s3://bucket', env).endpoint.host, 's3.us-east-1.amazonaws.com');
  for (const wrong of ['bucket', 'http://bucket', 's3://B', 's3://bucket?endpoint=minio', 's3://bucket?colour=red'])
    assert.throws(() => s3Location(wrong, env), /blob store/);
  assert.throws(() => s3Location('s3://bucket', {}), /LONGSHORE_S3_ACCESS_KEY_ID/);
});

test('a bucket that is not there, and a store that does not answer, are named', { skip: noMoto }, async () => {
  const there = moto.location(`s3://missing-bucket?endpoint=${moto.endpoint}`);
  await assert.rejects(blobObjects(there, systemClock).prepare(), /missing-bucket.*NoSuchBucket/);
  const away = moto.location('s3://bucket?endpoint=http://127.0.0.1:1');
  await assert.rejects(blobObjects(away, systemClock).prepare(), /127\.0\.0\.1:1 can't be used .*ECONNREFUSED/);
  await assert.rejects(s3Client(there, systemClock).call('GET', 'x'), S3Error);
});
