import type {
  InterfaceDocument,
  NetworksDocument,
  SecurityGroupDocument,
  SecurityRule,
  SubnetDocument,
} from '../../protocol/documents.ts';
import type { DocumentSource } from '../contract.ts';
import type { Ec2Parts } from './operation.ts';
import type { SecurityGroupRuleRow } from './tables.ts';

/** What the nodes are told of VPCs: all of them, with every interface that something runs behind. One query a table. */
export function networksSource({ store }: Ec2Parts): DocumentSource<NetworksDocument> {
  return {
    kind: 'networks',
    topics: ['ec2.vpc', 'ec2.subnet', 'ec2.route-table', 'ec2.security-group', 'ec2.interface'],
    async compose() {
      const { db } = store;
      const [vpcs, subnets, groups, rules, interfaces, memberships, internet] = await Promise.all([
        db.selectFrom('ec2_vpcs').select(['vpcId', 'cidrBlock']).orderBy('vpcId').execute(),
        db.selectFrom('ec2_subnets').select(['subnetId', 'vpcId', 'cidrBlock']).orderBy('subnetId').execute(),
        db.selectFrom('ec2_security_groups').select(['groupId', 'vpcId']).orderBy('groupId').execute(),
        db.selectFrom('ec2_security_group_rules').selectAll().orderBy('ruleId').execute(),
        db
          .selectFrom('ec2_interfaces')
          .select(['interfaceId', 'subnetId', 'vpcId', 'macAddress', 'privateAddress', 'publicAddress'])
          .where('inUse', '=', 1)
          .where('interfaceType', '!=', 'nat_gateway')
          .execute(),
        db.selectFrom('ec2_interface_groups').select(['interfaceId', 'groupId']).orderBy('position').execute(),
        subnetInternet(store.db),
      ]);
      const groupsOf = collect(memberships, 'interfaceId', (row) => row.groupId);
      const rulesOf = collect(rules, 'groupId', (row) => row);
      const subnetsOf = collect(
        subnets,
        'vpcId',
        ({ subnetId, vpcId, cidrBlock }): SubnetDocument => ({
          subnetId,
          cidrBlock,
          internet: internet(subnetId, vpcId),
        }),
      );
      const securityGroupsOf = collect(groups, 'vpcId', ({ groupId }): SecurityGroupDocument => {
        const own = rulesOf.get(groupId) ?? [];
        return {
          groupId,
          ingress: own.filter((rule) => rule.egress === 0).map(ruleDocument),
          egress: own.filter((rule) => rule.egress === 1).map(ruleDocument),
        };
      });
      const interfacesOf = collect(
        interfaces,
        'vpcId',
        ({ interfaceId, subnetId, macAddress, privateAddress, publicAddress }): InterfaceDocument => ({
          interfaceId,
          subnetId,
          macAddress,
          privateAddress,
          ...(publicAddress === null ? {} : { publicAddress }),
          groupIds: groupsOf.get(interfaceId) ?? [],
        }),
      );
      return {
        vpcs: vpcs.map(({ vpcId, cidrBlock }) => ({
          vpcId,
          cidrBlocks: [cidrBlock],
          subnets: subnetsOf.get(vpcId) ?? [],
          securityGroups: securityGroupsOf.get(vpcId) ?? [],
          interfaces: interfacesOf.get(vpcId) ?? [],
        })),
      };
    },
  };
}

/** Where each subnet's route table sends 0.0.0.0/0: its own table's route, else the VPC's main one's. */
async function subnetInternet(
  db: Ec2Parts['store']['db'],
): Promise<(subnetId: string, vpcId: string) => SubnetDocument['internet']> {
  const [associations, routes, internetGateways, natGateways] = await Promise.all([
    db.selectFrom('ec2_route_table_associations').select(['routeTableId', 'vpcId', 'subnetId']).execute(),
    db.selectFrom('ec2_routes').select(['routeTableId', 'target']).where('destination', '=', '0.0.0.0/0').execute(),
    db.selectFrom('ec2_internet_gateways').select(['internetGatewayId', 'vpcId']).execute(),
    db
      .selectFrom('ec2_nat_gateways')
      .select('natGatewayId')
      .where('deletedAt', 'is', null)
      .where('connectivityType', '=', 'public')
      .execute(),
  ]);
  const tableOf = new Map(associations.map((row) => [row.subnetId ?? row.vpcId, row.routeTableId]));
  const targetOf = new Map(routes.map((row) => [row.routeTableId, row.target]));
  const vpcOf = new Map(internetGateways.map((row) => [row.internetGatewayId, row.vpcId]));
  const nats = new Set(natGateways.map((row) => row.natGatewayId));
  return (subnetId, vpcId) => {
    const target = targetOf.get(tableOf.get(subnetId) ?? tableOf.get(vpcId) ?? '');
    if (target === undefined) return 'none';
    if (vpcOf.get(target) === vpcId) return 'gateway';
    return nats.has(target) ? 'nat' : 'none';
  };
}

function ruleDocument(rule: SecurityGroupRuleRow): SecurityRule {
  const ports = rule.fromPort === null || rule.toPort === null ? {} : { from: rule.fromPort, to: rule.toPort };
  return { protocol: protocolOf(rule.protocol), ...ports, peer: peerOf(rule) };
}

function protocolOf(protocol: string): SecurityRule['protocol'] {
  switch (protocol) {
    case '-1':
      return 'all';
    case 'tcp':
    case 'udp':
    case 'icmp':
      return protocol;
    case 'icmpv6':
      return 58;
    default:
      return Number(protocol);
  }
}

function peerOf({ cidr, cidr6, peerGroupId }: SecurityGroupRuleRow): SecurityRule['peer'] {
  if (cidr !== null) return { cidr };
  return cidr6 !== null ? { cidr6 } : { groupId: peerGroupId ?? '' };
}

function collect<Row, Key extends keyof Row, Value>(
  rows: readonly Row[],
  key: Key,
  value: (row: Row) => Value,
): Map<Row[Key], Value[]> {
  const map = new Map<Row[Key], Value[]>();
  for (const row of rows) {
    const list = map.get(row[key]);
    if (list) list.push(value(row));
    else map.set(row[key], [value(row)]);
  }
  return map;
}
