import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DescribeInternetGatewaysCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { startTestServer } from '../../wire/server.testing.ts';
import { type Ec2Bench, openEc2 } from './ec2.testing.ts';

const request = { groupIds: [], assignPublicIp: true, description: 'ELB app/web/1', requesterId: 'amazon-elb' };

async function createInterface(bench: Ec2Bench, subnetId: string, more: object = {}) {
  return bench.store.transaction((tx) =>
    bench.service.contract.createInterface(tx as never, { ...request, subnetId, ...more }),
  );
}

test('the default VPC is there once, as AWS makes it', async () => {
  const bench = await openEc2();
  await bench.service.prepare?.();
  const { Vpcs } = await bench.call('DescribeVpcs', { Filters: [{ Name: 'isDefault', Values: ['true'] }] });
  assert.equal(Vpcs.length, 1);
  assert.match(Vpcs[0].VpcId, /^vpc-[0-9a-f]{17}$/);
  assert.equal(Vpcs[0].CidrBlock, '172.31.0.0/16');
  const { Subnets } = await bench.call('DescribeSubnets');
  assert.deepEqual(
    Subnets.map(
      (one: { CidrBlock: string; AvailabilityZone: string }) => `${one.CidrBlock} ${one.AvailabilityZone}`,
    ).sort(),
    ['172.31.0.0/20 us-east-1a', '172.31.16.0/20 us-east-1b', '172.31.32.0/20 us-east-1c'],
  );
  assert.equal(Subnets[0].AvailableIpAddressCount, 4091);
  const { RouteTables } = await bench.call('DescribeRouteTables', {
    Filters: [{ Name: 'association.main', Values: ['true'] }],
  });
  assert.deepEqual(
    RouteTables[0].Routes.map((one: { DestinationCidrBlock: string; State: string }) => [
      one.DestinationCidrBlock,
      one.State,
    ]),
    [
      ['0.0.0.0/0', 'active'],
      ['172.31.0.0/16', 'active'],
    ],
  );
  const { NetworkAcls } = await bench.call('DescribeNetworkAcls', { Filters: [{ Name: 'default', Values: ['true'] }] });
  assert.equal(NetworkAcls[0].Associations.length, 3);
  await assert.rejects(bench.call('CreateDefaultVpc'), { name: 'DefaultVpcAlreadyExists' });
  await bench.store.close();
});

test('an interface gets addresses, is seen in the networks document, and gives all back', async () => {
  const bench = await openEc2();
  const { contract } = bench.service;
  const [vpc] = (await contract.networks.compose()).vpcs;
  const { subnetId, cidrBlock } = vpc!.subnets[0]!;
  const made = await createInterface(bench, subnetId);
  assert.match(made.interfaceId, /^eni-[0-9a-f]{17}$/);
  assert.match(made.macAddress, /^0a(:[0-9a-f]{2}){5}$/);
  assert.equal(made.subnetGateway, cidrBlock.replace(/\.0\/20$/, '.1/20'));
  assert.equal(made.publicAddress, '100.64.0.8');
  assert.deepEqual(await contract.interface(made.interfaceId), made);
  const [document] = (await contract.networks.compose()).vpcs[0]!.interfaces;
  assert.deepEqual(document, {
    interfaceId: made.interfaceId,
    subnetId,
    macAddress: made.macAddress,
    privateAddress: made.privateAddress,
    publicAddress: made.publicAddress,
    groupIds: made.groupIds,
  });
  await assert.rejects(bench.call('DeleteNetworkInterface', { NetworkInterfaceId: made.interfaceId }), {
    message: `Network interface '${made.interfaceId}' is currently in use.`,
  });
  await bench.store.transaction((tx) => contract.deleteInterface(tx as never, made.interfaceId));
  await bench.store.transaction((tx) => contract.deleteInterface(tx as never, made.interfaceId));
  assert.deepEqual((await contract.networks.compose()).vpcs[0]!.interfaces, []);
  const again = await createInterface(bench, subnetId);
  assert.notEqual(again.privateAddress, made.privateAddress, 'an address that was just freed is not given again');
  assert.notEqual(again.publicAddress, made.publicAddress);
  await bench.store.close();
});

