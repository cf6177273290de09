import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Digest } from '../rules/grammar.ts';
import type { BlobStore } from './blob-store.ts';

const MiB = 1024 * 1024;

/** What every blob store must do. `open` makes an empty one. */
export function blobStoreContract(
  name: string,
  open: () => Promise<{ readonly store: BlobStore; close(): Promise<void> }>,
  skip: string | false = false,
): void {
  const check = (title: string, run: (store: BlobStore) => Promise<void>) =>
    test(`${name}: ${title}`, { skip, timeout: 60_000 }, async () => {
      const { store, close } = await open();
      try {
        await store.prepare();
        await run(store);
      } finally {
        await close();
      }
    });
  const digestOf = (data: Uint8Array): Digest => ({
    algorithm: 'sha256',
    hex: createHash('sha256').update(data).digest('hex'),
  });
  const put = async (store: BlobStore, data: Buffer, id = randomUUID()) => {
    const upload = await store.createUpload(id);
    for (let at = 0; at < data.length; at += MiB) await upload.write([data.subarray(at, at + MiB)], at);
    await store.commit(id, upload, digestOf(data));
    await upload.close();
    return digestOf(data);
  };
  const read = async (store: BlobStore, digest: Digest, start: number, end: number) => {
    const reader = await store.openBlob(digest);
    assert.ok(reader);
    const chunks: Buffer[] = [];
    for await (const chunk of reader.stream(start, end)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const collect = async (parts: AsyncIterable<Uint8Array>) => {
    const chunks: Buffer[] = [];
    for await (const part of parts) chunks.push(Buffer.from(part));
    return Buffer.concat(chunks);
  };
  const listed = async (store: BlobStore) => {
    const found = [];
    for await (const batch of store.listBlobs()) found.push(...batch);
    return found;
  };

  for (const size of [0, 1, 8 * MiB, 21 * MiB + 5])
    check(`a blob of ${size} bytes is stored, read whole and in ranges, listed and removed`, async (store) => {
      const data = randomBytes(size);
      const digest = await put(store, data);
      const reader = await store.openBlob(digest);
      assert.equal(reader?.size, size);
      await reader?.close();
      if (size > 0) assert.ok((await read(store, digest, 0, size - 1)).equals(data));
      if (size > 10) {
        assert.ok((await read(store, digest, 3, 9)).equals(data.subarray(3, 10)));
        assert.ok((await read(store, digest, size - 5, size - 1)).equals(data.subarray(size - 5)));
      }
      const [found, ...others] = await listed(store);
      assert.deepEqual([found?.digest, found?.size, others.length], [`sha256:${digest.hex}`, size, 0]);
      assert.ok(Math.abs((found?.changedAt ?? 0) - Date.now()) < 60_000);
      assert.deepEqual(await store.listUploads(), [], 'nothing of the upload is left');
      await put(store, data);
      assert.equal((await listed(store)).length, 1, 'the same blob again is the same');
      await store.removeBlob(digest);
      await store.removeBlob(digest);
      assert.equal(await store.openBlob(digest), undefined);
      assert.deepEqual(await listed(store), []);
    });

  check('an upload goes on where it was closed, and can be read again', async (store) => {
    const data = randomBytes(19 * MiB + 11);
    const id = randomUUID();
    await (await store.createUpload(id)).close();
    for (const [start, end] of [
      [0, 5 * MiB],
      [5 * MiB, 17 * MiB + 1],
      [17 * MiB + 1, data.length],
    ] as const) {
      const upload = await store.openUpload(id);
      assert.ok(upload);
      assert.equal(await upload.size(), start);
      await upload.write([data.subarray(start, end)], start);
      assert.equal(await upload.size(), end);
      await upload.close();
      assert.deepEqual(
        (await store.listUploads()).map((each) => each.id),
        [id],
      );
    }
    const upload = await store.openUpload(id);
    assert.ok(upload);
    assert.ok((await collect(upload.contents(data.length))).equals(data));
    await store.commit(id, upload, digestOf(data));
    await upload.close();
    assert.ok((await read(store, digestOf(data), 0, data.length - 1)).equals(data));
    assert.equal(await store.openUpload(id), undefined);
  });

  check('what a failed write left is cut off', async (store) => {
    const data = randomBytes(30 * MiB);
    const id = randomUUID();
    const first = await store.createUpload(id);
    await first.write([data.subarray(0, 9 * MiB)], 0);
    await first.close();
    const second = await store.openUpload(id);
    await second?.write([randomBytes(14 * MiB)], 9 * MiB);
    await second?.truncate(9 * MiB);
    assert.equal(await second?.size(), 9 * MiB);
    await second?.write([data.subarray(9 * MiB)], 9 * MiB);
    assert.ok(second);
    await store.commit(id, second, digestOf(data));
    await second.close();
    assert.ok((await read(store, digestOf(data), 0, data.length - 1)).equals(data));
  });

  check('uploads that were given up are listed and removed', async (store) => {
    const ids = [randomUUID(), randomUUID()] as const;
    for (const id of ids) {
      const upload = await store.createUpload(id);
      await upload.write([randomBytes(9 * MiB)], 0);
      await upload.close();
    }
    assert.deepEqual(new Set((await store.listUploads()).map((each) => each.id)), new Set(ids));
    await store.removeUpload(ids[0]);
    await store.removeUpload(ids[0]);
    assert.deepEqual(
      (await store.listUploads()).map((each) => each.id),
      [ids[1]],
    );
    assert.equal(await store.openUpload(ids[0]), undefined);
  });

  check('an id or digest can not leave its place', async (store) => {
    await assert.rejects(async () => store.createUpload('../../etc/passwd'), /not an upload id/);
    await assert.rejects(async () => store.removeUpload('..'), /not an upload id/);
  });
}
