import { notYet } from '../faults.ts';
import type { Definition } from './definition.ts';
import { hasHealthCheck } from './health.ts';

/**
 * Throws NotImplementedException where running the definition would silently leave out something that it asks for.
 * Registering it is fine: what is stored is whole.
 */
export function checkRunnable(definition: Definition): void {
  const containers = definition.containerDefinitions ?? [];
  const some = (test: (container: (typeof containers)[number]) => unknown) => containers.some((c) => Boolean(test(c)));
  if (some((c) => c.secrets?.length || c.logConfiguration?.secretOptions?.length)) throw notYet('secrets');
  if (some((c) => c.environmentFiles?.length)) throw notYet('environmentFiles');
  if (some((c) => c.repositoryCredentials)) throw notYet('repositoryCredentials');
  if (some((c) => c.firelensConfiguration)) throw notYet('firelensConfiguration');
  if (some((c) => c.logConfiguration && c.logConfiguration.logDriver !== 'awslogs'))
    throw notYet('log drivers other than awslogs');
  if (some((c) => c.mountPoints?.length || c.volumesFrom?.length)) throw notYet('volumes');
  if (some((c) => c.resourceRequirements?.length)) throw notYet('resourceRequirements');
  if (hasHealthCheck(definition)) throw notYet('container health checks');
  if (some((c) => c.restartPolicy?.enabled)) throw notYet('restartPolicy');
  if (definition.proxyConfiguration) throw notYet('proxyConfiguration');
  if (definition.pidMode) throw notYet('pidMode');
}
