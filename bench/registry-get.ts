/** GET of a 256 MiB blob, one stream and four at once, against Debian's docker-registry in the same run. */
import { bound, finish, median } from './lib.ts';
import { cpuSeconds, MiB, makeBlob, putBlob, type Registry, request, withRegistries } from './registry-lib.ts';

const size = 256 * MiB;
const rounds = Number(process.env.ROUNDS ?? 7);
bound(6);

await withRegistries(async (ours, debian) => {
  const blob = makeBlob(size);
  await ours.makeRepository('bench/get');
  const registries = [ours, ...(debian ? [debian] : [])];
  for (const registry of registries) await putBlob(registry, 'bench/get', blob.digest, blob.chunks, size);
  const get = async (registry: Registry, streams: number): Promise<number> => {
    const began = performance.now();
    const answers = await Promise.all(
      Array.from({ length: streams }, () => request(registry, 'GET', `/v2/bench/get/blobs/${blob.digest}`)),
    );
    const took = (performance.now() - began) / 1000;
    for (const { status, received } of answers)
      if (status !== 200 || received !== size)
        throw new Error(`${registry.name} answered ${status}, ${received} bytes`);
    return (streams * size) / MiB / took;
  };
  const ratios: Record<string, number | null> = {};
  for (const streams of [1, 4]) {
    const rates = registries.map((): number[] => []);
    const used = registries.map(() => 0);
    for (let round = -1; round < rounds; round += 1)
      for (const [index, registry] of registries.entries()) {
        const before = cpuSeconds(registry.pid);
        const measured = await get(registry, streams);
        if (round < 0) continue;
        rates[index]?.push(measured);
        used[index] = (used[index] ?? 0) + cpuSeconds(registry.pid) - before;
      }
    const medians = rates.map((each) => median(each));
    for (const [index, registry] of registries.entries())
      console.log(
        `${streams} at once  ${registry.name.padEnd(16)} median ${(medians[index] ?? 0).toFixed(0).padStart(5)} MiB/s   ${(((used[index] ?? 0) * 4) / (rounds * streams)).toFixed(2)} CPU-s/GiB`,
      );
    const [mine = 0, theirs] = medians;
    ratios[`mibPerSecond${streams}`] = Math.round(mine);
    ratios[`ratio${streams}`] = theirs === undefined ? null : Number((mine / theirs).toFixed(2));
    if (theirs) console.log(`ratio ${(mine / theirs).toFixed(2)} (goal 1)`);
  }
  finish('registry-get', ratios);
});
