import { createHash } from 'node:crypto';

/** The next hop of every task, on the router's loopback: one address for all subnets, since each link is routed by itself. */
export const nextHop = '169.254.1.1';
/** The resolver's address inside a VPC, the one that AWS documents for Route 53 Resolver beside the VPC's base + 2. */
export const resolverAddress = '169.254.169.253';
/** The port at the host's end of a link where the resolver listens: not 53, which a resolver of the host may hold on all addresses. */
export const resolverPort = 10053;
/** The router's device towards the host. Quoted wherever nft reads it. */
export const uplink = 'uplink';
/** All router ends of task links have this MAC address; each link has only two ends. */
export const routerMac = 'ee:ee:ee:ee:ee:ee';

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

/** Throws unless `text` may stand in a script for `sh`, `ip -batch` or `nft`: what a document says never becomes a command. */
export function word(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/.test(text))
    throw new Error(`${JSON.stringify(text)} can't name a part of a network.`);
  return text;
}

/** Throws unless `text` is an IPv4 address or, with a prefix length, a range. */
export function ipv4(text: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (!match || match.slice(1, 5).some((part) => Number(part) > 255) || Number(match[5] ?? 0) > 32) {
    throw new Error(`${JSON.stringify(text)} is no IPv4 address or range.`);
  }
  return text;
}

/** Names of everything that one Longshore makes in the kernel. Device names have at most 15 characters (IFNAMSIZ). */
export interface Names {
  readonly prefix: string;
  /** Every host device of this Longshore begins with it. */
  readonly devicePrefix: string;
  readonly hostTable: string;
  router(vpcId: string): string;
  namespace(interfaceId: string): string;
  hostDevice(vpcId: string): string;
}

/** The names of everything that a Longshore makes on a machine: they begin with its id, so that several never meet. */
export function namesOf(instanceId: string): Names {
  const prefix = `ls-${word(instanceId)}-`;
  const devicePrefix = `ls${instanceId}`;
  return {
    prefix,
    devicePrefix,
    hostTable: `longshore-${instanceId}`,
    router: (vpcId) => `${prefix}${word(vpcId)}`,
    namespace: (interfaceId) => `${prefix}${word(interfaceId)}`,
    hostDevice: (vpcId) => `${devicePrefix}v${digest(vpcId, 14 - devicePrefix.length)}`,
  };
}

/** The router's device of an interface: made from its id, so that rules can name it before it is there. */
export const routerDevice = (interfaceId: string): string => `e${digest(interfaceId, 13)}`;

export const namespacePath = (namespace: string): string => `/run/netns/${namespace}`;

/** The two ends of link number `index` (0 … 4735): /30 ranges from 169.254.176.0 to 169.254.249.252. */
export function linkAddresses(index: number): { hostAddress: string; routerAddress: string } {
  const third = 176 + (index >> 6);
  const fourth = (index & 63) << 2;
  return { hostAddress: `169.254.${third}.${fourth + 1}`, routerAddress: `169.254.${third}.${fourth + 2}` };
}

export const linkCount = (250 - 176) * 64;

/** Where to begin to look for a free link: spread, so that several Longshores seldom meet. */
export const firstLink = (instanceId: string, vpcId: string): number =>
  Number.parseInt(digest(`${instanceId}/${vpcId}`, 8), 16) % linkCount;

/** A stable short name of a combination of groups. */
export const combination = (groupIds: readonly string[]): string => digest([...groupIds].sort().join(' '), 12);
