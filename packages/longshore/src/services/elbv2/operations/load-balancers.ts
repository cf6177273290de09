import type {
  CreateLoadBalancerInput,
  CreateLoadBalancerOutput,
  DeleteLoadBalancerInput,
  DeleteLoadBalancerOutput,
  DescribeLoadBalancersInput,
  DescribeLoadBalancersOutput,
  LoadBalancer,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kysely } from 'kysely';
import { loadBalancerArn } from '../arns.ts';
import { fault, invalid, loadBalancerNotFound, loadBalancersNotFound, notYet } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import { page } from '../pages.ts';
import { removeLoadBalancer } from '../removal.ts';
import type { Elbv2Tables, LoadBalancerRow, ZoneRow } from '../tables.ts';
import { checkedTags, putTags } from '../tags.ts';
import { checkSecurityGroups, checkSubnets, insertZone } from '../zones.ts';

/** Route 53's zone of load balancer names in us-east-1: clients only ever pass it on. */
const hostedZone = 'Z35SXDOTRQ7X7K';

/** Creating, describing and deleting load balancers. */
export function loadBalancerOperations(parts: Elbv2Parts): Operations {
  const { store, settings } = parts;

  const create = async (input: CreateLoadBalancerInput): Promise<CreateLoadBalancerOutput> => {
    const name = checkName(input.Name ?? '');
    refuseUnserved(input);
    const scheme = input.Scheme ?? 'internet-facing';
    const subnetIds = subnetsOf(input);
    const subnets = await checkSubnets(parts.ec2, subnetIds, scheme);
    const vpcId = subnets[0]!.vpcId;
    const groupIds = await checkSecurityGroups(parts.ec2, vpcId, input.SecurityGroups ?? []);
    const tags = checkedTags(input.Tags);
    const arn = await store.transaction(async (tx) => {
      const existing = await tx.db
        .selectFrom('elbv2_load_balancers')
        .selectAll()
        .where('name', '=', name)
        .executeTakeFirst();
      if (existing) {
        const zones = await tx.db
          .selectFrom('elbv2_zones')
          .select('subnetId')
          .where('loadBalancerArn', '=', existing.arn)
          .execute();
        const same =
          existing.scheme === scheme &&
          sameSet(JSON.parse(existing.securityGroups), groupIds) &&
          sameSet(
            zones.map((zone) => zone.subnetId),
            subnetIds,
          );
        if (same) return existing.arn;
        throw fault(
          'DuplicateLoadBalancerName',
          `A load balancer with the same name '${name}' exists, but with different settings`,
        );
      }
      const made = loadBalancerArn(settings, name, parts.random.hex(16));
      await tx.db
        .insertInto('elbv2_load_balancers')
        .values({
          arn: made,
          name,
          dnsName: dnsName(parts, name, scheme),
          scheme,
          vpcId,
          state: 'provisioning',
          reason: null,
          securityGroups: JSON.stringify(groupIds),
          attributes: '{}',
          createdAt: parts.clock.now(),
        })
        .execute();
      for (const [position, subnet] of subnets.entries()) {
        await insertZone(tx, parts, { arn: made, scheme, groupIds }, subnet, position);
      }
      await putTags(tx, made, tags);
      tx.changed('elbv2.load-balancer', made);
      return made;
    });
    return { LoadBalancers: await loadBalancerViews(store.db, [arn]) };
  };

  const describe = async (input: DescribeLoadBalancersInput): Promise<DescribeLoadBalancersOutput> => {
    const { LoadBalancerArns: arns = [], Names: names = [] } = input;
    if (arns.length > 0 && names.length > 0)
      throw invalid('Load balancer names and ARNs cannot be specified at the same time');
    let query = store.db.selectFrom('elbv2_load_balancers').select(['arn', 'name']).orderBy('arn');
    if (arns.length > 0) query = query.where('arn', 'in', arns);
    if (names.length > 0) query = query.where('name', 'in', names);
    const rows = await query.execute();
    if (arns.some((arn) => !rows.some((row) => row.arn === arn))) throw loadBalancersNotFound();
    const missing = names.filter((name) => !rows.some((row) => row.name === name));
    if (missing.length > 0) throw fault('LoadBalancerNotFound', `Load balancers '[${missing.join(', ')}]' not found`);
    const { items, next } = page(rows, (row) => row.arn, input);
    return {
      LoadBalancers: await loadBalancerViews(
        store.db,
        items.map(({ arn }) => arn),
      ),
      ...next,
    };
  };

  /** AWS answers success where the load balancer is gone already. */
  const remove = async ({ LoadBalancerArn: arn = '' }: DeleteLoadBalancerInput): Promise<DeleteLoadBalancerOutput> => {
    await store.transaction(async (tx) => {
      const row = await tx.db
        .selectFrom('elbv2_load_balancers')
        .select('attributes')
        .where('arn', '=', arn)
        .executeTakeFirst();
      if (!row) return;
      if (JSON.parse(row.attributes)['deletion_protection.enabled'] === 'true') {
        throw fault(
          'OperationNotPermitted',
          `Load balancer '${arn}' cannot be deleted because deletion protection is enabled`,
        );
      }
      await removeLoadBalancer(tx, parts, arn);
    });
    return {};
  };

  return {
    CreateLoadBalancer: operation(create, (input) => [loadBalancerArn(settings, input.Name ?? '', '*')]),
    DescribeLoadBalancers: operation(describe),
    DeleteLoadBalancer: operation(remove, (input) => [input.LoadBalancerArn]),
  };
}

