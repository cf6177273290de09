import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openRig, rawRequest, sha256 } from '../rig.testing.ts';
import { mediaTypes } from '../rules/manifest.ts';

const program = fileURLToPath(new URL('../registry.testing.ts', import.meta.url));

/** A registry process on a data directory, which a test may kill. */
export async function startRegistry(dataDir: string): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Starting is most of a round.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'longshore-compile-cache') },
  });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream }))
    return { child, port: Number(line) };
  throw new Error('the registry did not start');
}

export function killed(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  return gone;
}

/** Makes the repository `app`, by the API, in the database of a data directory. */
export async function makeRepository(dataDir: string): Promise<void> {
  const rig = await openRig({ dataDir });
  await rig.call('CreateRepository', { repositoryName: 'app' });
  await rig.close();
}

/** Every blob that is in place has the content that its name says; how many there are. */
export async function checkBlobs(dataDir: string): Promise<number> {
  const root = join(dataDir, 'registry/blobs/sha256');
  let count = 0;
  for (const folder of await readdir(root))
    for (const hex of await readdir(join(root, folder))) {
      const content = await readFile(join(root, folder, hex));
      assert.equal(createHash('sha256').update(content).digest('hex'), hex);
      count += 1;
    }
  return count;
}

interface Pushed {
  readonly tag: string;
  readonly text: string;
  readonly blobs: readonly string[];
}

/** Pushes one image with its blobs, in one request each or in chunks. Undefined where the registry died meanwhile. */
async function pushImage(port: number, tag: string): Promise<Pushed | undefined> {
  const contents = [randomBytes(200), randomBytes(randomInt(1, 3_000_000)), randomBytes(randomInt(1, 300_000))];
  const push = async (data: Buffer, chunked: boolean) => {
    const digest = sha256(data);
    if (!chunked) {
      const reply = await rawRequest({ port, method: 'POST', path: `/v2/app/blobs/uploads/?digest=${digest}` }, data);
      assert.equal(reply.status, 201, reply.body.toString());
    } else {
      const { headers } = await rawRequest({ port, method: 'POST', path: '/v2/app/blobs/uploads/' });
      const path = headers.location ?? '';
      const half = data.length >> 1;
      const patch = await rawRequest({ port, method: 'PATCH', path }, data.subarray(0, half));
      assert.equal(patch.status, 202, patch.body.toString());
      const put = await rawRequest({ port, method: 'PUT', path: `${path}?digest=${digest}` }, data.subarray(half));
      assert.equal(put.status, 201, put.body.toString());
    }
    return digest;
  };
  try {
    const blobs = await Promise.all(contents.map((data, index) => push(data, index === 2)));
    const [config, ...layers] = blobs.map((digest, index) => ({
      mediaType: index === 0 ? 'application/vnd.oci.image.config.v1+json' : 'application/vnd.oci.image.layer.v1.tar',
      digest,
      size: contents[index]?.length,
    }));
    const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
    const headers = { 'content-type': mediaTypes.ociManifest };
    const put = await rawRequest({ port, method: 'PUT', path: `/v2/app/manifests/${tag}`, headers }, text);
    assert.equal(put.status, 201, put.body.toString());
    return { tag, text, blobs };
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return undefined;
  }
}

/** An image is there whole: its manifest and each of its blobs, hashed. */
async function readImage(port: number, reference: string): Promise<string> {
  const manifest = await rawRequest({ port, path: `/v2/app/manifests/${reference}` });
  assert.equal(manifest.status, 200, `${reference}: ${manifest.body}`);
  const { config, layers } = JSON.parse(manifest.body.toString());
  for (const { digest, size } of [config, ...layers]) {
    const blob = await rawRequest({ port, path: `/v2/app/blobs/${digest}` });
    assert.equal(blob.status, 200, `${reference} ${digest}: ${blob.body}`);
    assert.equal(blob.body.length, size);
    assert.equal(sha256(blob.body), digest);
  }
  return manifest.body.toString();
}

export interface CrashFigures {
  readonly kills: number;
  /** Images whose push was answered before a kill. */
  readonly acknowledged: number;
  /** Pushes that a kill broke off. */
  readonly broken: number;
  readonly blobs: number;
}

/**
 * Kills a registry with SIGKILL, `kills` times, at random moments while images are pushed to it. After each start whatever was
 * answered must be there, and every tag that there is must lead to a whole image.
 */
export async function crashRounds(kills: number): Promise<CrashFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longshore-crash-'));
  const images: Pushed[] = [];
  let broken = 0;
  let child: ChildProcess | undefined;
  try {
    await makeRepository(dataDir);
    for (let round = 0; ; round += 1) {
      const registry = await startRegistry(dataDir);
      child = registry.child;
      const { port } = registry;
      const { tags } = JSON.parse(
        (await rawRequest({ port, path: `/v2/app/tags/list?last=${name(round - 1)}` })).body.toString(),
      );
      // Those of the round before, acknowledged or not; of the older ones a few.
      for (const tag of tags) await readImage(port, tag);
      const last = images.filter((image) => image.tag.startsWith(name(round - 1)));
      for (const image of [...last, ...(images.length > 0 ? [images[randomInt(images.length)] as Pushed] : [])])
        assert.equal(await readImage(port, image.tag), image.text);
      if (round === kills) {
        for (const image of images) assert.equal(await readImage(port, image.tag), image.text);
        await killed(child);
        return { kills, acknowledged: images.length, broken, blobs: await checkBlobs(dataDir) };
      }
      let over = false;
      const pushing = [0, 1].map(async (lane) => {
        for (let count = 0; !over; count += 1) {
          const pushed = await pushImage(port, `${name(round)}-${lane}-${count}`);
          if (pushed) images.push(pushed);
          else {
            broken += 1;
            return;
          }
        }
      });
      await sleep(randomInt(0, 160));
      over = true;
      await killed(child);
      await Promise.all(pushing);
    }
  } finally {
    if (child) await killed(child);
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** What tags of a round start with, in the order of the rounds. */
function name(round: number): string {
  return `r${String(round).padStart(6, '0')}`;
}
