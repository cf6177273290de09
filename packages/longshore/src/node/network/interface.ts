import type { InterfaceDocument } from '../../protocol/documents.ts';
import { ipv4, type Names, namespacePath, nextHop, routerDevice, routerMac, word } from './addresses.ts';
import type { Link } from './router.ts';
import { feed } from './shell.ts';

/** The host's route to a public address, through the router that translates it. */
export const publicRoute = (publicAddress: string, link: Link): string =>
  `route replace ${ipv4(publicAddress)}/32 via ${link.routerAddress} dev ${link.device} onlink`;

/**
 * Makes an interface's namespace with `eth0`, its address and its route: three processes in all. The route in the router
 * comes last, so that an interface that has one is whole. The port sysctl is Docker's default for containers (moby 20.10+).
 */
export function attachScript(names: Names, document: InterfaceDocument, link: Link): string {
  const namespace = names.namespace(document.interfaceId);
  const device = routerDevice(document.interfaceId);
  const address = ipv4(document.privateAddress);
  const inside = [
    'cd /proc/sys/net',
    'echo 0 > ipv4/ip_unprivileged_port_start',
    '[ ! -e ipv6 ] || echo 1 > ipv6/conf/eth0/disable_ipv6',
    'exec ip -batch -',
  ].join('; ');
  return [
    feed('ip -batch -', [
      `netns add ${namespace}`,
      `link add ${device} address ${routerMac} netns ${names.router(link.vpcId)} type veth peer name eth0 ` +
        `address ${word(document.macAddress)} netns ${namespace}`,
      ...(document.publicAddress ? [publicRoute(document.publicAddress, link)] : []),
    ]),
    feed(`nsenter --net=${namespacePath(namespace)} sh -c '${inside}'`, [
      'link set lo up',
      'link set eth0 up',
      `addr add ${address}/32 dev eth0`,
      `route add default via ${nextHop} dev eth0 onlink`,
    ]),
    feed(`ip -n ${names.router(link.vpcId)} -batch -`, [
      `link set ${device} up`,
      `route replace ${address}/32 dev ${device}`,
    ]),
  ].join('\n');
}

/**
 * Removes an interface. Deleting the namespace alone is answered at once (1.4 ms, the kernel takes the link apart behind
 * it); deleting the link first would wait 28 ms for it. `cutScript` is for a namespace that a process still holds.
 */
export const detachScript = (names: Names, interfaceId: string, publicAddress: string | undefined): string =>
  [
    ...(publicAddress ? [`ip route del ${ipv4(publicAddress)}/32 2>/dev/null || true`] : []),
    `[ ! -e ${namespacePath(names.namespace(interfaceId))} ] || ip netns del ${names.namespace(interfaceId)}`,
  ].join('\n');

export const cutScript = (names: Names, vpcId: string, interfaceId: string): string =>
  `[ ! -e ${namespacePath(names.router(vpcId))} ] || ` +
  `ip -n ${names.router(vpcId)} link del ${routerDevice(interfaceId)} 2>/dev/null || true`;
