import type {
  AvailabilityZone,
  DescribeAccountAttributesRequest,
  DescribeAccountAttributesResult,
  DescribeAvailabilityZonesRequest,
  DescribeAvailabilityZonesResult,
  DescribeRegionsRequest,
  DescribeRegionsResult,
  Region,
} from '@aws-sdk/client-ec2';
import { availabilityZones } from '../addresses/zones.ts';
import { describe, given, requireAll } from '../describe.ts';
import { invalidValue } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';

/** Where this Longshore says that it is: one region of three zones. */
export function regionOperations({ store, settings }: Ec2Parts): Operations {
  const { region } = settings;

  const zones = async (input: DescribeAvailabilityZonesRequest): Promise<DescribeAvailabilityZonesResult> => {
    const all = availabilityZones(region).map(
      ({ name, id }): AvailabilityZone => ({
        ZoneName: name,
        ZoneId: id,
        RegionName: region,
        GroupName: `${region}-zg-1`,
        NetworkBorderGroup: region,
        State: 'available',
        OptInStatus: 'opt-in-not-required',
        ZoneType: 'availability-zone',
        Messages: [],
      }),
    );
    const names = given(input.ZoneNames);
    const ids = given(input.ZoneIds);
    requireAll(
      names,
      all.map((zone) => zone.ZoneName ?? ''),
      (name) => invalidValue(`Invalid availability zone: [${name}]`),
    );
    requireAll(
      ids,
      all.map((zone) => zone.ZoneId ?? ''),
      (id) => invalidValue(`Invalid availability zone-id: [${id}]`),
    );
    const wanted = all.filter(
      ({ ZoneName = '', ZoneId = '' }) => (names?.includes(ZoneName) ?? true) && (ids?.includes(ZoneId) ?? true),
    );
    const { items } = describe(
      wanted,
      { Filters: input.Filters },
      { id: (zone) => zone.ZoneName, tags: () => [], fields: zoneFields },
    );
    return { AvailabilityZones: items };
  };

  const regions = async (input: DescribeRegionsRequest): Promise<DescribeRegionsResult> => {
    requireAll(given(input.RegionNames), [region], (name) => invalidValue(`Invalid region name: [${name}]`));
    const own: Region = {
      RegionName: region,
      Endpoint: `ec2.${region}.amazonaws.com`,
      OptInStatus: 'opt-in-not-required',
    };
    const { items } = describe(
      [own],
      { Filters: input.Filters },
      { id: (one) => one.RegionName, tags: () => [], fields: regionFields },
    );
    return { Regions: items };
  };

  const accountAttributes = async (
    input: DescribeAccountAttributesRequest,
  ): Promise<DescribeAccountAttributesResult> => {
    const vpc = await store.db.selectFrom('ec2_vpcs').select('vpcId').where('isDefault', '=', 1).executeTakeFirst();
    const values: Record<string, string> = {
      'supported-platforms': 'VPC',
      'default-vpc': vpc?.vpcId ?? 'none',
      'vpc-max-security-groups-per-interface': '5',
    };
    const names = given(input.AttributeNames);
    return {
      AccountAttributes: Object.entries(values)
        .filter(([name]) => (names as readonly string[] | undefined)?.includes(name) ?? true)
        .map(([AttributeName, AttributeValue]) => ({ AttributeName, AttributeValues: [{ AttributeValue }] })),
    };
  };

  return {
    DescribeAvailabilityZones: operation(zones),
    DescribeRegions: operation(regions),
    DescribeAccountAttributes: operation(accountAttributes),
  };
}

const zoneFields: FilterFields<AvailabilityZone> = {
  'group-name': (zone) => zone.GroupName,
  'opt-in-status': (zone) => zone.OptInStatus,
  'region-name': (zone) => zone.RegionName,
  state: (zone) => zone.State,
  'zone-id': (zone) => zone.ZoneId,
  'zone-name': (zone) => zone.ZoneName,
  'zone-type': (zone) => zone.ZoneType,
};

const regionFields: FilterFields<Region> = {
  endpoint: (region) => region.Endpoint,
  'opt-in-status': (region) => region.OptInStatus,
  'region-name': (region) => region.RegionName,
};
