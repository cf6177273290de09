import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { openRig, pushBlob, putManifestText, type Rig, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';
import { blobFiles } from './blob-files.ts';
import { garbageCollector } from './garbage.ts';
import { type GarbagePeriods, garbagePeriods } from './leases.ts';

const hour = 3_600_000;

/** A rig whose time a test moves on, with a collector on its storage. */
async function open(periods: GarbagePeriods = garbagePeriods) {
  let ahead = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
  const rig = await openRig({ clock, auth: 'off', neighbours: { garbagePeriods: periods } });
  const files = blobFiles(join(rig.dataDir, 'registry'));
  const garbage = garbageCollector({ store: rig.store, files, clock, log: silentLogger, periods });
  await rig.call('CreateRepository', { repositoryName: 'app' });
  return {
    rig,
    garbage,
    now: () => clock.now(),
    pass(milliseconds: number) {
      ahead += milliseconds;
    },
  };
}

function imageOf(config: string, configSize: number, layers: readonly (readonly [string, number])[], more = {}) {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: configSize },
    layers: layers.map(([digest, size]) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size })),
    ...more,
  });
}

function filesOf(rig: Rig): string[] {
  const root = join(rig.dataDir, 'registry/blobs');
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

test('what nothing needs goes after its lease and the wait; what is needed stays for ever', async (t) => {
  const { rig, garbage, pass } = await open();
  t.after(() => rig.close());
  const config = await pushBlob(rig, 'app', '{}');
  const layer = randomBytes(1000);
  const needed = await pushBlob(rig, 'app', layer);
  const loose = await pushBlob(rig, 'app', randomBytes(1000));
  const text = imageOf(config, 2, [[needed, 1000]]);
  assert.equal((await putManifestText(rig, 'app', sha256(text), text)).status, 201);
  const status = async (digest: string) => (await rig.send('HEAD', `/v2/app/blobs/${digest}`)).status;

  pass(23 * hour);
  assert.deepEqual(await garbage.collect(), { released: 0, condemned: 0, removed: 0, bytes: 0, orphans: 0 });
  pass(2 * hour);
  const first = await garbage.collect();
  assert.deepEqual([first.released, first.condemned, first.removed], [1, 1, 0]);
  assert.equal(filesOf(rig).length, 3, 'a condemned blob waits');
  assert.equal(await status(loose), 404);
  pass(2 * hour);
  assert.deepEqual(await garbage.collect(), { released: 0, condemned: 0, removed: 1, bytes: 1000, orphans: 0 });
  assert.equal(filesOf(rig).length, 2);
  pass(1000 * hour);
  await garbage.collect();
  await garbage.collect();
  assert.ok(
    (await rig.send('GET', `/v2/app/blobs/${needed}`)).body.equals(layer),
    'a manifest without a tag is a root too',
  );
  assert.equal((await rig.send('DELETE', `/v2/app/manifests/${sha256(text)}`)).status, 202);
  await garbage.collect();
  pass(2 * hour);
  await garbage.collect();
  assert.deepEqual(filesOf(rig), []);
  assert.equal(await status(needed), 404);
});

test('asking for a blob, mounting it and pushing it again each renew what a push counts on', async (t) => {
  const { rig, garbage, pass } = await open();
  t.after(() => rig.close());
  await rig.call('CreateRepository', { repositoryName: 'other' });
  const data = [randomBytes(10), randomBytes(20), randomBytes(30), randomBytes(40)] as const;
  const [asked, batch, again, source] = await Promise.all(data.map((each) => pushBlob(rig, 'app', each)));
  pass(20 * hour);
  assert.equal((await rig.send('HEAD', `/v2/app/blobs/${asked}`)).status, 200);
  await rig.call('BatchCheckLayerAvailability', { repositoryName: 'app', layerDigests: [batch] });
  await pushBlob(rig, 'app', data[2]);
  assert.equal((await rig.send('POST', `/v2/other/blobs/uploads/?mount=${source}&from=app`)).status, 201);
  for (let round = 0; round < 3; round += 1) {
    pass(6 * hour);
    await garbage.collect();
  }
  for (const digest of [asked, batch, again])
    assert.equal((await rig.send('GET', `/v2/app/blobs/${digest}`)).status, 200);
  assert.equal((await rig.send('GET', `/v2/app/blobs/${source}`)).status, 404, 'nobody renewed it here');
  assert.equal((await rig.send('GET', `/v2/other/blobs/${source}`)).status, 200, 'but there');
});

test('children of an index, subjects and referrers keep their blobs', async (t) => {
  const { rig, garbage, pass } = await open();
  t.after(() => rig.close());
  const config = await pushBlob(rig, 'app', '{}');
  const put = async (text: string, type?: string) => {
    assert.equal((await putManifestText(rig, 'app', sha256(text), text, type)).status, 201);
    return { digest: sha256(text), size: text.length };
  };
  const image = async (more = {}) => {
    const layer = randomBytes(100);
    const digest = await pushBlob(rig, 'app', layer);
    return { layer: digest, ...(await put(imageOf(config, 2, [[digest, 100]], more))) };
  };
  const child = await image();
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ mediaType: mediaTypes.ociManifest, digest: child.digest, size: child.size }],
  });
  await put(index, mediaTypes.ociIndex);
  const subject = await image();
  const referrer = await image({
    subject: { mediaType: mediaTypes.ociManifest, digest: subject.digest, size: subject.size },
  });
  pass(100 * hour);
  await garbage.collect({ orphans: true });
  pass(100 * hour);
  await garbage.collect({ orphans: true });
  for (const { layer, digest } of [child, subject, referrer]) {
    assert.equal((await rig.send('GET', `/v2/app/blobs/${layer}`)).status, 200);
    assert.equal((await rig.send('GET', `/v2/app/manifests/${digest}`)).status, 200);
  }
});

