import type { IamErrorCode } from '../../models/errors.ts';
import { type Fault, faults } from '../../wire/fault.ts';

export const fault = faults<IamErrorCode>();

/** IAM's error for what is not there: `kind` e.g. `user`, `role policy`. */
export const notFound = (kind: string, name: string): Fault =>
  fault('NoSuchEntity', `The ${kind} with name ${name} cannot be found.`);

/** IAM's error for a managed policy that is not there. */
export const policyNotFound = (arn: string): Fault => fault('NoSuchEntity', `Policy ${arn} was not found.`);
