import type { Controller } from '../../base/controller.ts';
import { documentsKeeper } from './documents.ts';
import { lifecycleController } from './lifecycle-controller.ts';
import type { Ecr } from './parts.ts';
import { replicator } from './replication/replicator.ts';

function importController({ pullThrough }: Ecr): Controller {
  return { name: 'ecr.pull-through', start: () => pullThrough.resume(), stop: () => pullThrough.stop() };
}

/** The loops behind policies, rules and templates. */
export function governanceControllers(ecr: Ecr): readonly Controller[] {
  return [documentsKeeper(ecr), lifecycleController(ecr), importController(ecr), replicator(ecr)];
}