test('a file that no row names is swept, unless it is pushed meanwhile', async (t) => {
  const { rig, garbage, pass } = await open();
  t.after(() => rig.close());
  const contents = [randomBytes(50), randomBytes(60)] as const;
  for (const content of contents) {
    const hex = sha256(content).slice(7);
    await mkdir(join(rig.dataDir, 'registry/blobs/sha256', hex.slice(0, 2)), { recursive: true });
    writeFileSync(join(rig.dataDir, 'registry/blobs/sha256', hex.slice(0, 2), hex), content);
  }
  assert.equal((await garbage.collect({ orphans: true })).orphans, 0, 'one that just came may be a push under way');
  pass(2 * hour);
  assert.equal((await garbage.collect({ orphans: true })).orphans, 2);
  const kept = await pushBlob(rig, 'app', contents[0]);
  pass(2 * hour);
  assert.equal((await garbage.collect({ orphans: true })).removed, 1);
  assert.deepEqual(filesOf(rig), [kept.slice(7)]);
});

test('a removal that a crash left half-done is ended at the next start, and a push of that blob waits for it', async (t) => {
  const { rig, garbage, now } = await open();
  t.after(() => rig.close());
  const content = randomBytes(70);
  const digest = await pushBlob(rig, 'app', content);
  await rig.store.transaction(async (tx) => {
    await tx.db.deleteFrom('ecr_repository_blob').execute();
    await tx.db.updateTable('ecr_blob').set({ condemned_at: now(), removing_at: now() }).execute();
  });
  const pushing = pushBlob(rig, 'app', content);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal((await rig.send('HEAD', `/v2/app/blobs/${digest}`)).status, 404, 'not before the removal is through');
  await garbage.finishRemovals();
  assert.equal(await pushing, digest);
  assert.ok((await rig.send('GET', `/v2/app/blobs/${digest}`)).body.equals(content));
});

/**
 * Time runs as fast as pushes let it: never does one take longer than a third of the grace, nor of what a lease has left at least.
 * So days pass beside the pushes, and whatever a client was told is there must be there when its manifest comes.
 */
