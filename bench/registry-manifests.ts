/** GETs of a manifest a second by 32 connections, by tag and by digest, against Debian's docker-registry in the same run. */
import { createHash } from 'node:crypto';
import { bound, finish } from './lib.ts';
import { putImage, withRegistries, wrk } from './registry-lib.ts';

const seconds = Number(process.env.SECONDS ?? 4);
bound(4);

await withRegistries(async (ours, debian) => {
  await ours.makeRepository('bench/manifests');
  const figures: Record<string, number | null> = {};
  for (const by of ['tag', 'digest'] as const) {
    const rates: number[] = [];
    for (const registry of [ours, ...(debian ? [debian] : [])]) {
      const text = await putImage(registry, 'bench/manifests', 'v1');
      const reference = by === 'tag' ? 'v1' : `sha256:${createHash('sha256').update(text).digest('hex')}`;
      const path = `/v2/bench/manifests/manifests/${reference}`;
      await wrk(registry, path, 32, 2); // warms up
      const { perSecond, p50, p99 } = await wrk(registry, path, 32, seconds);
      console.log(
        `by ${by.padEnd(6)} ${registry.name.padEnd(16)} ${perSecond.toFixed(0).padStart(6)} requests a second   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms`,
      );
      rates.push(perSecond);
      figures[`${registry === ours ? 'ours' : 'debian'}_${by}`] = Math.round(perSecond);
      figures[`${registry === ours ? 'ours' : 'debian'}_${by}_p99`] = p99;
    }
    const [mine = 0, theirs] = rates;
    figures[`ratio_${by}`] = theirs === undefined ? null : Number((mine / theirs).toFixed(2));
    if (theirs) console.log(`ratio ${(mine / theirs).toFixed(2)}`);
  }
  finish('registry-manifests', figures);
});
