import type { Elbv2Parts, Operations } from '../operation.ts';
import { limitOperations } from './limits.ts';
import { listenerOperations } from './listeners.ts';
import { loadBalancerSettingOperations } from './load-balancer-settings.ts';
import { loadBalancerOperations } from './load-balancers.ts';
import { ruleOperations } from './rules.ts';
import { tagOperations } from './tags.ts';
import { targetGroupOperations } from './target-groups.ts';
import { targetOperations } from './targets.ts';

/** Every operation that ELBv2 answers here. */
export function elbv2Operations(parts: Elbv2Parts): Operations {
  return {
    ...loadBalancerOperations(parts),
    ...loadBalancerSettingOperations(parts),
    ...listenerOperations(parts),
    ...ruleOperations(parts),
    ...targetGroupOperations(parts),
    ...targetOperations(parts),
    ...tagOperations(parts),
    ...limitOperations(),
  };
}
