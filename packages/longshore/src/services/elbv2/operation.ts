import type { Tx } from '../../state/store.ts';
import type { AnyOperation, Operation, RequestContext } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { Ec2Contract } from '../ec2/contract.ts';
import type { IamContract } from '../iam/contract.ts';
import type { Elbv2Tables } from './tables.ts';

export interface Elbv2Parts extends ServiceParts<Elbv2Tables> {
  readonly ec2: Ec2Contract;
  readonly iam: IamContract;
}

export type Elbv2Tx = Tx<Elbv2Tables>;
export type Operations = Readonly<Record<string, AnyOperation>>;

/** An operation on the resources of those ARNs; none named: on all of them. */
export function operation<Input, Output>(
  handle: (input: Input, context: RequestContext) => Promise<Output>,
  arns: (input: Input, context: RequestContext) => readonly (string | undefined)[] = () => [],
): Operation<Input, Output> {
  return {
    access(input, context) {
      const named = arns(input, context).filter((arn) => arn !== undefined);
      return named.length > 0 ? named.map((resource) => ({ resource })) : [{ resource: '*' }];
    },
    handle,
  };
}

/** The transaction as another service takes it: the one store holds every service's tables. */
export function shared(tx: Elbv2Tx): Tx<unknown> {
  return tx as unknown as Tx<unknown>;
}