/** The row, or a thrown LoadBalancerNotFound. */
export async function takeLoadBalancer(db: Kysely<Elbv2Tables>, arn: string | undefined): Promise<LoadBalancerRow> {
  const row = await db
    .selectFrom('elbv2_load_balancers')
    .selectAll()
    .where('arn', '=', arn ?? '')
    .executeTakeFirst();
  if (!row) throw loadBalancerNotFound(arn ?? '');
  return row;
}

async function loadBalancerViews(db: Kysely<Elbv2Tables>, arns: readonly string[]): Promise<LoadBalancer[]> {
  if (arns.length === 0) return [];
  const [rows, zones] = await Promise.all([
    db.selectFrom('elbv2_load_balancers').selectAll().where('arn', 'in', arns).orderBy('arn').execute(),
    db.selectFrom('elbv2_zones').selectAll().where('loadBalancerArn', 'in', arns).orderBy('position').execute(),
  ]);
  const zonesOf = Map.groupBy(zones, (zone) => zone.loadBalancerArn);
  return rows.map((row) => loadBalancerView(row, zonesOf.get(row.arn) ?? []));
}

function loadBalancerView(row: LoadBalancerRow, zones: readonly ZoneRow[]): LoadBalancer {
  return {
    LoadBalancerArn: row.arn,
    LoadBalancerName: row.name,
    DNSName: row.dnsName,
    CanonicalHostedZoneId: hostedZone,
    CreatedTime: new Date(row.createdAt),
    Scheme: row.scheme,
    Type: 'application',
    VpcId: row.vpcId,
    State: { Code: row.state, ...(row.reason === null ? {} : { Reason: row.reason }) },
    AvailabilityZones: zoneViews(zones),
    SecurityGroups: JSON.parse(row.securityGroups),
    IpAddressType: 'ipv4',
  };
}

/** Zones as answers show them. */
export function zoneViews(zones: readonly ZoneRow[]) {
  return zones.map(({ zone, subnetId }) => ({ ZoneName: zone, SubnetId: subnetId, LoadBalancerAddresses: [] }));
}

function checkName(name: string): string {
  if (name.length > 32) throw invalid(`The load balancer name '${name}' cannot be longer than '32' characters`);
  if (!/^[a-zA-Z0-9-]+$/.test(name)) {
    throw invalid(
      `The load balancer name '${name}' can only contain characters that are alphanumeric characters and hyphens(-)`,
    );
  }
  if (name.startsWith('-') || name.endsWith('-')) {
    throw invalid(`The load balancer name '${name}' cannot begin or end with a hyphen(-)`);
  }
  if (name.startsWith('internal-')) throw invalid(`The load balancer name '${name}' cannot begin with 'internal-'`);
  return name;
}

function refuseUnserved(input: CreateLoadBalancerInput): void {
  const { Type = 'application', IpAddressType = 'ipv4' } = input;
  if (Type !== 'application') throw notYet(`Load balancers of type '${Type}' are`);
  if (IpAddressType !== 'ipv4') throw notYet(`Load balancers of IP address type '${IpAddressType}' are`);
  if (input.CustomerOwnedIpv4Pool || input.IpamPools) throw notYet('Address pools of load balancers are');
  if (input.EnablePrefixForIpv6SourceNat === 'on') {
    throw invalid("Source NAT prefixes cannot be specified for load balancers of type 'application'");
  }
}

/** The subnets that a request names, by id or by mapping. */
export function subnetsOf(input: Pick<CreateLoadBalancerInput, 'Subnets' | 'SubnetMappings'>): readonly string[] {
  const { Subnets = [], SubnetMappings = [] } = input;
  if (Subnets.length > 0 && SubnetMappings.length > 0) {
    throw invalid('You can specify either subnets or subnet mappings, but not both');
  }
  for (const mapping of SubnetMappings) {
    if (mapping.AllocationId || mapping.PrivateIPv4Address || mapping.IPv6Address) {
      throw invalid("You cannot specify addresses in subnet mappings of load balancers of type 'application'");
    }
  }
  return Subnets.length > 0 ? Subnets : SubnetMappings.map((mapping) => mapping.SubnetId ?? '');
}

/** `NAME-1234567890.REGION.elb.localhost`: every name under `localhost` leads to this machine (RFC 6761, section 6.3). */
function dnsName({ random, settings }: Elbv2Parts, name: string, scheme: string): string {
  const digits = String(1_000_000_000 + Math.floor(random.fraction() * 9_000_000_000));
  const host = `${name}-${digits}.${settings.region}.elb.localhost`.toLowerCase();
  return scheme === 'internal' ? `internal-${host}` : host;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}
