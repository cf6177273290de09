import type { Service, ServiceParts } from '../contract.ts';
import type { LogsContract } from './contract.ts';
import { logsOperations } from './operations/index.ts';
import { createState } from './state.ts';
import { sweeper } from './sweeper.ts';
import type { LogsTables } from './tables.ts';
import { createWriter } from './writer.ts';

/** CloudWatch Logs: what containers say, kept and found again. */
export function logsService(parts: ServiceParts<LogsTables>): Service<LogsContract> {
  const state = createState(parts);
  return {
    definition: { name: 'logs', iamPrefix: 'logs', operations: logsOperations(state) },
    controllers: [sweeper(state, parts.log.child({ service: 'logs' }))],
    contract: createWriter(state),
  };
}
