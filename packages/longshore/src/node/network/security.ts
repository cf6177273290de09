import type { InterfaceDocument, SecurityRule, SubnetDocument, VpcDocument } from '../../protocol/documents.ts';
import { combination, ipv4, resolverAddress, resolverPort, routerDevice, uplink, word } from './addresses.ts';
import type { Chain, Ruleset, SetOf } from './ruleset.ts';

export const routerTable = 'longshore';

const groupSet = (groupId: string): string => `g.${word(groupId)}`;
const groupIngress = (groupId: string): string => `in.${word(groupId)}`;
const groupEgress = (groupId: string): string => `out.${word(groupId)}`;

/**
 * The table of a VPC's router. A new connection must pass the sender's groups (egress), then, if it stays inside, the
 * receiver's (ingress); the answers of what was let in pass by connection tracking, which is why groups are stateful and
 * why a changed rule counts for new connections (VPC guide, "Security group connection tracking").
 */
export function routerRuleset(vpc: VpcDocument, hostAddress: string): Ruleset {
  const subnets = new Map(vpc.subnets.map((subnet) => [subnet.subnetId, subnet]));
  const chains = new Map<string, Chain>(baseChains(hostAddress));
  const sets = new Map<string, SetOf>();
  const members = new Map<string, Map<string, string>>();
  const memberSet = (groupId: string): Map<string, string> => {
    const found = members.get(groupId) ?? new Map<string, string>();
    members.set(groupId, found);
    return found;
  };

  for (const group of vpc.securityGroups) {
    memberSet(group.groupId);
    chains.set(groupIngress(group.groupId), {
      rules: group.ingress.flatMap((rule) => ruleOf(rule, 'saddr', 'accept')),
    });
    chains.set(groupEgress(group.groupId), {
      rules: group.egress.flatMap((rule) => ruleOf(rule, 'daddr', 'goto inside')),
    });
    for (const { peer } of [...group.ingress, ...group.egress]) if ('groupId' in peer) memberSet(peer.groupId);
  }
  const known = new Set(vpc.securityGroups.map((group) => group.groupId));
  const ingressOf = new Map<string, string>();
  const egressOf = new Map<string, string>();
  for (const { privateAddress, groupIds } of vpc.interfaces) {
    for (const groupId of groupIds) memberSet(groupId).set(ipv4(privateAddress), '');
    const groups = [...new Set(groupIds)].filter((groupId) => known.has(groupId)).sort();
    const name = combination(groups);
    chains.set(`in-${name}`, { rules: groups.map((groupId) => `jump ${groupIngress(groupId)}`) });
    chains.set(`out-${name}`, { rules: groups.map((groupId) => `jump ${groupEgress(groupId)}`) });
    ingressOf.set(privateAddress, `goto in-${name}`);
    egressOf.set(privateAddress, `goto out-${name}`);
  }
  for (const [groupId, elements] of members)
    sets.set(groupSet(groupId), { type: 'type ipv4_addr', map: false, elements });
  sets.set('ingress-of', { type: 'type ipv4_addr : verdict', map: true, elements: ingressOf });
  sets.set('egress-of', { type: 'type ipv4_addr : verdict', map: true, elements: egressOf });
  for (const [name, set] of addressSets(vpc.interfaces, subnets)) sets.set(name, set);
  return { table: routerTable, sets, chains };
}

function addressSets(
  interfaces: readonly InterfaceDocument[],
  subnets: ReadonlyMap<string, SubnetDocument>,
): [string, SetOf][] {
  const owners = new Map<string, string>();
  const publicOf = new Map<string, string>();
  const privateOf = new Map<string, string>();
  const mayLeave = new Map<string, string>();
  for (const { interfaceId, macAddress, privateAddress, publicAddress, subnetId } of interfaces) {
    owners.set(`"${routerDevice(interfaceId)}" . ${word(macAddress.toLowerCase())} . ${ipv4(privateAddress)}`, '');
    const internet = subnets.get(subnetId)?.internet ?? 'none';
    if (internet === 'nat') mayLeave.set(privateAddress, '');
    if (internet === 'gateway' && publicAddress) {
      mayLeave.set(privateAddress, '');
      publicOf.set(privateAddress, ipv4(publicAddress));
      privateOf.set(publicAddress, privateAddress);
    }
  }
  return [
    ['owners', { type: 'type ifname . ether_addr . ipv4_addr', map: false, elements: owners }],
    ['public-of', { type: 'type ipv4_addr : ipv4_addr', map: true, elements: publicOf }],
    ['private-of', { type: 'type ipv4_addr : ipv4_addr', map: true, elements: privateOf }],
    ['may-leave', { type: 'type ipv4_addr', map: false, elements: mayLeave }],
  ];
}

