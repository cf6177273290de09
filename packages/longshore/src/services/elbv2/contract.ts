import type {
  LoadBalancerObservation,
  LoadBalancersDocument,
  NamesDocument,
  TargetState,
} from '../../protocol/documents.ts';
import type { Tx } from '../../state/store.ts';
import type { DocumentSource } from '../contract.ts';

export interface TargetHealth {
  readonly id: string;
  readonly port: number;
  readonly state: TargetState;
  readonly reason?: string;
  readonly description?: string;
}

/** What other services ask of load balancing. Announces `elbv2.target-health` (key: target group ARN) when a target's state changes. */
export interface Elbv2Contract {
  readonly loadBalancers: DocumentSource<LoadBalancersDocument>;
  readonly names: DocumentSource<NamesDocument>;
  targetGroup(arn: string): Promise<
    | {
        readonly arn: string;
        readonly targetType: 'ip' | 'instance' | 'lambda' | 'alb';
        readonly vpcId: string;
        readonly protocol: string;
        /** Load balancers whose listeners use it. */
        readonly loadBalancerArns: readonly string[];
        readonly deregistrationDelaySeconds: number;
      }
    | undefined
  >;
  /** Idempotent. Throws Fault TargetGroupNotFound. */
  registerTargets(
    tx: Tx<unknown>,
    targetGroupArn: string,
    targets: readonly { readonly id: string; readonly port: number }[],
  ): Promise<void>;
  /** Idempotent: targets drain, and vanish from `health` when drained. */
  deregisterTargets(
    tx: Tx<unknown>,
    targetGroupArn: string,
    targets: readonly { readonly id: string; readonly port: number }[],
  ): Promise<void>;
  health(targetGroupArn: string): Promise<readonly TargetHealth[]>;
  /** What an agent saw; called by the agent gateway. */
  observed(observations: readonly LoadBalancerObservation[]): Promise<void>;
}
