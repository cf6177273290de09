import { Fault } from '../../wire/fault.ts';

/** What EC2 calls the parts of a VPC in its errors: error code, word in the sentence, and how ids start. */
const kinds = {
  vpc: ['InvalidVpcID', 'vpc ID', 'vpc-'],
  subnet: ['InvalidSubnetID', 'subnet ID', 'subnet-'],
  'security-group': ['InvalidGroup', 'security group', 'sg-'],
  'security-group-rule': ['InvalidSecurityGroupRuleId', 'security group rule ID', 'sgr-'],
  'network-interface': ['InvalidNetworkInterfaceID', 'networkInterface ID', 'eni-'],
  'internet-gateway': ['InvalidInternetGatewayID', 'internetGateway ID', 'igw-'],
  'route-table': ['InvalidRouteTableID', 'routeTable ID', 'rtb-'],
  'elastic-ip': ['InvalidAllocationID', 'allocation ID', 'eipalloc-'],
  'network-acl': ['InvalidNetworkAclID', 'networkAcl ID', 'acl-'],
  'dhcp-options': ['InvalidDhcpOptionID', 'dhcpOption ID', 'dopt-'],
  association: ['InvalidAssociationID', 'association ID', ''],
} as const;

export type Kind = keyof typeof kinds;

/**
 * The fault for an id that names nothing: `.Malformed` where it can't be an id of its kind, else `.NotFound`
 * (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
 */
export function notFound(kind: Kind, id: string | undefined): Fault {
  const [code, word, prefix] = kinds[kind];
  const written = id ?? '';
  if (!written.startsWith(prefix)) {
    return new Fault(
      kind === 'security-group' ? 'InvalidGroupId.Malformed' : `${code}.Malformed`,
      `Invalid id: "${written}" (expecting "${prefix}...")`,
    );
  }
  return new Fault(`${code}.NotFound`, `The ${word} '${written}' does not exist`);
}

/** The fault for a NAT gateway that is not there, whose code has no `Invalid…`. */
export function natGatewayNotFound(id: string): Fault {
  return new Fault('NatGatewayNotFound', `NatGateway ${id} was not found`);
}

/** The fault for a member that the model leaves optional and the operation needs. */
export function missingParameter(name: string): Fault {
  return new Fault('MissingParameter', `The request must contain the parameter ${name}`);
}

/** The value of a member that the operation needs though its model does not say so. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined || value === '') throw missingParameter(name);
  return value;
}

/** The fault for a value that can't be, in `message`'s words. */
export function invalidValue(message: string): Fault {
  return new Fault('InvalidParameterValue', message);
}

/** The fault for deleting what something else still uses. `word`: what it is, e.g. `vpc`. */
export function dependency(word: string, id: string): Fault {
  return new Fault('DependencyViolation', `The ${word} '${id}' has dependencies and cannot be deleted.`);
}

/** Throws the fault for a filter that the operation does not have. */
export function unknownFilter(name: string): never {
  throw invalidValue(`The filter '${name}' is invalid`);
}

/** The fault for a page token that is none of ours. */
export function badToken(token: string): Fault {
  return new Fault('InvalidNextToken', `The token '${token}' is invalid.`);
}

/** The fault for what is not served; `what` ends with `is` or `are`. */
export function notYet(what: string): Fault {
  return new Fault('NotImplementedException', `${what} not implemented by Longshore yet.`);
}
