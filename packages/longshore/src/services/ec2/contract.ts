import type { NetworksDocument } from '../../protocol/documents.ts';
import type { Tx } from '../../state/store.ts';
import type { DocumentSource } from '../contract.ts';

/** A network interface as other services see it. */
export interface NetworkInterface {
  /** `eni-…`. */
  readonly interfaceId: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly macAddress: string;
  readonly privateAddress: string;
  readonly privateDnsName: string;
  readonly publicAddress?: string;
  readonly groupIds: readonly string[];
  /** The subnet's router and prefix length, e.g. `172.31.0.1/20`. */
  readonly subnetGateway: string;
}

export interface InterfaceRequest {
  readonly subnetId: string;
  /** Empty: the VPC's default group. */
  readonly groupIds: readonly string[];
  readonly assignPublicIp: boolean;
  /** e.g. `arn:aws:ecs:…:attachment/UUID` or `ELB app/web/50dc6c495c0c9188`. */
  readonly description: string;
  /** What DescribeNetworkInterfaces shows as InterfaceType's owner, e.g. `amazon-elb`; such interfaces can't be deleted by callers. */
  readonly requesterId: string;
}

/** What other services ask of VPC. Every `tx` is the caller's own, so that an interface and its owner stand or fall together. */
export interface Ec2Contract {
  readonly networks: DocumentSource<NetworksDocument>;
  /** Throws Fault with EC2's codes: InvalidSubnetID.NotFound, InvalidGroup.NotFound, InsufficientFreeAddressesInSubnet … */
  createInterface(tx: Tx<unknown>, request: InterfaceRequest): Promise<NetworkInterface>;
  /** Frees the interface and its addresses; nothing where it is gone already. */
  deleteInterface(tx: Tx<unknown>, interfaceId: string): Promise<void>;
  /** Replaces an interface's security groups. */
  setInterfaceGroups(tx: Tx<unknown>, interfaceId: string, groupIds: readonly string[]): Promise<void>;
  interface(interfaceId: string): Promise<NetworkInterface | undefined>;
  subnet(subnetId: string): Promise<
    | {
        readonly subnetId: string;
        readonly vpcId: string;
        readonly availabilityZone: string;
        readonly cidrBlock: string;
      }
    | undefined
  >;
  securityGroup(groupId: string): Promise<{ readonly groupId: string; readonly vpcId: string } | undefined>;
  vpc(vpcId: string): Promise<
    | {
        readonly vpcId: string;
        readonly cidrBlock: string;
        readonly defaultGroupId: string;
        readonly hasInternetGateway: boolean;
      }
    | undefined
  >;
}
