const directions: Readonly<Record<string, string>> = {
  central: 'c',
  east: 'e',
  gov: 'g',
  iso: 'i',
  isob: 'ib',
  north: 'n',
  northeast: 'ne',
  northwest: 'nw',
  south: 's',
  southeast: 'se',
  southwest: 'sw',
  west: 'w',
};

/** The region's three availability zones, e.g. `eu-central-1a` with its id `euc1-az1`. */
export function availabilityZones(region: string): readonly { readonly name: string; readonly id: string }[] {
  const [area = region, ...rest] = region.split('-');
  const prefix = area + rest.map((part) => directions[part] ?? part).join('');
  return ['a', 'b', 'c'].map((letter, index) => ({ name: `${region}${letter}`, id: `${prefix}-az${index + 1}` }));
}

/** The id of a zone by its name; undefined where the region has no such zone. */
export function zoneId(region: string, zone: string): string | undefined {
  return availabilityZones(region).find(({ name }) => name === zone)?.id;
}

/** The name that AWS gives an address inside a VPC, e.g. `ip-172-31-0-4.ec2.internal`. */
export function privateDnsName(region: string, address: string): string {
  return `ip-${address.replaceAll('.', '-')}.${internalDomain(region)}`;
}

/** The domain that a VPC's DHCP options name. */
export function internalDomain(region: string): string {
  return region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;
}
