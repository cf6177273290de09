/** Monolithic push of 256 MiB blobs, against Debian's docker-registry in the same run. */
import { bound, finish, median } from './lib.ts';
import { cpuSeconds, MiB, makeBlob, putBlob, type Registry, withRegistries } from './registry-lib.ts';

const size = 256 * MiB;
const rounds = Number(process.env.ROUNDS ?? 5);
bound(6);

async function rate(registry: Registry, blob: ReturnType<typeof makeBlob>): Promise<number> {
  const began = performance.now();
  await putBlob(registry, 'bench/put', blob.digest, blob.chunks, size);
  return size / MiB / ((performance.now() - began) / 1000);
}

await withRegistries(async (ours, debian) => {
  await ours.makeRepository('bench/put');
  const figures = new Map<Registry, number[]>([ours, ...(debian ? [debian] : [])].map((each) => [each, []]));
  const cpu = new Map([...figures.keys()].map((each) => [each, cpuSeconds(each.pid)]));
  // Taken in turns, so that what else the machine does meets both alike; the first round only warms up.
  for (let round = -1; round < rounds; round += 1) {
    const blob = makeBlob(size);
    for (const [registry, rates] of figures) {
      const measured = await rate(registry, blob);
      if (round >= 0) rates.push(measured);
    }
  }
  const medians = [...figures].map(([registry, rates]) => {
    const used = cpuSeconds(registry.pid) - (cpu.get(registry) ?? 0);
    console.log(
      `${registry.name.padEnd(16)} median ${median(rates).toFixed(0).padStart(5)} MiB/s   best ${Math.max(...rates)
        .toFixed(0)
        .padStart(5)}   ${((used * 1024) / (256 * (rounds + 1))).toFixed(2)} CPU-s/GiB`,
    );
    return median(rates);
  });
  const [mine = 0, theirs] = medians;
  if (theirs) console.log(`ratio ${(mine / theirs).toFixed(2)} (goal 2)`);
  finish('registry-put', {
    mibPerSecond: Math.round(mine),
    debianMibPerSecond: theirs === undefined ? null : Math.round(theirs),
    ratio: theirs === undefined ? null : Number((mine / theirs).toFixed(2)),
  });
});
