import { mkdir, open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { firstLink, linkAddresses, linkCount } from './addresses.ts';
import type { Link } from './router.ts';

const claims = '/run/longshore/links';

/**
 * Claims a range for the link of a VPC by a file of its name, so that Longshores which start at the same moment take different ones.
 * `used`: addresses that the host has. Throws where no range is left.
 */
export async function claimLink(
  instanceId: string,
  vpcId: string,
  used: ReadonlySet<string>,
): Promise<Pick<Link, 'hostAddress' | 'routerAddress'>> {
  await mkdir(claims, { recursive: true });
  const owner = `${instanceId} ${vpcId}`;
  for (let tries = 0; tries < linkCount; tries += 1) {
    const addresses = linkAddresses((firstLink(instanceId, vpcId) + tries) % linkCount);
    if (used.has(addresses.hostAddress)) continue;
    const file = `${claims}/${addresses.hostAddress}`;
    const handle = await open(file, 'wx').catch(() => undefined);
    if (handle) {
      await handle.writeFile(owner);
      await handle.close();
      return addresses;
    }
    if ((await readFile(file, 'utf8').catch(() => '')) === owner) return addresses;
  }
  throw new Error('No free range is left in 169.254.176.0 to 169.254.249.255 for the link of a VPC.');
}

/** Gives the range of a link back. */
export function releaseLink(link: Link): Promise<void> {
  return rm(`${claims}/${link.hostAddress}`, { force: true });
}

/** Gives back whatever a Longshore still claims, and the folder where nobody else claims anything. */
export async function releaseAllLinks(instanceId: string): Promise<void> {
  for (const file of await readdir(claims).catch(() => [] as string[])) {
    const owner = await readFile(`${claims}/${file}`, 'utf8').catch(() => '');
    if (owner.startsWith(`${instanceId} `)) await rm(`${claims}/${file}`, { force: true });
  }
  for (const folder of [claims, '/run/longshore']) await rmdir(folder).catch(() => undefined);
}
