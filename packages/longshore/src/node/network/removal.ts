import type { Names } from './addresses.ts';
import { hostRemoval } from './host.ts';
import { releaseAllLinks, releaseLink } from './link-claims.ts';
import type { Shell } from './shell.ts';
import { hostAddresses, namespaces, survey } from './survey.ts';

/** Removes every network of a Longshore from this machine, whether this process made it or another. */
export async function removeNetworks(instanceId: string, names: Names, shell: Shell): Promise<void> {
  const found = await survey(names, shell).catch(() => undefined);
  const present = await namespaces(names);
  const routers = present.filter((name) => name.startsWith('vpc-'));
  const interfaces = present.filter((name) => !name.startsWith('vpc-'));
  const devices = (await hostAddresses(shell)).map(({ ifname }) => ifname);
  const script = [
    ...interfaces.map((name) => `ip netns del ${names.namespace(name)} || true`),
    ...devices.filter((name) => name.startsWith(`${names.devicePrefix}v`)).map((name) => `ip link del ${name} || true`),
    ...routers.map((name) => `ip netns del ${names.router(name)} || true`),
    hostRemoval(names),
  ].join('\n');
  await shell.run('Removing all networks', script);
  for (const link of found?.links ?? []) await releaseLink(link);
  await releaseAllLinks(instanceId);
}
