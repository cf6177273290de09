import { AwsError, awsClient } from './cli/aws-client.ts';
import type { RunTask } from './services/events/targets/ecs.ts';
import { Fault } from './wire/fault.ts';

/** RunTask for EventBridge: a signed request to our own API as anybody's is, with every check that one meets. */
export function runTaskAt(endpoint: () => string, region: string, accountId: string): RunTask {
  return async (credentials, input) => {
    try {
      return await awsClient({ endpoint: endpoint(), region, accountId, ...credentials }).call('ecs', 'RunTask', input);
    } catch (error) {
      throw error instanceof AwsError ? new Fault(error.code, error.message, {}, error.status) : error;
    }
  };
}