/** The chains that every router has. `goto inside` ends in a verdict, so a group's chain is left for good at its first match. */
function baseChains(hostAddress: string): [string, Chain][] {
  const resolver = `ip daddr ${ipv4(hostAddress)} meta l4proto { tcp, udp } th dport ${resolverPort}`;
  return [
    [
      'to-private',
      {
        base: 'type nat hook prerouting priority dstnat; policy accept',
        rules: [
          `ip daddr ${resolverAddress} udp dport 53 dnat to ${hostAddress}:${resolverPort}`,
          `ip daddr ${resolverAddress} tcp dport 53 dnat to ${hostAddress}:${resolverPort}`,
          'dnat to ip daddr map @private-of',
        ],
      },
    ],
    [
      'to-public',
      {
        base: 'type nat hook postrouting priority srcnat; policy accept',
        rules: [
          `oifname "${uplink}" ip daddr ${hostAddress} masquerade`,
          `oifname "${uplink}" snat to ip saddr map @public-of`,
          `oifname "${uplink}" masquerade`,
        ],
      },
    ],
    // Nothing is served by the router itself.
    [
      'router',
      {
        base: 'type filter hook input priority filter; policy drop',
        rules: ['iifname "lo" accept', 'ct state established,related accept'],
      },
    ],
    [
      'passing',
      {
        base: 'type filter hook forward priority filter; policy drop',
        rules: [
          `iifname != "${uplink}" iifname . ether saddr . ip saddr != @owners drop`,
          'ct state established,related accept',
          'ct state invalid drop',
          // From outside only by a public address.
          `iifname "${uplink}" ct status dnat goto inside`,
          `iifname "${uplink}" drop`,
          // The resolver is always reachable: groups don't filter it at AWS either.
          `oifname "${uplink}" ct status dnat ${resolver} accept`,
          'ip saddr vmap @egress-of',
        ],
      },
    ],
    ['inside', { rules: [`oifname "${uplink}" goto outside`, 'ip daddr vmap @ingress-of', 'drop'] }],
    ['outside', { rules: ['ip daddr 169.254.0.0/16 drop', 'ip saddr @may-leave accept', 'drop'] }],
  ];
}

/** One rule of a group as nft says it; none for what an IPv4 table can't meet. */
export function ruleOf(rule: SecurityRule, side: 'saddr' | 'daddr', verdict: string): string[] {
  const { peer } = rule;
  if ('cidr6' in peer) return [];
  const from =
    'groupId' in peer
      ? `ip ${side} @${groupSet(peer.groupId)} `
      : /\/0$/.test(peer.cidr)
        ? ''
        : `ip ${side} ${ipv4(peer.cidr)} `;
  const what = protocolOf(rule);
  return what === undefined ? [] : [`${from}${what}${verdict}`];
}

function protocolOf({ protocol, from, to }: SecurityRule): string | undefined {
  const number = (value: number): number => {
    if (!Number.isInteger(value) || value < 0 || value > 65535)
      throw new Error(`${value} is no port, type or protocol.`);
    return value;
  };
  switch (protocol) {
    case 'all':
    case -1:
      return '';
    case 'tcp':
    case 'udp':
    case 6:
    case 17: {
      const name = protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : protocol;
      if (from === undefined || from < 0 || (from === 0 && to === 65535)) return `meta l4proto ${name} `;
      const last = to ?? from;
      if (last < from) return undefined;
      return `${name} dport ${number(from)}${last === from ? '' : `-${number(last)}`} `;
    }
    case 'icmp':
    case 1:
      if (from === undefined || from < 0) return 'meta l4proto icmp ';
      return `icmp type ${number(from)} ${to === undefined || to < 0 ? '' : `icmp code ${number(to)} `}`;
    default:
      return `meta l4proto ${number(protocol)} `;
  }
}
