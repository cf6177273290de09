import type { Controller } from '../../base/controller.ts';
import { documentsKeeper } from './documents.ts';
import { lifecycleController } from './lifecycle-controller.ts';
import type { Ecr } from './parts.ts';

/** The loops behind policies, rules and templates. */
export function governanceControllers(ecr: Ecr): readonly Controller[] {
  return [documentsKeeper(ecr), lifecycleController(ecr)];
}
