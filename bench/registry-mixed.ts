/**
 * What a busy registry is asked at once, against Debian's docker-registry in the same run: 32 pushes of 8 MiB at once; manifest GETs during
 * a push of 200 MB/s; memory during a push of 2 GiB; start with a million blobs; skopeo's push and pull for the record.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../packages/longshore/src/cli/checks.ts';
import { Longshore, must } from '../packages/longshore/test/e2e/longshore.ts';
import { bound, finish, quantile, withFolder } from './lib.ts';
import {
  MiB,
  makeBlob,
  putBlob,
  putImage,
  type Registry,
  request,
  residentMb,
  withRegistries,
} from './registry-lib.ts';

bound(12);
const figures: Record<string, number | null> = {};
const only = process.argv[2]?.split(',');
const wanted = (part: string) => !only || only.includes(part);

/** 32 blobs of 8 MiB by 32 connections; MiB a second. */
async function pushes(registry: Registry): Promise<number> {
  const blobs = Array.from({ length: 32 }, () => makeBlob(8 * MiB));
  const began = performance.now();
  await Promise.all(blobs.map(({ digest, chunks }) => putBlob(registry, 'bench/mixed', digest, chunks, 8 * MiB)));
  return 256 / ((performance.now() - began) / 1000);
}

/** Sends the chunks again and again at 200 MB/s, so that the registry has the time it would have. */
async function* paced(chunk: Buffer, size: number): AsyncGenerator<Buffer> {
  const began = performance.now();
  for (let sent = 0; sent < size; sent += chunk.length) {
    const ahead = (sent / 200e6) * 1000 - (performance.now() - began);
    if (ahead > 2) await sleep(ahead);
    yield chunk;
  }
}

/** Milliseconds that each GET of a manifest took while 600 MB were pushed at 200 MB/s. The digest is wrong on purpose: nothing stays. */
async function getsDuringPush(registry: Registry): Promise<{ times: number[]; rate: number }> {
  await putImage(registry, 'bench/mixed', 'v1');
  const size = 576 * MiB;
  const began = performance.now();
  let rate = 0;
  let over = false;
  const push = putBlob(registry, 'bench/mixed', `sha256:${'0'.repeat(64)}`, paced(randomBytes(MiB), size), size)
    .catch((error: unknown) => {
      if (!/refused a blob/.test(String(error))) throw error;
    })
    .finally(() => {
      rate = size / 1e6 / ((performance.now() - began) / 1000);
      over = true;
    });
  const times: number[] = [];
  while (!over) {
    const start = performance.now();
    const { status } = await request(registry, 'GET', '/v2/bench/mixed/manifests/v1', {
      headers: 'accept: application/vnd.oci.image.manifest.v1+json\r\n',
    });
    if (status !== 200) throw new Error(`${registry.name} answered ${status} to a manifest`);
    times.push(performance.now() - start);
    await sleep(5);
  }
  await push;
  return { times, rate };
}

/** MB above what the process held before, at most, during a push of 2 GiB. */
async function memory(registry: Registry): Promise<{ more: number; rate: number }> {
  const size = 2048 * MiB;
  const chunk = randomBytes(MiB);
  const idle = residentMb(registry.pid);
  const began = performance.now();
  let most = idle;
  const watch = setInterval(() => {
    most = Math.max(most, residentMb(registry.pid));
  }, 50);
  try {
    const body = (function* () {
      for (let sent = 0; sent < size; sent += MiB) yield chunk;
    })();
    await putBlob(registry, 'bench/mixed', `sha256:${'0'.repeat(64)}`, body, size).catch((error: unknown) => {
      if (!/refused a blob/.test(String(error))) throw error;
    });
  } finally {
    clearInterval(watch);
  }
  return { more: most - idle, rate: 2048 / ((performance.now() - began) / 1000) };
}

/** Milliseconds from `longshore up` to the first answer, without and with a million blobs in the database. */
async function startWithBlobs(): Promise<{ before: number; after: number }> {
  const longshore = await Longshore.create('--runtime', 'simulated');
  try {
    const start = async () => {
      const began = performance.now();
      await longshore.up();
      const took = performance.now() - began;
      await longshore.interrupt();
      return took;
    };
    await start();
    const before = await start();
    const database = new DatabaseSync(join(longshore.dataDir, 'state.db'));
    database.exec('pragma synchronous = off; begin');
    const blob = database.prepare('insert into ecr_blob (digest, size, created_at) values (?, 1000, 1)');
    const held = database.prepare(
      'insert into ecr_repository_blob (repository, digest, linked_at, leased_at) values (?, ?, ?, ?)',
    );
    const now = Date.now();
    for (let count = 0; count < 1_000_000; count += 1) {
      const digest = `sha256:${randomBytes(32).toString('hex')}`;
      blob.run(digest);
      held.run(`bench/r${count % 100}`, digest, now, now);
    }
    database.exec('commit');
    database.close();
    return { before, after: await start() };
  } finally {
    await longshore.destroy();
  }
}

