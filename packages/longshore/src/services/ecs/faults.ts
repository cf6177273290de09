import type { EcsErrorCode } from '../../models/errors.ts';
import { faults } from '../../wire/fault.ts';

/** A fault with one of ECS's codes. */
export const fault = faults<EcsErrorCode>();

/** The fault for a part of ECS's shape that is stored but can't be carried out yet. */
export const notYet = (what: string) =>
  fault('NotImplementedException', `Longshore does not run tasks with ${what} yet.`);
