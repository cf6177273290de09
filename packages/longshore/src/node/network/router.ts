import type { VpcDocument } from '../../protocol/documents.ts';
import { ipv4, type Names, namespacePath, nextHop, uplink, word } from './addresses.ts';
import { feed } from './shell.ts';

/** A VPC's router on this machine: its namespace, and the link that joins it to the host. */
export interface Link {
  readonly vpcId: string;
  readonly device: string;
  readonly hostAddress: string;
  readonly routerAddress: string;
}

/**
 * Makes the router's namespace and link, or mends what is there; safe to repeat under traffic.
 * rp_filter is off in the router, where the owners set says who may send what, and loose on the host's end, where public
 * addresses come from. Addresses of the VPC that nobody has are unreachable rather than sent outside.
 */
export function routerScript(names: Names, vpc: VpcDocument, link: Link): string {
  const router = names.router(vpc.vpcId);
  const inside = [
    'cd /proc/sys/net',
    'echo 1 > ipv4/ip_forward',
    'for which in all default; do echo 0 > ipv4/conf/$which/rp_filter; echo 0 > ipv4/conf/$which/send_redirects; ' +
      'if [ -e ipv6 ]; then echo 1 > ipv6/conf/$which/disable_ipv6; fi; done',
    'exec ip -batch -',
  ].join('; ');
  return [
    `[ -e ${namespacePath(router)} ] || ip netns add ${router}`,
    `[ -e /sys/class/net/${link.device} ] || ip link add ${link.device} type veth peer name ${uplink} netns ${router}`,
    feed('ip -batch -', [
      `link set dev ${link.device} alias ${word(vpc.vpcId)}`,
      `addr replace ${link.hostAddress}/30 dev ${link.device}`,
    ]),
    `cd /proc/sys/net; echo 2 > ipv4/conf/${link.device}/rp_filter; echo 1 > ipv4/ip_forward`,
    `[ ! -e ipv6 ] || echo 1 > ipv6/conf/${link.device}/disable_ipv6`,
    `ip link set ${link.device} up`,
    feed(`nsenter --net=${namespacePath(router)} sh -c '${inside}'`, [
      'link set lo up',
      `addr replace ${nextHop}/32 dev lo`,
      `addr replace ${link.routerAddress}/30 dev ${uplink}`,
      `link set ${uplink} up`,
      `route replace default via ${link.hostAddress} dev ${uplink}`,
      ...vpc.cidrBlocks.map((block) => `route replace unreachable ${ipv4(block)}`),
    ]),
  ].join('\n');
}

/** Removes a router; nothing where it is gone. */
export const routerRemoval = (names: Names, link: Link): string =>
  [
    `ip link del ${link.device} 2>/dev/null || true`,
    `ip netns del ${names.router(link.vpcId)} 2>/dev/null || true`,
  ].join('\n');

/** Runs `nft -f -` in a router's namespace. */
export const nftInRouter = (names: Names, vpcId: string, transaction: string): string =>
  feed(`nsenter --net=${namespacePath(names.router(vpcId))} nft -f -`, [transaction.trimEnd()]);
