import type { Tx } from '../../state/store.ts';
import { formatArn } from '../../wire/arn.ts';
import { Fault } from '../../wire/fault.ts';
import type { AnyOperation, Operation, RequestContext } from '../../wire/service.ts';
import type { ServiceParts } from '../contract.ts';
import type { Ec2Tables } from './tables.ts';

export type Ec2Parts = ServiceParts<Ec2Tables>;
export type Ec2Tx = Tx<Ec2Tables>;
export type Operations = Readonly<Record<string, AnyOperation>>;

/** The resources that an operation acts on, as `type/id`: they become ARNs. Absent: `*`, as for all Describe operations. */
export type Resources<Input> = (input: Input) => readonly string[];

/** An EC2 operation: it answers DryRunOperation instead of acting where the caller asked for a dry run. */
export function operation<Input extends object, Output>(
  handle: (input: Input, context: RequestContext) => Promise<Output>,
  resources?: Resources<Input>,
): Operation<Input, Output> {
  return {
    access: (input, context) =>
      resources
        ? resources(input).map((resource) => ({
            resource: formatArn('ec2', context.region, context.accountId, resource),
          }))
        : [{ resource: '*' }],
    async handle(input, context) {
      if ('DryRun' in input && input.DryRun) {
        throw new Fault('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', {}, 412);
      }
      return handle(input, context);
    },
  };
}
