import type { Service, ServiceParts } from '../contract.ts';
import { logsOperations } from './operations/index.ts';
import { createState } from './state.ts';
import { sweeper } from './sweeper.ts';
import type { LogsTables } from './tables.ts';

/** CloudWatch Logs: what containers say, kept and found again. */
export function logsService(parts: ServiceParts<LogsTables>): Service<object> {
  const state = createState(parts);
  return {
    definition: { name: 'logs', iamPrefix: 'logs', operations: logsOperations(state) },
    controllers: [sweeper(state, parts.log.child({ service: 'logs' }))],
    contract: {},
  };
}