test('a failed transaction leaves no interface and no address taken', async () => {
  const bench = await openEc2();
  const [vpc] = (await bench.service.contract.networks.compose()).vpcs;
  const { subnetId } = vpc!.subnets[0]!;
  await assert.rejects(createInterface(bench, 'subnet-00000000000000000'), { name: 'InvalidSubnetID.NotFound' });
  await assert.rejects(createInterface(bench, subnetId, { groupIds: ['sg-00000000000000000'] }), {
    name: 'InvalidGroup.NotFound',
    message: "The security group 'sg-00000000000000000' does not exist",
  });
  await assert.rejects(
    bench.store.transaction(async (tx) => {
      await bench.service.contract.createInterface(tx as never, { ...request, subnetId });
      throw new Error('the owner could not be made');
    }),
    /could not be made/,
  );
  for (const table of ['ec2_interfaces', 'ec2_interface_groups', 'ec2_public_addresses'] as const) {
    assert.deepEqual(await bench.store.db.selectFrom(table).selectAll().execute(), []);
  }
  await bench.store.close();
});

test('subnets run out of addresses, and the pool does', async () => {
  const bench = await openEc2(undefined, '198.18.0.0/28');
  const { VpcId } = (await bench.call('CreateVpc', { CidrBlock: '10.0.0.0/16' })).Vpc;
  const { SubnetId } = (await bench.call('CreateSubnet', { VpcId, CidrBlock: '10.0.0.0/28' })).Subnet;
  for (let count = 0; count < 11; count++) await createInterface(bench, SubnetId, { assignPublicIp: false });
  await assert.rejects(createInterface(bench, SubnetId, { assignPublicIp: false }), {
    name: 'InsufficientFreeAddressesInSubnet',
  });
  for (let count = 0; count < 7; count++) await bench.call('AllocateAddress');
  await assert.rejects(bench.call('AllocateAddress'), { name: 'AddressLimitExceeded' });
  await bench.store.close();
});

