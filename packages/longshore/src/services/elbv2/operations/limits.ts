import type {
  DescribeAccountLimitsInput,
  DescribeAccountLimitsOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { type Operations, operation } from '../operation.ts';
import { page } from '../pages.ts';

/** The limits that are kept here, by AWS's names. */
const limits: Readonly<Record<string, number>> = {
  'application-load-balancers-listeners': 50,
  'condition-values-per-alb-rule': 5,
  'condition-wildcards-per-alb-rule': 6,
  'rules-per-application-load-balancer': 100,
  'target-groups-per-action-on-application-load-balancer': 5,
  'targets-per-target-group': 1000,
};

/** What the account may have. */
export function limitOperations(): Operations {
  const describe = async (input: DescribeAccountLimitsInput): Promise<DescribeAccountLimitsOutput> => {
    const all = Object.entries(limits)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([Name, max]) => ({ Name, Max: String(max) }));
    const { items, next } = page(all, (limit) => limit.Name, input);
    return { Limits: items, ...next };
  };
  return { DescribeAccountLimits: operation(describe) };
}
