import type { Ec2Parts, Operations } from '../operation.ts';

/** Every operation that EC2 answers here. */
export function ec2Operations(_parts: Ec2Parts): Operations {
  return {};
}
