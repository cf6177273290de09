import type { LoadBalancerObservation, LoadBalancersDocument } from '../protocol/documents.ts';

/** The data plane of every load balancer on this machine. HAProxy processes outlive this process and are taken up again. */
export interface Balancer {
  /** Takes up HAProxy processes that an earlier process left running. */
  start(): Promise<void>;
  /** Applies the difference between the document and what runs. Calls are serialised; resolves when traffic follows it. */
  apply(document: LoadBalancersDocument): Promise<void>;
  /** Calls `listener` with every load balancer's observation, whole, at once and whenever one changes. */
  onObservation(listener: (observations: readonly LoadBalancerObservation[]) => void): void;
  /** Ends health checks and supervision; leaves HAProxy serving. */
  stop(): Promise<void>;
  /** Ends every HAProxy of this Longshore and removes its files. For `longshore down`. */
  destroy(): Promise<void>;
}