test('a VPC with a private subnet behind a NAT gateway is built, and taken down in the order AWS asks for', async () => {
  const bench = await openEc2();
  const { call } = bench;
  const { VpcId } = (await call('CreateVpc', { CidrBlock: '10.0.0.0/16' })).Vpc;
  const create = async (CidrBlock: string) =>
    (await call('CreateSubnet', { VpcId, CidrBlock })).Subnet.SubnetId as string;
  const open = await create('10.0.0.0/24');
  const closed = await create('10.0.1.0/24');
  await assert.rejects(create('10.0.1.128/25'), { name: 'InvalidSubnet.Conflict' });
  await assert.rejects(create('10.1.0.0/24'), {
    name: 'InvalidSubnet.Range',
    message: "The CIDR '10.1.0.0/24' is invalid.",
  });
  const { InternetGatewayId } = (await call('CreateInternetGateway')).InternetGateway;
  await call('AttachInternetGateway', { InternetGatewayId, VpcId });
  const table = async (SubnetId: string, target: object) => {
    const { RouteTableId } = (await call('CreateRouteTable', { VpcId })).RouteTable;
    await call('CreateRoute', { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', ...target });
    const { AssociationId } = await call('AssociateRouteTable', { RouteTableId, SubnetId });
    return { RouteTableId, AssociationId };
  };
  const openTable = await table(open, { GatewayId: InternetGatewayId });
  const { AllocationId } = await call('AllocateAddress');
  const { NatGatewayId } = (await call('CreateNatGateway', { SubnetId: open, AllocationId })).NatGateway;
  const closedTable = await table(closed, { NatGatewayId });
  const internet = async () => {
    const vpc = (await bench.service.contract.networks.compose()).vpcs.find((one) => one.vpcId === VpcId);
    return [open, closed].map((id) => vpc?.subnets.find((subnet) => subnet.subnetId === id)?.internet);
  };
  assert.deepEqual(await internet(), ['gateway', 'nat']);
  await assert.rejects(
    call('CreateRoute', {
      RouteTableId: openTable.RouteTableId,
      DestinationCidrBlock: '0.0.0.0/0',
      GatewayId: InternetGatewayId,
    }),
    { name: 'RouteAlreadyExists' },
  );

  const dependency = { name: 'DependencyViolation' };
  await assert.rejects(call('DeleteVpc', { VpcId }), {
    ...dependency,
    message: `The vpc '${VpcId}' has dependencies and cannot be deleted.`,
  });
  await assert.rejects(call('DetachInternetGateway', { InternetGatewayId, VpcId }), dependency);
  await assert.rejects(call('DeleteSubnet', { SubnetId: open }), dependency);
  await assert.rejects(call('ReleaseAddress', { AllocationId }), { name: 'InvalidIPAddress.InUse' });
  await call('DeleteNatGateway', { NatGatewayId });
  const deleted = await call('DescribeNatGateways', { NatGatewayIds: [NatGatewayId] });
  assert.equal(deleted.NatGateways[0].State, 'deleted');
  assert.deepEqual(await internet(), ['gateway', 'none']);
  await call('ReleaseAddress', { AllocationId });
  await assert.rejects(call('DeleteRouteTable', { RouteTableId: closedTable.RouteTableId }), dependency);
  await call('DisassociateRouteTable', { AssociationId: closedTable.AssociationId });
  await call('DeleteRouteTable', { RouteTableId: closedTable.RouteTableId });
  await call('DeleteSubnet', { SubnetId: closed });
  await call('DeleteSubnet', { SubnetId: open });
  await call('DeleteRouteTable', { RouteTableId: openTable.RouteTableId });
  await assert.rejects(call('DeleteInternetGateway', { InternetGatewayId }), dependency);
  await call('DetachInternetGateway', { InternetGatewayId, VpcId });
  await call('DeleteInternetGateway', { InternetGatewayId });
  await call('DeleteVpc', { VpcId });
  await assert.rejects(call('DescribeVpcs', { VpcIds: [VpcId] }), {
    name: 'InvalidVpcID.NotFound',
    message: `The vpc ID '${VpcId}' does not exist`,
  });
  await bench.store.close();
});

test('security group rules are single, known by what they say, and reach nodes', async () => {
  const bench = await openEc2();
  const { call } = bench;
  const group = async (GroupName: string) =>
    (await call('CreateSecurityGroup', { GroupName, Description: 'test' })).GroupId;
  const web = await group('web');
  const lb = await group('lb');
  await assert.rejects(group('web'), { name: 'InvalidGroup.Duplicate' });
  await call('AuthorizeSecurityGroupIngress', {
    GroupName: 'lb',
    IpProtocol: 'tcp',
    FromPort: 80,
    ToPort: 80,
    CidrIp: '0.0.0.0/0',
  });
  const port = { IpProtocol: '6', FromPort: 8080, ToPort: 8080 };
  const added = await call('AuthorizeSecurityGroupIngress', {
    GroupId: web,
    IpPermissions: [
      { ...port, UserIdGroupPairs: [{ GroupId: lb, Description: 'from lb' }], IpRanges: [{ CidrIp: '10.0.0.9/8' }] },
    ],
  });
  assert.equal(added.SecurityGroupRules.length, 2);
  await assert.rejects(
    call('AuthorizeSecurityGroupIngress', {
      GroupId: web,
      IpPermissions: [{ ...port, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }],
    }),
    {
      name: 'InvalidPermission.Duplicate',
      message: 'the specified rule "peer: 10.0.0.0/8, TCP, from port: 8080, to port: 8080, ALLOW" already exists',
    },
  );
  const documents = async () =>
    (await bench.service.contract.networks.compose()).vpcs[0]!.securityGroups.find((one) => one.groupId === web)!;
  assert.deepEqual(
    (await documents()).ingress.map((rule) => JSON.stringify(rule)).sort(),
    [
      { protocol: 'tcp', from: 8080, to: 8080, peer: { cidr: '10.0.0.0/8' } },
      { protocol: 'tcp', from: 8080, to: 8080, peer: { groupId: lb } },
    ].map((rule) => JSON.stringify(rule)),
  );
  await assert.rejects(call('DeleteSecurityGroup', { GroupId: lb }), { name: 'DependencyViolation' });
  const fromLb = added.SecurityGroupRules.find((rule: { ReferencedGroupInfo?: object }) => rule.ReferencedGroupInfo);
  await call('ModifySecurityGroupRules', {
    GroupId: web,
    SecurityGroupRules: [
      {
        SecurityGroupRuleId: fromLb.SecurityGroupRuleId,
        SecurityGroupRule: { IpProtocol: 'tcp', FromPort: 9090, ToPort: 9090, ReferencedGroupId: lb },
      },
    ],
  });
  const described = await call('DescribeSecurityGroupRules', { Filters: [{ Name: 'group-id', Values: [web] }] });
  assert.deepEqual(
    described.SecurityGroupRules.map((rule: { FromPort: number }) => rule.FromPort).sort(),
    [-1, 8080, 9090],
  );
  await call('RevokeSecurityGroupIngress', { GroupId: web, SecurityGroupRuleIds: [fromLb.SecurityGroupRuleId] });
  const all = { GroupId: web, IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }] };
  await call('RevokeSecurityGroupEgress', all);
  await assert.rejects(call('RevokeSecurityGroupEgress', all), {
    name: 'InvalidPermission.NotFound',
    message: 'The specified rule does not exist in this security group.',
  });
  assert.deepEqual((await documents()).egress, []);
  await call('DeleteSecurityGroup', { GroupId: lb });
  await assert.rejects(call('DeleteSecurityGroup', { GroupName: 'default' }), { name: 'CannotDelete' });
  await bench.store.close();
});