test('clean-up beside pushes, mounts and deletes breaks no push', { timeout: 60_000 }, async (t) => {
  const { rig, garbage, now, pass } = await open({ leaseMilliseconds: 2 * hour, graceMilliseconds: hour });
  t.after(() => rig.close());
  const seconds = Number(process.env.LONGSHORE_GC_SECONDS ?? 6);
  const end = Date.now() + seconds * 1000;
  const repositories = ['app', 'blue', 'green'];
  for (const name of repositories.slice(1)) await rig.call('CreateRepository', { repositoryName: name });
  const variety = 60;
  const contents = Array.from({ length: variety }, (_, index) => randomBytes(200 + index * 200));
  const digests = contents.map((content) => sha256(content));
  const pick = (below: number) => Math.floor(Math.random() * below);
  const begun = new Map<symbol, number>();
  const counts = { pushes: 0, uploads: 0, hits: 0, mounts: 0, deletes: 0, rounds: 0, removed: 0, pulls: 0 };
  /** Images that must be whole: `repository@digest` → its blobs. */
  const living = new Map<string, { repository: string; digest: string; layers: readonly number[] }>();

  /** As Docker does: ask, mount or upload what is missing, then the manifest. */
  const push = async (mine: symbol) => {
    const repository = repositories[pick(3)] as string;
    const layers = [...new Set([pick(variety), pick(variety), pick(variety)])];
    begun.set(mine, now());
    for (const layer of layers) {
      const digest = digests[layer] as string;
      const head = await rig.send('HEAD', `/v2/${repository}/blobs/${digest}`);
      if (head.status === 200) {
        counts.hits += 1;
        continue;
      }
      assert.equal(head.status, 404);
      const from = repositories[pick(3)];
      if (pick(3) === 0) {
        const mount = await rig.send('POST', `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`);
        assert.ok(mount.status === 201 || mount.status === 202, `a mount answered ${mount.status}`);
        if (mount.status === 201) {
          counts.mounts += 1;
          continue;
        }
        const put = await rig.send('PUT', `${mount.headers.location}?digest=${digest}`, {}, contents[layer]);
        assert.equal(put.status, 201, put.body.toString());
      } else await pushBlob(rig, repository, contents[layer] as Buffer);
      counts.uploads += 1;
    }
    const [config = 0] = layers;
    const text = imageOf(
      digests[config] as string,
      (contents[config] as Buffer).length,
      layers.map((layer) => [digests[layer] as string, (contents[layer] as Buffer).length]),
      { annotations: { at: String(Math.random()) } },
    );
    const reference = pick(2) === 0 ? sha256(text) : `t${pick(5)}`;
    const put = await putManifestText(rig, repository, reference, text);
    assert.equal(put.status, 201, `a push broke: ${put.status} ${put.body}`);
    begun.delete(mine);
    counts.pushes += 1;
    living.set(`${repository}@${sha256(text)}`, { repository, digest: sha256(text), layers });
  };
  const check = async ({
    repository,
    digest,
    layers,
  }: {
    repository: string;
    digest: string;
    layers: readonly number[];
  }) => {
    assert.equal((await rig.send('GET', `/v2/${repository}/manifests/${digest}`)).status, 200);
    for (const layer of layers) {
      const blob = await rig.send('GET', `/v2/${repository}/blobs/${digests[layer]}`);
      assert.equal(blob.status, 200, `a blob of an image is gone: ${blob.body}`);
      assert.ok(blob.body.equals(contents[layer] as Buffer), 'a blob of an image is another');
    }
    counts.pulls += 1;
  };
  const some = () => [...living][pick(living.size)];
  const pusher = async () => {
    for (const mine = Symbol(); Date.now() < end; ) await push(mine);
  };
  const deleter = async () => {
    while (Date.now() < end) {
      const [key, image] = living.size > 4 ? (some() ?? []) : [];
      if (!key || !image) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      living.delete(key);
      assert.equal((await rig.send('DELETE', `/v2/${image.repository}/manifests/${image.digest}`)).status, 202);
      counts.deletes += 1;
    }
  };
  const puller = async () => {
    while (Date.now() < end) {
      const [key, image] = some() ?? [];
      // Taken out while it is read, so that no deleter gets at it.
      if (key && image) {
        living.delete(key);
        await check(image);
        living.set(key, image);
      } else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const collector = async () => {
    while (Date.now() < end) {
      counts.removed += (await garbage.collect({ orphans: true })).removed;
      counts.rounds += 1;
    }
  };
  const time = async () => {
    while (Date.now() < end) {
      const oldest = Math.min(now(), ...begun.values());
      pass(Math.max(0, Math.min(10 * 60_000, oldest + hour / 3 - now())));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await Promise.all([pusher(), pusher(), pusher(), deleter(), deleter(), puller(), collector(), time()]);
  for (const image of living.values()) await check(image);
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.removed > 0 && counts.hits > 0 && counts.uploads > 0 && counts.pushes > 20, JSON.stringify(counts));

  for (const { repository, digest } of living.values())
    await rig.send('DELETE', `/v2/${repository}/manifests/${digest}`);
  for (let round = 0; round < 3; round += 1) {
    pass(25 * hour);
    await garbage.collect({ orphans: true });
  }
  assert.deepEqual(filesOf(rig), [], 'with the last image the last blob goes');
  assert.ok(existsSync(join(rig.dataDir, 'registry/blobs')));
});
