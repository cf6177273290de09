import { isDiskFull } from '../../base/disk-full.ts';
import type { AnyOperation } from '../../wire/service.ts';
import { fault } from './faults.ts';

export const diskFullMessage = "The registry's disk is full: nothing was stored. Make room, then try again.";

/** Operations that say so in ECR's own code when the disk is full. */
export function tellingOfFullDisk(
  operations: Readonly<Record<string, AnyOperation>>,
): Readonly<Record<string, AnyOperation>> {
  const telling = (operation: AnyOperation): AnyOperation => ({
    access: (input, context) => operation.access(input, context),
    async handle(input, context) {
      try {
        return await operation.handle(input, context);
      } catch (error) {
        throw isDiskFull(error) ? fault('ServerException', diskFullMessage) : error;
      }
    },
  });
  return Object.fromEntries(Object.entries(operations).map(([name, operation]) => [name, telling(operation)]));
}