test('an elastic IP takes the place of an interface’s own public address', async () => {
  const bench = await openEc2();
  const [vpc] = (await bench.service.contract.networks.compose()).vpcs;
  const { SubnetId } = (await bench.call('DescribeSubnets')).Subnets[0];
  const { NetworkInterface } = await bench.call('CreateNetworkInterface', { SubnetId, Description: 'mine' });
  const NetworkInterfaceId = NetworkInterface.NetworkInterfaceId;
  assert.equal(NetworkInterface.Status, 'available');
  assert.equal(vpc!.interfaces.length, 0, 'nothing runs behind it');
  const { AllocationId, PublicIp } = await bench.call('AllocateAddress');
  const { AssociationId } = await bench.call('AssociateAddress', { AllocationId, NetworkInterfaceId });
  const found = await bench.call('DescribeNetworkInterfaces', {
    Filters: [{ Name: 'association.public-ip', Values: [PublicIp] }],
  });
  assert.equal(found.NetworkInterfaces[0].Association.AssociationId, AssociationId);
  await bench.call('DeleteNetworkInterface', { NetworkInterfaceId });
  const { Addresses } = await bench.call('DescribeAddresses', { AllocationIds: [AllocationId] });
  assert.equal(Addresses[0].AssociationId, undefined);
  await bench.call('ReleaseAddress', { AllocationId });
  assert.deepEqual(await bench.store.db.selectFrom('ec2_public_addresses').selectAll().execute(), []);
  await bench.store.close();
});

test('the genuine SDK reads what is answered, by EC2’s own protocol', async () => {
  const bench = await openEc2();
  const server = await startTestServer([bench.service.definition]);
  const client = new EC2Client(server.client);
  try {
    const { Vpcs = [] } = await client.send(new DescribeVpcsCommand({}));
    const VpcId = Vpcs[0]!.VpcId!;
    assert.equal(Vpcs[0]!.IsDefault, true);
    const first = await client.send(
      new DescribeSubnetsCommand({ MaxResults: 5, Filters: [{ Name: 'vpc-id', Values: [VpcId] }] }),
    );
    assert.equal(first.Subnets?.length, 3);
    const attribute = await client.send(new DescribeVpcAttributeCommand({ VpcId, Attribute: 'enableDnsSupport' }));
    assert.equal(attribute.EnableDnsSupport?.Value, true);
    const gateways = await client.send(new DescribeInternetGatewaysCommand({}));
    assert.equal(gateways.InternetGateways?.[0]?.Attachments?.[0]?.VpcId, VpcId);
    const { GroupId = '' } = await client.send(
      new CreateSecurityGroupCommand({
        GroupName: 'web',
        Description: 'web',
        VpcId,
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'Name', Value: 'web' }] }],
      }),
    );
    await client.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [
          { IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'all' }] },
        ],
      }),
    );
    await client.send(new CreateTagsCommand({ Resources: [GroupId], Tags: [{ Key: 'team', Value: 'a' }] }));
    const { SecurityGroups = [] } = await client.send(
      new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'tag:team', Values: ['a'] }] }),
    );
    assert.deepEqual(SecurityGroups[0]?.IpPermissions?.[0]?.IpRanges, [{ CidrIp: '0.0.0.0/0', Description: 'all' }]);
    assert.deepEqual(
      SecurityGroups[0]?.Tags?.map((tag) => tag.Key),
      ['Name', 'team'],
    );
    const made = await createInterface(bench, first.Subnets![0]!.SubnetId!, { groupIds: [GroupId] });
    const { NetworkInterfaces = [] } = await client.send(
      new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'description', Values: ['ELB app/web/*'] }] }),
    );
    assert.equal(NetworkInterfaces[0]?.NetworkInterfaceId, made.interfaceId);
    assert.ok(NetworkInterfaces[0]?.Attachment?.AttachTime instanceof Date);
    await assert.rejects(client.send(new DescribeVpcsCommand({ VpcIds: ['vpc-00000000000000000'] })), {
      name: 'InvalidVpcID.NotFound',
    });
    await assert.rejects(client.send(new DescribeVpcsCommand({ DryRun: true })), { name: 'DryRunOperation' });
    await assert.rejects(client.send(new DescribeVpcsCommand({ Filters: [{ Name: 'nope', Values: ['x'] }] })), {
      name: 'InvalidParameterValue',
      message: "The filter 'nope' is invalid",
    });
  } finally {
    client.destroy();
    await server.close();
    await bench.store.close();
  }
});