/** Seconds that skopeo takes to push, and to pull, an image with a layer of 128 MiB. */
async function skopeo(registry: Registry, folder: string): Promise<readonly [number, number]> {
  const source = join(folder, 'source');
  const blobs = join(source, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const layer = makeBlob(128 * MiB);
  const put = (data: Buffer, digest: string) => writeFileSync(join(blobs, digest.slice(7)), data);
  put(Buffer.concat(layer.chunks), layer.digest);
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  );
  const digestOf = (data: Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;
  const configDigest = digestOf(config);
  put(config, configDigest);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size: 128 * MiB }],
    }),
  );
  const manifestDigest = digestOf(manifest);
  put(manifest, manifestDigest);
  writeFileSync(join(source, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(source, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: manifestDigest,
          size: manifest.length,
          annotations: { 'org.opencontainers.image.ref.name': 'v1' },
        },
      ],
    }),
  );
  const credentials = registry.authorization
    ? Buffer.from(registry.authorization.slice('Basic '.length), 'base64').toString()
    : 'nobody:nothing';
  const remote = `docker://127.0.0.1:${registry.port}/bench/mixed:skopeo`;
  const began = performance.now();
  await must('skopeo', [
    'copy',
    '-q',
    '--dest-tls-verify=false',
    '--dest-creds',
    credentials,
    `oci:${source}:v1`,
    remote,
  ]);
  const pushed = performance.now();
  await must('skopeo', [
    'copy',
    '-q',
    '--src-tls-verify=false',
    '--src-creds',
    credentials,
    remote,
    `dir:${join(folder, 'pulled')}`,
  ]);
  const pulled = performance.now();
  for (const name of ['source', 'pulled']) rmSync(join(folder, name), { recursive: true });
  return [(pushed - began) / 1000, (pulled - pushed) / 1000];
}

await withRegistries(async (ours, debian) => {
  await ours.makeRepository('bench/mixed');
  const registries = [ours, ...(debian ? [debian] : [])];
  const label = (registry: Registry) => (registry === ours ? 'ours' : 'debian');
  for (const registry of registries) {
    const name = registry.name.padEnd(16);
    // First, before other pushes have made the process as large as it gets.
    if (wanted('memory')) {
      const { more, rate } = await memory(registry);
      figures[`${label(registry)}_memory`] = Math.round(more);
      console.log(
        `${name} memory during a push of 2 GiB: ${more.toFixed(0)} MB above idle, at ${rate.toFixed(0)} MiB/s`,
      );
    }
    if (wanted('pushes')) {
      await pushes(registry);
      const rates = [await pushes(registry), await pushes(registry), await pushes(registry)];
      const rate = quantile(rates, 0.5);
      figures[`${label(registry)}_pushes`] = Math.round(rate);
      console.log(`${name} 32 pushes at once ${rate.toFixed(0)} MiB/s`);
    }
    if (wanted('gets')) {
      const { times, rate } = await getsDuringPush(registry);
      figures[`${label(registry)}_p99`] = Number(quantile(times, 0.99).toFixed(2));
      console.log(
        `${name} manifest GET during a push of ${rate.toFixed(0)} MB/s: p50 ${quantile(times, 0.5).toFixed(1)} ms, p99 ${quantile(times, 0.99).toFixed(1)} ms (${times.length})`,
      );
    }
    if (wanted('skopeo') && findProgram('skopeo'))
      await withFolder(async (folder) => {
        const [push, pull] = await skopeo(registry, folder);
        figures[`${label(registry)}_skopeo_push`] = Number(push.toFixed(2));
        figures[`${label(registry)}_skopeo_pull`] = Number(pull.toFixed(2));
        console.log(`${name} skopeo, 128 MiB: push ${push.toFixed(2)} s, pull ${pull.toFixed(2)} s`);
      });
  }
});
if (wanted('start')) {
  const { before, after } = await startWithBlobs();
  figures.start = Math.round(before);
  figures.startWithMillion = Math.round(after);
  console.log(`start ${before.toFixed(0)} ms, with 1,000,000 blobs ${after.toFixed(0)} ms (goal 2000)`);
}
finish('registry-mixed', figures);
