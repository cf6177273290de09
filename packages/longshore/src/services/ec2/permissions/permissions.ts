import type { IpPermission } from '@aws-sdk/client-ec2';
import { Fault } from '../../../wire/fault.ts';
import { canonicalCidr6, formatCidr, parseCidr } from '../addresses/cidr.ts';

/** One rule of a security group without its id: exactly one of `cidr`, `cidr6` and `peerGroupId` is set. */
export interface Permission {
  readonly protocol: string;
  readonly fromPort: number | null;
  readonly toPort: number | null;
  readonly cidr: string | null;
  readonly cidr6: string | null;
  readonly peerGroupId: string | null;
  readonly description: string | null;
}

/** The members that say in the old way what one `IpPermissions` entry says. */
export interface FlatPermission {
  readonly IpProtocol?: string | undefined;
  readonly FromPort?: number | undefined;
  readonly ToPort?: number | undefined;
  readonly CidrIp?: string | undefined;
}

const protocolNames: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };

/**
 * The single rules that `IpPermissions` and the old members ask for, checked and in canonical form
 * (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html).
 * `peer` turns a reference to a group into its id, or throws.
 */
export function parsePermissions(
  entries: readonly IpPermission[],
  peer: (pair: { readonly GroupId?: string | undefined; readonly GroupName?: string | undefined }) => string,
): Permission[] {
  return entries.flatMap((entry) => {
    const ports = parsePorts(entry);
    const rule = (source: Partial<Permission>, description: string | undefined): Permission => ({
      ...ports,
      cidr: null,
      cidr6: null,
      peerGroupId: null,
      ...source,
      description: parseDescription(description),
    });
    if (entry.PrefixListIds?.length) {
      throw new Fault('NotImplementedException', 'Rules that name a prefix list are not implemented.');
    }
    const rules = [
      ...(entry.IpRanges ?? []).map((range) => rule({ cidr: parseRange(range.CidrIp) }, range.Description)),
      ...(entry.Ipv6Ranges ?? []).map((range) => rule({ cidr6: parseRange6(range.CidrIpv6) }, range.Description)),
      ...(entry.UserIdGroupPairs ?? []).map((pair) => rule({ peerGroupId: peer(pair) }, pair.Description)),
    ];
    if (rules.length === 0) {
      throw new Fault(
        'MissingParameter',
        'Either a CIDR block, prefix list or source security group must be specified.',
      );
    }
    return rules;
  });
}

/** The protocol and ports of a rule; ports are null where the protocol has none. */
export function parsePorts(entry: FlatPermission): Pick<Permission, 'protocol' | 'fromPort' | 'toPort'> {
  const protocol = parseProtocol(entry.IpProtocol);
  if (protocol === '-1') return { protocol, fromPort: null, toPort: null };
  const { FromPort: from, ToPort: to } = entry;
  if (protocol === 'tcp' || protocol === 'udp') {
    if (from === undefined || to === undefined) {
      throw bad("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
    }
    for (const port of [from, to]) if (port < 0 || port > 65_535) throw bad(`TCP/UDP port (${port}) out of range`);
    if (from > to) throw bad(`Invalid TCP/UDP port range (${from}:${to})`);
    return { protocol, fromPort: from, toPort: to };
  }
  if (protocol === 'icmp' || protocol === 'icmpv6') {
    const [type, code] = [from ?? -1, to ?? -1];
    if (type < -1 || type > 255) throw bad(`ICMP type (${type}) out of range`);
    if (code < -1 || code > 255) throw bad(`ICMP code (${code}) out of range`);
    if (type === -1 && code !== -1) throw bad(`ICMP code (${code}) requires an ICMP type`);
    return { protocol, fromPort: type, toPort: code };
  }
  return { protocol, fromPort: null, toPort: null };
}

function parseProtocol(text: string | undefined): string {
  if (text === undefined || text === '')
    throw new Fault('MissingParameter', 'The request must contain the parameter ipProtocol');
  const name = text.toLowerCase();
  if (name === '-1' || name === 'all') return '-1';
  if (Object.values(protocolNames).includes(name)) return name;
  if (!/^\d{1,3}$/.test(name) || Number(name) > 255) {
    throw bad(`Invalid value '${text}' for IP protocol. Unknown protocol.`);
  }
  return protocolNames[String(Number(name))] ?? String(Number(name));
}

/** An IPv4 range in canonical text. Throws InvalidParameterValue. */
export function parseRange(text: string | undefined): string {
  const cidr = parseCidr(text ?? '');
  if (!cidr) throw bad(`CIDR block ${text ?? ''} is malformed`);
  return formatCidr(cidr);
}

/** An IPv6 range in canonical text. Throws InvalidParameterValue. */
export function parseRange6(text: string | undefined): string {
  const cidr = canonicalCidr6(text ?? '');
  if (!cidr) throw bad(`CIDR block ${text ?? ''} is malformed`);
  return cidr;
}

/** A rule's description, null where there is none. Throws InvalidParameterValue. */
export function parseDescription(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (text.length > 255 || !/^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]*$/.test(text)) {
    throw bad(
      'Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*',
    );
  }
  return text;
}

/** Two rules with the same key are the same rule, whatever their descriptions say. */
export function permissionKey(rule: Permission): string {
  return [rule.protocol, rule.fromPort, rule.toPort, rule.cidr, rule.cidr6, rule.peerGroupId].join('|');
}

/** A rule in the words of InvalidPermission.Duplicate. */
export function permissionWords(rule: Permission): string {
  const peer = rule.cidr ?? rule.cidr6 ?? rule.peerGroupId;
  const protocol = rule.protocol === '-1' ? 'ALL' : rule.protocol.toUpperCase();
  const ports = rule.fromPort === null ? '' : `, from port: ${rule.fromPort}, to port: ${rule.toPort}`;
  return `peer: ${peer}, ${protocol}${ports}, ALLOW`;
}

/** Single rules as `IpPermissions`: those of one protocol and port range make one entry. */
export function formatPermissions(rules: readonly Permission[], accountId: string): IpPermission[] {
  const entries = new Map<string, IpPermission>();
  for (const rule of rules) {
    const key = `${rule.protocol}|${rule.fromPort}|${rule.toPort}`;
    const entry = entries.get(key) ?? {
      IpProtocol: rule.protocol,
      ...(rule.fromPort !== null && rule.toPort !== null ? { FromPort: rule.fromPort, ToPort: rule.toPort } : {}),
      UserIdGroupPairs: [],
      IpRanges: [],
      Ipv6Ranges: [],
      PrefixListIds: [],
    };
    entries.set(key, entry);
    const description = rule.description === null ? {} : { Description: rule.description };
    if (rule.cidr !== null) entry.IpRanges?.push({ CidrIp: rule.cidr, ...description });
    if (rule.cidr6 !== null) entry.Ipv6Ranges?.push({ CidrIpv6: rule.cidr6, ...description });
    if (rule.peerGroupId !== null) {
      entry.UserIdGroupPairs?.push({ GroupId: rule.peerGroupId, UserId: accountId, ...description });
    }
  }
  return [...entries.values()];
}

function bad(message: string): Fault {
  return new Fault('InvalidParameterValue', message);
}
