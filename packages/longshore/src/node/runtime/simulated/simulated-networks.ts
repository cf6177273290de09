import type { Balancer } from '../../../balancer/balancer.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Names } from '../../../dns/names.ts';
import type {
  LoadBalancerDocument,
  LoadBalancerObservation,
  LoadBalancersDocument,
  NetworksDocument,
  TargetObservation,
} from '../../../protocol/documents.ts';
import type { AttachedInterface, HostLink, Networks } from '../../network/networks.ts';

const pollMs = 20;

/** Networks that only keep book: an interface is attached as soon as the document names it. */
export class SimulatedNetworks implements Networks {
  readonly #clock: Clock;
  readonly #addresses = new Map<string, string>();
  readonly #attached = new Map<string, AttachedInterface>();
  #changed: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `listener` whenever an interface is attached or detached. */
  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  isUp(address: string): boolean {
    return [...this.#attached.values()].some(({ privateAddress }) => privateAddress === address);
  }

  async start(): Promise<void> {}

  async apply(document: NetworksDocument): Promise<void> {
    this.#addresses.clear();
    for (const vpc of document.vpcs)
      for (const one of vpc.interfaces) this.#addresses.set(one.interfaceId, one.privateAddress);
  }

  async attach(interfaceId: string, timeoutMs: number): Promise<AttachedInterface> {
    for (const until = this.#clock.now() + timeoutMs; ; await this.#clock.sleep(pollMs)) {
      const privateAddress = this.#addresses.get(interfaceId);
      if (privateAddress) {
        const made = { interfaceId, namespacePath: `/run/netns/simulated-${interfaceId}`, privateAddress };
        this.#attached.set(interfaceId, made);
        this.#changed();
        return made;
      }
      if (this.#clock.now() >= until) throw new Error(`network interface ${interfaceId} is not known to this node`);
    }
  }

  async detach(interfaceId: string): Promise<void> {
    if (this.#attached.delete(interfaceId)) this.#changed();
  }

  async attached(): Promise<readonly AttachedInterface[]> {
    return [...this.#attached.values()];
  }

  onHostLinks(listener: (links: readonly HostLink[]) => void): void {
    listener([]);
  }

  async stop(): Promise<void> {}
  async destroy(): Promise<void> {}
}

/** Load balancers that only observe: a target is healthy while a task with its address runs. */
export class SimulatedBalancer implements Balancer {
  readonly #networks: SimulatedNetworks;
  #document: LoadBalancersDocument = { loadBalancers: [] };
  #listener: (observations: readonly LoadBalancerObservation[]) => void = () => undefined;
  #told = '';

  constructor(networks: SimulatedNetworks) {
    this.#networks = networks;
    networks.onChange(() => this.#tell());
  }

  async start(): Promise<void> {}

  async apply(document: LoadBalancersDocument): Promise<void> {
    this.#document = document;
    this.#tell();
  }

  onObservation(listener: (observations: readonly LoadBalancerObservation[]) => void): void {
    this.#listener = listener;
    this.#told = '';
    this.#tell();
  }

  async stop(): Promise<void> {}
  async destroy(): Promise<void> {}

  #tell(): void {
    const observations = this.#document.loadBalancers.map((one) => this.#observe(one));
    const text = JSON.stringify(observations);
    if (text === this.#told) return;
    this.#told = text;
    this.#listener(observations);
  }

  #observe({ arn, targetGroups }: LoadBalancerDocument): LoadBalancerObservation {
    const targets = targetGroups.flatMap((group) =>
      group.targets.map(({ id, port, draining }): TargetObservation => {
        const target = { targetGroupArn: group.arn, id, port };
        if (draining) return { ...target, state: 'drained' };
        if (this.#networks.isUp(id)) return { ...target, state: 'healthy' };
        return { ...target, state: 'unhealthy', reason: 'Target.Timeout', description: 'Request timed out' };
      }),
    );
    return { arn, state: 'active', targets };
  }
}

/** A resolver that answers nobody. */
export const simulatedNames: Names = {
  start: async () => undefined,
  apply: () => undefined,
  stop: async () => undefined,
};
