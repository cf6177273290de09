import type { Definition } from './definition.ts';

/** Whether some container says how its health is checked. */
export const hasHealthCheck = (definition: Definition): boolean =>
  (definition.containerDefinitions ?? []).some(
    (container) => container.healthCheck?.command?.length && container.healthCheck.command[0] !== 'NONE',
  );
