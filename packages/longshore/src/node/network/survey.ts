import { readdir } from 'node:fs/promises';
import { type Names, namespacePath, routerDevice } from './addresses.ts';
import type { Link } from './router.ts';
import type { TableNames } from './ruleset.ts';
import type { Shell } from './shell.ts';

/** An interface that an earlier process left. */
export interface FoundInterface {
  readonly interfaceId: string;
  readonly vpcId: string;
  readonly privateAddress: string;
}

/** What is on the machine of this Longshore's. */
export interface Survey {
  readonly links: readonly Link[];
  readonly interfaces: readonly FoundInterface[];
  /** Interface namespaces that were never finished. */
  readonly halves: readonly string[];
}

interface IpAddress {
  readonly ifname: string;
  readonly ifalias?: string;
  readonly addr_info: readonly { readonly family: string; readonly local: string }[];
}

interface IpRoute {
  readonly dst: string;
  readonly dev?: string;
}

/** `ip -j` prints nothing at all for an empty list. */
const json = <Shape>(text: string): readonly Shape[] => (text.trim() === '' ? [] : (JSON.parse(text) as Shape[]));

/** Names of this Longshore's namespaces without the prefix, e.g. `vpc-…` and `eni-…`. */
export async function namespaces(names: Names): Promise<readonly string[]> {
  const all = await readdir(namespacePath('')).catch(() => [] as string[]);
  return all.filter((name) => name.startsWith(names.prefix)).map((name) => name.slice(names.prefix.length));
}

/** Addresses of the host's devices. */
export async function hostAddresses(shell: Shell): Promise<readonly IpAddress[]> {
  return json<IpAddress>(await shell.run('Reading the addresses of this machine', 'ip -j addr'));
}

/** Looks at namespaces, links and routes; changes nothing. */
export async function survey(names: Names, shell: Shell): Promise<Survey> {
  const [present, addresses] = await Promise.all([namespaces(names), hostAddresses(shell)]);
  const links: Link[] = [];
  for (const { ifname, ifalias, addr_info } of addresses) {
    const hostAddress = addr_info.find(({ family }) => family === 'inet')?.local;
    if (!ifname.startsWith(`${names.devicePrefix}v`) || !ifalias || !hostAddress) continue;
    const parts = hostAddress.split('.');
    const routerAddress = [...parts.slice(0, 3), Number(parts[3]) + 1].join('.');
    links.push({ vpcId: ifalias, device: ifname, hostAddress, routerAddress });
  }
  const routers = present.filter((name) => name.startsWith('vpc-'));
  const byDevice = new Map<string, { vpcId: string; privateAddress: string }>();
  await Promise.all(
    routers.map(async (vpcId) => {
      const routes = json<IpRoute>(
        await shell.run(`Reading the routes of ${vpcId}`, `ip -n ${names.router(vpcId)} -j route`),
      );
      for (const { dst, dev } of routes) if (dev) byDevice.set(dev, { vpcId, privateAddress: dst });
    }),
  );
  const interfaces: FoundInterface[] = [];
  const halves: string[] = [];
  for (const interfaceId of present.filter((name) => !name.startsWith('vpc-'))) {
    const found = byDevice.get(routerDevice(interfaceId));
    if (found) interfaces.push({ interfaceId, ...found });
    else halves.push(interfaceId);
  }
  return { links, interfaces, halves };
}

/** The names in one nft table, for `whole`; empty where the table is not there. `enter` puts nft into a namespace. */
export async function tableNames(shell: Shell, enter: string, table: string): Promise<TableNames> {
  // An own transaction makes sure that there is a table, so that listing it fails only for a true reason.
  const text = await shell.run(
    `Reading nft table ${table}`,
    `${enter} nft add table ip ${table}\n${enter} nft -t -j list table ip ${table}`,
  );
  const { nftables } = JSON.parse(text) as { nftables: readonly Record<string, { readonly name: string }>[] };
  const named = (kind: string): string[] => nftables.flatMap((entry) => entry[kind]?.name ?? []);
  return {
    sets: [...named('set').map((name) => ({ name, map: false })), ...named('map').map((name) => ({ name, map: true }))],
    chains: named('chain'),
  };
}
