import type { NetworksDocument } from '../../protocol/documents.ts';

/** A network namespace with one interface of a VPC in it (`eth0`, its address, its route), ready for a process to be put in. */
export interface AttachedInterface {
  readonly interfaceId: string;
  /** e.g. `/run/netns/ls-1a2b-eni-0123…`. */
  readonly namespacePath: string;
  readonly privateAddress: string;
  /** The address of the public pool that leads to it, where it has one. */
  readonly publicAddress?: string;
}

/** The one link between a VPC's router and the host: where the host is reached from inside the VPC. */
export interface HostLink {
  readonly vpcId: string;
  /** The host's end, from 169.254.0.0/16. */
  readonly hostAddress: string;
  /** The router's end. */
  readonly routerAddress: string;
  /** Port of `hostAddress` to which the VPC's resolver address, 169.254.169.253 port 53, leads (UDP and TCP). */
  readonly resolverPort: number;
}

/** The VPCs of this machine: router namespaces, interfaces, security groups, public addresses. */
export interface Networks {
  /** Takes up what an earlier process left on the machine. Called once, before anything else. */
  start(): Promise<void>;
  /** Applies the difference between the document and what is there: groups, rules, members, NAT. Calls are serialised. */
  apply(document: NetworksDocument): Promise<void>;
  /**
   * Makes the interface's namespace, or finds the one that is there (idempotent). Waits up to `timeoutMs` for the interface to
   * be in the document; throws Error in plain words (ContainerNetworkingError's text) where it does not come or can't be made.
   */
  attach(interfaceId: string, timeoutMs: number): Promise<AttachedInterface>;
  /** Removes namespace and interface; nothing where they are gone already. */
  detach(interfaceId: string): Promise<void>;
  /** Interfaces with a namespace on this machine. */
  attached(): Promise<readonly AttachedInterface[]>;
  /** Calls `listener` with the links of all VPCs, whole, at once and whenever a VPC comes or goes. */
  onHostLinks(listener: (links: readonly HostLink[]) => void): void;
  /** Ends helper processes; leaves all networks as they are. */
  stop(): Promise<void>;
  /** Removes everything of this Longshore's: namespaces, links, routes, nft tables. For `longshore down`. */
  destroy(): Promise<void>;
}
