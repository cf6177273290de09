/** Which of botocore's models we take, under which name, and what of each. */
export interface Selection {
  /** Our file's name. */
  readonly name: string;
  /** botocore's folder. */
  readonly source: string;
  /** The SDK's package, asked for operations that botocore does not know yet: their names are kept. */
  readonly client: string;
  /** Keeps shapes only for operations of which this is true; every operation's name is kept. */
  keep?(operation: string): boolean;
  /** Error codes that the service answers but its model does not name. */
  readonly extraErrors?: readonly string[];
}

/** EC2's operations on what a VPC consists of; the names of the others stay known, so that they answer NotImplementedException. */
const vpcSubjects = [
  'Vpcs?',
  'DefaultVpc',
  'DefaultSubnet',
  'VpcAttribute',
  'VpcCidrBlock',
  'VpcTenancy',
  'Subnets?',
  'SubnetAttribute',
  'SubnetCidrBlock',
  'SubnetCidrReservations?',
  'RouteTables?',
  'RouteTableAssociation',
  'Route',
  'SecurityGroups?',
  'SecurityGroupRules',
  'SecurityGroupRuleDescriptions(Ingress|Egress)',
  'SecurityGroup(Ingress|Egress)',
  'SecurityGroupReferences',
  'SecurityGroupsForVpc',
  'SecurityGroupVpc',
  'SecurityGroupVpcAssociations',
  'StaleSecurityGroups',
  'NetworkInterfaces?',
  'NetworkInterfaceAttribute',
  'NetworkInterfacePermissions?',
  'PrivateIpAddresses',
  'Ipv6Addresses',
  'InternetGateways?',
  'EgressOnlyInternetGateways?',
  'NatGateways?',
  'NatGatewayAddress',
  'PrivateNatGatewayAddress',
  'Address',
  'Addresses',
  'AddressesAttribute',
  'AddressAttribute',
  'NetworkAcls?',
  'NetworkAclEntry',
  'NetworkAclAssociation',
  'DhcpOptions',
  'VpcEndpoints?',
  'VpcEndpointServices',
  'VpcPeeringConnections?',
  'Tags',
  'AvailabilityZones',
  'Regions',
  'AccountAttributes',
  'Instances',
  'InstanceTypes',
  'InstanceTypeOfferings',
  'InstanceStatus',
  'InstanceAttribute',
  'KeyPairs?',
  'PrefixLists',
  'ManagedPrefixLists?',
  'ManagedPrefixListEntries',
  'ManagedPrefixListAssociations',
].join('|');

const verbs =
  '(?:Accept|Allocate|Assign|Associate|Attach|Authorize|Create|Delete|Describe|Detach|Disassociate|Get|Import|Modify|Move|Reject|Release|Replace|Reset|Restore|Revoke|Unassign|Update)';

const vpcOperation = new RegExp(`^${verbs}(?:${vpcSubjects})$`);

/** Codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html that VPC operations answer; EC2's model names none. */
const ec2Errors = `
AddressLimitExceeded AuthFailure Blocked CannotDelete ClientError.InvalidParameterValue ConcurrentCreateRouteTable DefaultSubnetAlreadyExistsInAvailabilityZone
DefaultVpcAlreadyExists DefaultVpcDoesNotExist DependencyViolation DryRunOperation FilterLimitExceeded Gateway.NotAttached GatewayLimitExceeded
IdempotentParameterMismatch IncompleteSignature IncorrectState InsufficientFreeAddressesInSubnet InternalError InternetGatewayLimitExceeded
InvalidAddress.InUse InvalidAddress.Locked InvalidAddress.NotFound InvalidAddressID.NotFound InvalidAllocationID.NotFound InvalidAssociationID.NotFound
InvalidAttachment.InUse InvalidAttachmentID.NotFound InvalidAvailabilityZone InvalidAZ InvalidCIDR.InUse InvalidCidr.InUse InvalidDhcpOptionID.NotFound
InvalidDhcpOptionsID.NotFound InvalidDhcpOptionsId.Malformed InvalidFilter InvalidGatewayID.NotFound InvalidGroup.Duplicate InvalidGroup.InUse InvalidGroup.NotFound
InvalidGroup.Reserved InvalidGroupId.Malformed InvalidID InvalidIPAddress.InUse InvalidInput InvalidInstanceID.Malformed InvalidInstanceID.NotFound
InvalidInstanceType InvalidInterface.IpAddressLimitExceeded InvalidInternetGatewayID.NotFound InvalidInternetGatewayId.Malformed InvalidKey.Format
InvalidKeyPair.Duplicate InvalidKeyPair.Format InvalidKeyPair.NotFound InvalidMaxResults InvalidNatGatewayID.NotFound InvalidNetworkAclEntry.NotFound InvalidNetworkAclID.NotFound
InvalidNetworkInterface.InUse InvalidNetworkInterface.NotFound InvalidNetworkInterfaceAttachmentId.Malformed InvalidNetworkInterfaceID.NotFound InvalidNetworkInterfaceId.Malformed
InvalidNextToken InvalidPaginationToken InvalidParameter InvalidParameterCombination InvalidParameterValue InvalidPermission.Duplicate InvalidPermission.Malformed
InvalidPermission.NotFound InvalidPrefixListID.NotFound InvalidPrefixListId.NotFound InvalidQueryParameter InvalidRequest InvalidRoute.InvalidState InvalidRoute.Malformed InvalidRoute.NotFound
InvalidRouteTableID.NotFound InvalidRouteTableId.Malformed InvalidSecurity.RequestHasExpired InvalidSecurityGroupID.NotFound InvalidSecurityGroupRuleId.Malformed
InvalidSecurityGroupRuleId.NotFound InvalidServiceName InvalidState InvalidSubnet InvalidSubnet.Conflict InvalidSubnet.Range InvalidSubnetID.NotFound InvalidSubnetId.Malformed InvalidTagKey.Malformed
InvalidVpc.Range InvalidVpcEndpoint.NotFound InvalidVpcEndpointId.NotFound InvalidVpcID.Malformed InvalidVpcID.NotFound InvalidVpcId.Malformed InvalidVpcPeeringConnectionID.NotFound
InvalidZone.NotFound MalformedQueryString MaxNetworkAclEntriesExceeded MissingAction MissingAuthenticationToken MissingInput MissingParameter NatGatewayLimitExceeded NatGatewayMalformed
NatGatewayNotFound NetworkAclEntryAlreadyExists NetworkAclEntryLimitExceeded NetworkAclLimitExceeded NetworkInterfaceLimitExceeded NetworkInterfaceNotFoundException OperationNotPermitted
PrivateIpAddressLimitExceeded RequestExpired RequestLimitExceeded Resource.AlreadyAssociated ResourceCountExceeded RouteAlreadyExists RouteLimitExceeded RouteTableLimitExceeded
RulesPerSecurityGroupLimitExceeded SecurityGroupLimitExceeded SecurityGroupsPerInterfaceLimitExceeded SecurityGroupsPerInstanceLimitExceeded SignatureDoesNotMatch SubnetLimitExceeded
TagLimitExceeded UnauthorizedOperation Unavailable UnknownParameter UnknownPrincipalType.Unsupported Unsupported UnsupportedOperation VolumeInUse VpcCidrConflict VpcEndpointLimitExceeded
VpcLimitExceeded
`
  .trim()
  .split(/\s+/);

const queryErrors = ['AccessDenied', 'InvalidParameterValue', 'MissingParameter', 'ValidationError'];

export const selections: readonly Selection[] = [
  { name: 'ecs', source: 'ecs', client: '@aws-sdk/client-ecs' },
  { name: 'ecr', source: 'ecr', client: '@aws-sdk/client-ecr', extraErrors: ['RegistryPolicyNotFoundException'] },
  {
    name: 'elbv2',
    source: 'elbv2',
    client: '@aws-sdk/client-elastic-load-balancing-v2',
    extraErrors: [...queryErrors, 'Throttling'],
  },
  {
    name: 'ec2',
    source: 'ec2',
    client: '@aws-sdk/client-ec2',
    keep: (operation) => vpcOperation.test(operation),
    extraErrors: ec2Errors,
  },
  {
    name: 'iam',
    source: 'iam',
    client: '@aws-sdk/client-iam',
    extraErrors: [...queryErrors, 'InvalidClientTokenId', 'Throttling'],
  },
  {
    name: 'sts',
    source: 'sts',
    client: '@aws-sdk/client-sts',
    extraErrors: [...queryErrors, 'InvalidClientTokenId', 'Throttling'],
  },
  { name: 'logs', source: 'logs', client: '@aws-sdk/client-cloudwatch-logs' },
  { name: 'cloudwatch', source: 'cloudwatch', client: '@aws-sdk/client-cloudwatch', extraErrors: queryErrors },
  {
    name: 'application-autoscaling',
    source: 'application-autoscaling',
    client: '@aws-sdk/client-application-auto-scaling',
  },
  { name: 'events', source: 'events', client: '@aws-sdk/client-eventbridge' },
  { name: 's3', source: 's3', client: '@aws-sdk/client-s3' },
  { name: 'eks', source: 'eks', client: '@aws-sdk/client-eks' },
];
