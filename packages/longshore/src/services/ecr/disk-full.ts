import type { AnyOperation } from '../../wire/service.ts';
import { fault } from './faults.ts';

export const diskFullMessage = "The registry's disk is full: nothing was stored. Make room, then try again.";

/** No room for a file (ENOSPC, EDQUOT) or for the database (SQLITE_FULL, 13; PostgreSQL's disk_full, 53100). */
export function isDiskFull(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || code === '53100' || errcode === 13;
}

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
