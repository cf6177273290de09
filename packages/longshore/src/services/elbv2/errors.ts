import type { Elbv2ErrorCode } from '../../models/errors.ts';
import { type Fault, faults } from '../../wire/fault.ts';

/** A fault with one of ELBv2's codes. */
export const fault = faults<Elbv2ErrorCode>();

export const loadBalancerNotFound = (arn: string): Fault =>
  fault('LoadBalancerNotFound', `Load balancer '${arn}' not found`);
export const loadBalancersNotFound = (): Fault => fault('LoadBalancerNotFound', 'One or more load balancers not found');
export const targetGroupNotFound = (): Fault => fault('TargetGroupNotFound', 'One or more target groups not found');
export const listenerNotFound = (): Fault => fault('ListenerNotFound', 'One or more listeners not found');
export const ruleNotFound = (): Fault => fault('RuleNotFound', 'One or more rules not found');
export const invalid = (message: string): Fault => fault('ValidationError', message);
export const notYet = (what: string): Fault =>
  fault('NotImplementedException', `${what} not implemented by Longshore yet.`);

/** The value of a member that the operation needs though its model does not say so. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined || value === '') throw invalid(`A ${name} must be specified`);
  return value;
}
